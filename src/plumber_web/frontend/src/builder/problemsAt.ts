/** Problems by the place that they are told at. */
import type { Place } from './places'
import type { Problem } from '@/tasks/api'

/** Return the first problem at `path` (`steps[2].timeout`) or inside of it. */
export function problemAt(problems: readonly Problem[], path: string): Problem | undefined {
  return problems.find((one) => one.path === path || one.path.startsWith(`${path}.`) || one.path.startsWith(`${path}[`))
}

/** Return how many problems stand in a step; those in the steps of a block are told there. */
export function countIn(problems: readonly Problem[], place: Place): number {
  const own = (path: string): boolean => path === place || (path.startsWith(`${place}.`) && !path.startsWith(`${place}.steps[`))
  return problems.filter((one) => own(one.path)).length
}

/**
 * Return where the builder shows a path: a step ('' for the task's settings) and the keys of fields, the nearest first.
 *
 * `steps[1].with.url` is `with.url` of step 1, or what stands for all of `with`.
 */
export function fieldsFor(path: string): { place: Place; keys: string[] } {
  const [, place, rest] = /^((?:(?:steps|always)\[\d+\](?:\.steps\[\d+\])*)?)\.?(.*)$/s.exec(path) ?? []
  const parts = (rest ?? '').split(/[.[]/).filter(Boolean)
  return { place: place ?? '', keys: parts.map((_, n) => parts.slice(0, parts.length - n).join('.')) }
}
