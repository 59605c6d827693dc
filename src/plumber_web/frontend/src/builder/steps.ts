/** What a step's card shows: pure looks at one step. */
import { expressionOf, type StepShape } from '@/tasks/api'

export const kindOf = (step: StepShape): string => (step.uses ? String(step.uses) : 'shell')

/** Return the text that a step carries out, as far as it has one. */
export function bodyOf(step: StepShape): string {
  if (typeof step.run === 'string') return step.run.trimEnd()
  const given = step.with ?? {}
  const text = given.script ?? given.run
  if (typeof text === 'string') return text.trimEnd()
  return Object.entries(given).map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`).join('\n')
}

export const firstLine = (step: StepShape): string => bodyOf(step).split('\n').find((line) => line.trim() !== '' && !line.startsWith('#!'))?.trim() ?? ''

/** Keys whose value is shown on a chip; the others that differ from their defaults only by name. */
const VALUED = ['path', 'shell', 'timeout', 'idle_timeout', 'grace', 'on_failure']
const DEFAULTS: Record<string, unknown> = { on_failure: 'stop', grace: 10 }

/** Return what differs from the defaults, as pairs of a key and a short text. */
export function chips(step: StepShape): [string, string][] {
  const found: [string, string][] = step.on === undefined ? [] : [['on', expressionOf(step.on)]]
  for (const key of VALUED) {
    const value = step[key]
    if (value !== undefined && value !== null && value !== DEFAULTS[key]) found.push([key, seconds(key, value)])
  }
  const env = Object.keys(step.env ?? {}).length
  if (env > 0) found.push(['env', String(env)])
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
