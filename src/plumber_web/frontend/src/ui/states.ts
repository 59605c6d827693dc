/** How every state looks: a tone and an icon, so that colour never speaks alone. */
import { Ban, Circle, CircleCheck, CircleDashed, CircleHelp, CirclePause, CircleSlash, CircleX, Clock, LoaderCircle, TimerOff, TriangleAlert, Unplug } from '@lucide/vue'
import type { Component } from 'vue'

export type Tone = 'good' | 'bad' | 'busy' | 'warn' | 'idle'
export interface Look {
  tone: Tone
  icon: Component
}

export const STATES: Record<string, Look> = {
  blocked: { tone: 'idle', icon: CircleDashed },
  ready: { tone: 'idle', icon: Clock },
  queued: { tone: 'idle', icon: Clock },
  claimed: { tone: 'busy', icon: LoaderCircle },
  running: { tone: 'busy', icon: LoaderCircle },
  cancelling: { tone: 'warn', icon: Ban },
  unreachable: { tone: 'warn', icon: Unplug },
  retry_wait: { tone: 'warn', icon: Clock },
  paused: { tone: 'warn', icon: CirclePause },
  succeeded: { tone: 'good', icon: CircleCheck },
  failed: { tone: 'bad', icon: CircleX },
  timed_out: { tone: 'bad', icon: TimerOff },
  cancelled: { tone: 'idle', icon: Ban },
  rejected: { tone: 'bad', icon: CircleSlash },
  expired: { tone: 'bad', icon: TimerOff },
  skipped: { tone: 'idle', icon: CircleSlash },
  lost: { tone: 'bad', icon: CircleHelp },
  online: { tone: 'good', icon: CircleCheck },
  late: { tone: 'warn', icon: TriangleAlert },
  offline: { tone: 'idle', icon: Unplug },
  active: { tone: 'good', icon: CircleCheck },
  draining: { tone: 'warn', icon: CirclePause },
  disabled: { tone: 'idle', icon: CircleSlash },
  revoked: { tone: 'bad', icon: Ban },
}

export const TEXT: Record<Tone, string> = { good: 'text-good', bad: 'text-bad', busy: 'text-busy', warn: 'text-warn', idle: 'text-idle' }
export const WASH: Record<Tone, string> = {
  good: 'bg-good-wash text-good',
  bad: 'bg-bad-wash text-bad',
  busy: 'bg-busy-wash text-busy',
  warn: 'bg-warn-wash text-warn',
  idle: 'bg-idle-wash text-idle',
}
export const FILL: Record<Tone, string> = { good: 'bg-good', bad: 'bg-bad', busy: 'bg-busy', warn: 'bg-warn', idle: 'bg-edge' }

export function lookOf(state: string): Look {
  return STATES[state] ?? { tone: 'idle', icon: Circle }
}
