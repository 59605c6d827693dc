/** What a step's card shows: pure looks at one step. */
import { expressionOf, type StepShape } from '@/tasks/api'

export const isBlock = (step: StepShape): boolean => Array.isArray(step.steps)
export const insideOf = (step: StepShape): StepShape[] => (isBlock(step) ? step.steps!.filter((one) => one !== null && typeof one === 'object') : [])

export const kindOf = (step: StepShape): string => (isBlock(step) ? 'block' : step.uses ? String(step.uses) : 'shell')

/** Return the text that a step carries out, as far as it has one. */
export function bodyOf(step: StepShape): string {
  if (isBlock(step)) return insideOf(step).map((one, at) => `${at + 1}. ${one.name ?? ''}: ${firstLine(one)}`).join('\n')
  if (typeof step.run === 'string') return step.run.trimEnd()
  const given = step.with ?? {}
  const text = given.script ?? given.run
  if (typeof text === 'string') return text.trimEnd()
  return Object.entries(given).map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`).join('\n')
}

export const firstLine = (step: StepShape): string => (isBlock(step) ? insideOf(step).map((one) => one.name).join(' → ') : lineOf(step))

const lineOf = (step: StepShape): string => bodyOf(step).split('\n').find((line) => line.trim() !== '' && !line.startsWith('#!'))?.trim() ?? ''

/** Keys whose value is shown on a chip; the others that differ from their defaults only by name. */
const VALUED = ['when', 'path', 'shell', 'timeout', 'idle_timeout', 'grace', 'on_failure']
const DEFAULTS: Record<string, unknown> = { on_failure: 'stop', grace: 10 }

/** Return what differs from the defaults, as pairs of a key and a short text. */
export function chips(step: StepShape): [string, string][] {
  const found: [string, string][] = step.on === undefined ? [] : [['on', expressionOf(step.on)]]
  if (Array.isArray(step.needs)) found.push(['needs', step.needs.join(', ')])
  for (const key of VALUED) {
    const value = step[key]
    if (value !== undefined && value !== null && value !== DEFAULTS[key]) found.push([key, seconds(key, value)])
  }
  const batches = (step.rollout as { batches?: unknown } | null | undefined)?.batches
  if (batches !== undefined) found.push(['rollout', [batches].flat().join(' ')])
  const attempts = (step.retry as { attempts?: unknown } | null | undefined)?.attempts
  if (attempts !== undefined) found.push(['retry', `${String(attempts)}×`])
  for (const key of ['env', 'secrets'] as const) {
    const names = Object.keys(step[key] ?? {}).length
    if (names > 0) found.push([key, String(names)])
  }
  if (step.stdin !== undefined && step.stdin !== null) found.push(['stdin', ''])
  return found
}

const seconds = (key: string, value: unknown): string => (typeof value === 'number' && key !== 'path' ? `${value} s` : String(value))

/** Return a name for one more step that none of `taken` has. */
export function freshName(wanted: string, taken: readonly (string | undefined)[]): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted} ${n}`
    if (!taken.includes(name)) return name
  }
}
