/** Names for what the server answers, and the shapes of a task's definition, which the API leaves open. */
import type { Schemas } from '@/api/client'

export type ParameterType = 'string' | 'text' | 'int' | 'float' | 'bool' | 'enum' | 'multi-enum' | 'list' | 'target'
export interface Parameter {
  type?: ParameterType
  description?: string
  required?: boolean
  default?: unknown
  pattern?: string
  choices?: string[]
  min?: number
  max?: number
}

export interface StepShape {
  name?: string
  run?: string
  uses?: string
  with?: Record<string, unknown>
  on?: string | string[]
  path?: string
  env?: Record<string, unknown>
  secrets?: Record<string, unknown>
  /** A block's own steps, which each host carries out in order. */
  steps?: StepShape[]
  [key: string]: unknown
}

export interface TaskShape {
  name?: string
  description?: string
  params?: Record<string, Parameter>
  env?: Record<string, unknown>
  on?: string | string[]
  path?: string
  timeout?: string | number
  queue_timeout?: string | number
  steps?: StepShape[]
  notify?: Record<string, unknown>
  always?: StepShape[]
  labels?: Record<string, unknown>
}

export type Problem = Schemas['Problem']
export type RevisionInfo = Schemas['RevisionInfo']
export type Execution = Schemas['ExecutionSummary']

export type Recent = Schemas['RecentExecution']
export type TaskRow = Schemas['TaskSummary']
export type Executor = Schemas['ExecutorView']

/** Return `on` as one expression: a list of names means any of them. */
export function expressionOf(on: string | string[] | undefined): string {
  if (on === undefined || on === null) return ''
  return Array.isArray(on) ? on.map((name) => (/^[\w.*-]+$/.test(name) ? name : JSON.stringify(name))).join(' or ') : String(on)
}

/** Return an id that makes a repeated request harmless; works without a secure context. */
export function requestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
