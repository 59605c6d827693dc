/** Values of a run as a form holds them (text and switches), and as the API takes them. */
import type { Parameter } from './api'

export type FormValue = string | boolean
export type FormValues = Record<string, FormValue>
export type Declared = Record<string, Parameter>

/** A switch without a default has three answers: it is chosen from a list. */
export const isSwitch = (parameter: Parameter): boolean => parameter.type === 'bool' && typeof parameter.default === 'boolean'

/** Return how a value stands in its control. */
export function toForm(parameter: Parameter, value: unknown): FormValue {
  if (isSwitch(parameter)) return value === true || value === 'true'
  if (value === null || value === undefined) return ''
  return Array.isArray(value) ? value.join('\n') : String(value)
}

/** Return the form as it opens: the defaults. */
export function defaults(declared: Declared): FormValues {
  return Object.fromEntries(Object.entries(declared).map(([name, one]) => [name, toForm(one, one.default)]))
}

/** Return the form with an earlier run's values; what the task no longer declares is dropped. */
export function reuse(declared: Declared, earlier: Record<string, unknown>): FormValues {
  const entries = Object.entries(declared)
  return Object.fromEntries(entries.map(([name, one]) => [name, toForm(one, earlier[name] ?? one.default)]))
}

function toArgument(parameter: Parameter, value: FormValue): unknown {
  if (typeof value === 'boolean') return value
  if (parameter.type === 'list' || parameter.type === 'multi-enum') return value.split('\n').map((line) => line.trim()).filter(Boolean)
  const number = parameter.type === 'int' || parameter.type === 'float' ? Number(value) : NaN
  // A number too large for a double stays text: the server reads it exactly, or says what is wrong with it.
  return Number.isSafeInteger(number) || (parameter.type === 'float' && Number.isFinite(number)) ? number : value
}

/** Return what to send: a field left empty is not given, unless that empties a default. */
export function toArguments(declared: Declared, values: FormValues): Record<string, unknown> {
  const given: Record<string, unknown> = {}
  for (const [name, parameter] of Object.entries(declared)) {
    const value = values[name] ?? ''
    const empties = (parameter.type ?? 'string') in { string: 1, text: 1, list: 1, 'multi-enum': 1 } && parameter.default !== undefined
    if (value !== '' || empties) given[name] = toArgument(parameter, value)
  }
  return given
}

/** Return the names of parameters that must be given and are not. */
export function missing(declared: Declared, values: FormValues): string[] {
  const bare = Object.entries(declared).filter(([, one]) => one.required && (one.default === undefined || one.default === null))
  return bare.map(([name]) => name).filter((name) => values[name] === '' || values[name] === undefined)
}
