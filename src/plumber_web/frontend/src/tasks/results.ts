/** A task's last results, as heights of bars and as figures. */
import type { Recent } from './api'

export interface Figures {
  ended: number
  succeeded: number
  failed: number
  /** Share of successes among those that ended by themselves, null before the first. */
  rate: number | null
  /** Median of the successes' durations in seconds. */
  usual: number | null
}

/** Return bars' heights from 0.2 to 1: the square root keeps short runs visible beside a long one. */
export function heights(recent: readonly Recent[]): number[] {
  const longest = Math.max(0, ...recent.map((one) => one.duration ?? 0))
  return recent.map((one) => (longest > 0 ? 0.2 + 0.8 * Math.sqrt((one.duration ?? 0) / longest) : 0.6))
}

function median(values: number[]): number | null {
  const sorted = [...values].sort((one, other) => one - other)
  if (sorted.length === 0) return null
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function figures(recent: readonly Recent[]): Figures {
  const good = recent.filter((one) => one.state === 'succeeded')
  const failed = recent.filter((one) => one.state === 'failed').length
  const ended = good.length + failed
  const usual = median(good.flatMap((one) => (typeof one.duration === 'number' ? [one.duration] : [])))
  return { ended, succeeded: good.length, failed, rate: ended ? good.length / ended : null, usual }
}
