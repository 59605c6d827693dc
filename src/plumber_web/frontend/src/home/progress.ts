/** How far an execution is, from the number of its step executions by state. */
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
