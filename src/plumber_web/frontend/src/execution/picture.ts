/** An execution as typed columns that one event changes in one place. Nothing here knows Vue. */
import { stateAfter } from './batches'
import { BUSY, ENDED } from './states'
import type { Schemas } from '@/api/client'
import type { PlumberEvent } from '@/api/events'

export type Matrix = Schemas['ExecutionMatrix']
export type Counts = Record<string, number>
/** What an event meant: nothing, a changed cell, a changed execution, or something that only the server can tell. */
export type Effect = 'none' | 'cell' | 'execution' | 'unknown'

/** A column of states; `states[host]` is an index into `names`, -1 where the step does not run. */
export interface Column {
  states: Int8Array
  /** Seconds since the execution was created; NaN is not yet. */
  started: Float64Array
  ended: Float64Array
  exits: (number | null)[]
  counts: Counts
}

export interface Picture {
  matrix: Matrix
  names: string[]
  columns: Column[]
  rows: Map<string, number>
  counts: Counts
}

const FINAL = new Set(['succeeded', 'failed', 'cancelled'])
/** Steps begin another round, or wait for another reason: only the server knows which. */
const ROUNDS = new Set(['resumed', 'step_retry', 'step_skip', 'step_done', 'paused', 'continued', 'host_cancelled', 'step_cancelled'])
const STEP_STATES = new Set([...ENDED, ...BUSY, 'blocked', 'ready', 'retry_wait'])

const seconds = (list: (number | null)[]): Float64Array => Float64Array.from(list, (value) => value ?? NaN)

export function pictureOf(matrix: Matrix): Picture {
  const picture: Picture = {
    matrix,
    names: [...matrix.state_names],
    rows: new Map(matrix.hosts.map((host, row) => [host.id, row])),
    counts: {},
    columns: matrix.steps.map((_, step) => ({
      states: Int8Array.from(matrix.states[step] ?? []),
      started: seconds(matrix.started[step] ?? []),
      ended: seconds(matrix.ended[step] ?? []),
      exits: [...(matrix.exit_codes[step] ?? [])],
      counts: {},
    })),
  }
  for (const column of picture.columns) for (const code of column.states) if (code >= 0) count(picture, column, picture.names[code]!, 1)
  return picture
}

export function isOver(picture: Picture): boolean {
  return FINAL.has(picture.matrix.state)
}

/** The state of a cell, '' where the step does not run. */
export function stateAt(picture: Picture, step: number, row: number): string {
  const code = picture.columns[step]?.states[row] ?? -1
  return code < 0 ? '' : (picture.names[code] ?? '')
}

/** How long a cell took or takes, in seconds; NaN when it did not start. `now` is in seconds since the creation. */
export function durationAt(picture: Picture, step: number, row: number, now: number): number {
  const column = picture.columns[step]
  if (!column) return NaN
  const end = column.ended[row]!
  if (Number.isNaN(end) && !BUSY.has(stateAt(picture, step, row))) return NaN
  return Math.max(0, (Number.isNaN(end) ? now : end) - column.started[row]!)
}

/** Apply one event in place. */
export function apply(picture: Picture, event: PlumberEvent): Effect {
  const [noun, what = ''] = event.kind.split('.')
  if (noun === 'execution') return applyToExecution(picture, what)
  if (noun === 'batch' || noun === 'gate') return applyToRollout(picture, what, event)
  if (noun !== 'step' || !STEP_STATES.has(what)) return 'none'
  const step = stepOf(event)
  const row = event.agent === null ? undefined : picture.rows.get(event.agent)
  const column = step === undefined ? undefined : picture.columns[step]
  if (row === undefined || column === undefined) return 'unknown'
  change(picture, column, row, what)
  stamp(picture, column, row, what, event)
  skip(picture, row, event)
  return 'cell'
}

/** The later steps of a host that a failure skips have no event of their own. */
function skip(picture: Picture, row: number, event: PlumberEvent): void {
  if (!Array.isArray(event.data.skipped)) return
  for (const step of event.data.skipped) {
    const column = picture.columns[Number(step)]
    if (!column || column.states[row]! < 0) continue
    change(picture, column, row, 'skipped')
    column.ended[row] = secondsAt(picture, event)
  }
}

function stepOf(event: PlumberEvent): number | undefined {
  if (typeof event.data.step === 'number') return event.data.step
  return stepIn(String(event.data.step_execution ?? ''))
}

/** The step's index in a step execution's id: `<execution>-<step>-<lane>-<round>`. */
function stepIn(id: string): number | undefined {
  const index = Number(id.split('-').at(-3))
  return id && Number.isInteger(index) ? index : undefined
}

function applyToExecution(picture: Picture, what: string): Effect {
  if (what === 'cancel_requested') picture.matrix.cancel_requested = true
  else if (FINAL.has(what) || ROUNDS.has(what) || what === 'always' || what === 'turn') return 'unknown'
  else if (what === 'queued' || what === 'running') picture.matrix.state = what as Matrix['state']
  else return 'none'
  return 'execution'
}

/** Between two batches a rollout waits for its pause or for somebody: what begins has waited. */
function applyToRollout(picture: Picture, what: string, event: PlumberEvent): Effect {
  const rollout = picture.matrix.rollouts.find((one) => one.block === event.data.block)
  if (!rollout) return 'unknown'
  const state = stateAfter(event.kind, event.data)
  const batch = rollout.batches.find((one) => one.number === event.data.batch)
  if (batch && state) batch.state = state
  if (batch && event.kind === 'batch.finished' && typeof event.data.failed === 'number') batch.failed = event.data.failed
  if (what === 'waiting') rollout.waiting = waitOf(event)
  else if (what === 'started' || what === 'go') rollout.waiting = null
  else if (!state) return 'none'
  return 'execution'
}

function waitOf(event: PlumberEvent): Record<string, unknown> {
  const { block, batch, batches, pause } = event.data
  if (typeof pause !== 'number') return { code: 'batch_go', block, batch, batches }
  return { code: 'batch_pause', block, batch, batches, until: new Date(Date.parse(event.at) + pause * 1000).toISOString() }
}

function change(picture: Picture, column: Column, row: number, state: string): void {
  const before = column.states[row]!
  if (before >= 0) count(picture, column, picture.names[before]!, -1)
  column.states[row] = codeOf(picture, state)
  count(picture, column, state, 1)
}

function stamp(picture: Picture, column: Column, row: number, state: string, event: PlumberEvent): void {
  const at = secondsAt(picture, event)
  if (ENDED.has(state)) {
    column.ended[row] = at
    column.exits[row] = typeof event.data.exit_code === 'number' ? event.data.exit_code : null
    return
  }
  column.ended[row] = NaN
  if (state === 'blocked' || state === 'ready') column.started[row] = NaN
  else if (state === 'running' && Number.isNaN(column.started[row])) column.started[row] = at
}

function secondsAt(picture: Picture, event: PlumberEvent): number {
  return (Date.parse(event.at) - Date.parse(picture.matrix.created_at)) / 1000
}

function codeOf(picture: Picture, state: string): number {
  const known = picture.names.indexOf(state)
  return known >= 0 ? known : picture.names.push(state) - 1
}

function count(picture: Picture, column: Column, state: string, by: 1 | -1): void {
  for (const counts of [column.counts, picture.counts]) counts[state] = (counts[state] ?? 0) + by
}
