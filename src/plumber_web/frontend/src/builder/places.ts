/** Where steps stand: `steps[2]`, in a block `steps[2].steps[0]`, at the end `always[0]`; '' is the task itself. */
import { isBlock } from './steps'
import type { StepShape, TaskShape } from '@/tasks/api'

export type Place = string
export type Path = readonly (string | number)[]

/** Return the keys and numbers that lead there. */
export const pathOf = (place: Place): Path => (place.match(/[^.[\]]+/g) ?? []).map((part) => (/^\d+$/.test(part) ? Number(part) : part))
export const placeIn = (list: Place, at: number): Place => `${list}[${at}]`

/** Return the list that a step stands in, and its number there. */
export function listOf(place: Place): { list: Place; at: number } {
  const [, list, at] = /^(.*)\[(\d+)\]$/s.exec(place) ?? [undefined, place, '0']
  return { list: list!, at: Number(at) }
}

/** Return the block around a list or a step, or nothing where there is none. */
export function blockAround(place: Place): Place | undefined {
  return /^(.+\])\.steps(?:\[\d+\])?$/s.exec(place)?.[1]
}

const isMapping = (value: unknown): value is StepShape => value !== null && typeof value === 'object' && !Array.isArray(value)
const stepsIn = (value: unknown): readonly StepShape[] => (Array.isArray(value) ? value.filter(isMapping) : [])

/** Return the steps of a list; none where the task has no such list. */
export function stepsAt(task: TaskShape | null, list: Place): readonly StepShape[] {
  let found: unknown = task
  for (const key of pathOf(list)) found = (found as Record<string | number, unknown> | undefined)?.[key]
  return stepsIn(found)
}

export function stepAt(task: TaskShape | null, place: Place): StepShape | undefined {
  const { list, at } = listOf(place)
  return place === '' ? undefined : stepsAt(task, list)[at]
}

/** Return every step with its place, from top to bottom; a block comes before its own steps. */
export function everyStep(task: TaskShape | null): [Place, StepShape][] {
  const inside = (list: Place): [Place, StepShape][] =>
    stepsAt(task, list).flatMap((step, at) => {
      const place = placeIn(list, at)
      return [[place, step] as [Place, StepShape], ...(isBlock(step) ? inside(`${place}.steps`) : [])]
    })
  return [...inside('steps'), ...inside('always')]
}
