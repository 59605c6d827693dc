/** Problems by the place that they are told at. */
import type { Problem } from '@/tasks/api'

/** Return the first problem at `path` (`steps[2].timeout`) or inside of it. */
export function problemAt(problems: readonly Problem[], path: string): Problem | undefined {
  return problems.find((one) => one.path === path || one.path.startsWith(`${path}.`) || one.path.startsWith(`${path}[`))
}

/** Return how many problems stand in a step. */
export function countIn(problems: readonly Problem[], step: number): number {
  const path = `steps[${step}]`
  return problems.filter((one) => one.path === path || one.path.startsWith(`${path}.`)).length
}
