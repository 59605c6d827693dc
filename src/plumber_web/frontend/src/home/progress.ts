/** How far an execution is: by its step executions, or against the time that it usually takes. */
import { BAD, ENDED } from '@/execution/states'

export interface Progress {
  total: number
  ended: number
  failed: number
  value: number
}

export function progressOf(counts: Record<string, number>): Progress {
  const sum = (wanted: (state: string) => boolean): number =>
    Object.entries(counts).reduce((all, [state, count]) => (wanted(state) ? all + count : all), 0)
  const total = sum(() => true)
  const ended = sum((state) => ENDED.has(state))
  return { total, ended, failed: sum((state) => BAD.has(state)), value: total ? ended / total : 0 }
}

/** Longer than this many times the usual is late. */
const LATE = 1.2

export interface Pace {
  /** From 0 to 1: time against the usual, or steps where nothing is usual yet. */
  value: number
  late: boolean
}

/** `elapsed` and `usual` are in seconds; `usual` is null when the task never succeeded. */
export function paceOf(elapsed: number, usual: number | null, counts: Record<string, number>): Pace {
  if (usual === null || usual <= 0) return { value: progressOf(counts).value, late: false }
  return { value: Math.min(1, elapsed / usual), late: elapsed > usual * LATE }
}
