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

/**
 * Return where the builder shows a path: a step (-1 for the task's settings) and the keys of fields, the nearest first.
 *
 * `steps[1].with.url` is `with.url` of step 1, or what stands for all of `with`.
 */
export function fieldsFor(path: string): { step: number; keys: string[] } {
  const [, at, rest] = /^(?:steps\[(\d+)\]\.?)?(.*)$/s.exec(path) ?? []
  const parts = (rest ?? '').split(/[.[]/).filter(Boolean)
  return { step: at === undefined ? -1 : Number(at), keys: parts.map((_, n) => parts.slice(0, parts.length - n).join('.')) }
}
