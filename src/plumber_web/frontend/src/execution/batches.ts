/** The batches of a rollout as a strip: those around where it stands, and how many stand before and after. */
import type { Schemas } from '@/api/client'

export type Batch = Schemas['BatchView']
export interface Strip {
  before: number
  shown: Batch[]
  after: number
}

export const SHOWN = 12
const OVER: ReadonlySet<string> = new Set(['passed'])
/** The state whose look a batch has. */
export const LOOKS: Record<Batch['state'], string> = {
  blocked: 'blocked',
  waiting: 'ready',
  running: 'running',
  gate: 'running',
  passed: 'succeeded',
  stopped: 'failed',
  skipped: 'skipped',
}

export function stripOf(batches: readonly Batch[], most = SHOWN): Strip {
  const current = batches.findIndex((batch) => !OVER.has(batch.state))
  const middle = current < 0 ? batches.length - 1 : current
  const from = Math.max(0, Math.min(middle - Math.floor(most / 3), batches.length - most))
  const shown = batches.slice(from, from + most)
  return { before: from, shown, after: batches.length - from - shown.length }
}

/** What an event says of its batch; undefined when it changes no batch. */
export function stateAfter(kind: string, data: Record<string, unknown>): Batch['state'] | undefined {
  if (kind === 'batch.started') return 'running'
  if (kind === 'gate.started') return 'gate'
  if (kind === 'batch.stopped') return 'stopped'
  if (kind === 'batch.finished' || kind === 'gate.finished') return data.passed === true ? 'passed' : 'stopped'
  return undefined
}
