/** Which hosts a matrix shows, and in which order. */
import { durationAt, stateAt, type Counts, type Picture } from './picture'
import { BAD, BUSY, ENDED } from './states'

export type Sort = 'name' | 'status' | 'duration'
export interface Wanted {
  search: string
  states: readonly string[]
  sort: Sort
  /** The step that states and durations are of. */
  step: number
}

const rank = (state: string): number => (BAD.has(state) ? 0 : BUSY.has(state) ? 1 : state === 'succeeded' ? 3 : state === '' ? 4 : 2)

/** The state that sums up a row: the worst of its steps. */
export function worstOf(picture: Picture, row: number): string {
  let worst = ''
  for (let step = 0; step < picture.columns.length; step++) {
    const state = stateAt(picture, step, row)
    if (rank(state) < rank(worst)) worst = state
  }
  return worst
}

/** Indexes of the rows to show. `now` is in seconds since the creation. */
export function rowsOf(picture: Picture, wanted: Wanted, now: number): number[] {
  const needle = wanted.search.trim().toLowerCase()
  const hosts = picture.matrix.hosts
  const rows: number[] = []
  for (let row = 0; row < hosts.length; row++) {
    if (needle && !hosts[row]!.name.toLowerCase().includes(needle)) continue
    if (wanted.states.length && !hasState(picture, row, wanted.states)) continue
    rows.push(row)
  }
  return sorted(picture, rows, wanted, now)
}

function hasState(picture: Picture, row: number, states: readonly string[]): boolean {
  return picture.columns.some((_, step) => states.includes(stateAt(picture, step, row)))
}

function sorted(picture: Picture, rows: number[], wanted: Wanted, now: number): number[] {
  const byName = [...rows].sort((a, b) => order.compare(picture.matrix.hosts[a]!.name, picture.matrix.hosts[b]!.name))
  if (wanted.sort === 'name') return byName
  const value = wanted.sort === 'status' ? (row: number) => rank(worstOf(picture, row)) : (row: number) => -(durationAt(picture, wanted.step, row, now) || 0)
  const values = new Map(byName.map((row) => [row, value(row)]))
  return byName.sort((a, b) => values.get(a)! - values.get(b)!)
}

const order = new Intl.Collator(undefined, { numeric: true })

export interface Sums {
  ok: number
  failed: number
  running: number
  waiting: number
  other: number
  total: number
}

/** Counts by state, as few numbers. */
/** States in an order in which none that comes or goes moves another; what lasts a moment comes last. */
const LASTING = ['running', 'blocked', 'succeeded', 'failed', 'timed_out', 'lost', 'rejected', 'expired', 'skipped', 'cancelled']
const ALWAYS = new Set(LASTING.slice(0, 3))

/** Return each state with its count: those that there are, and while something goes on also those that come and go. */
export function statesOf(counts: Counts): [state: string, count: number][] {
  const live = Object.entries(counts).some(([state, count]) => count > 0 && !ENDED.has(state))
  const names = [...LASTING, ...Object.keys(counts).filter((state) => !LASTING.includes(state))]
  return names.map((state): [string, number] => [state, counts[state] ?? 0]).filter(([state, count]) => count > 0 || (live && ALWAYS.has(state)))
}

export function sumsOf(counts: Counts): Sums {
  const sums: Sums = { ok: 0, failed: 0, running: 0, waiting: 0, other: 0, total: 0 }
  for (const [state, n] of Object.entries(counts)) {
    sums.total += n
    if (state === 'succeeded') sums.ok += n
    else if (BAD.has(state)) sums.failed += n
    else if (BUSY.has(state)) sums.running += n
    else if (state === 'skipped' || state === 'cancelled') sums.other += n
    else sums.waiting += n
  }
  return sums
}

/** The step that people look for: the first that failed, else the first that goes on, else the last. */
export function stepToSee(picture: Picture): number {
  const sums = picture.columns.map((column) => sumsOf(column.counts))
  const failed = sums.findIndex((sum) => sum.failed > 0)
  if (failed >= 0) return failed
  const open = sums.findIndex((sum) => sum.running + sum.waiting > 0)
  return open >= 0 ? open : Math.max(0, sums.length - 1)
}

/** The failed cell after (`by` 1) or before (-1) a place, step by step; undefined when nothing failed. */
export function nextFailure(picture: Picture, rows: readonly number[], from: { step: number; row: number }, by: 1 | -1): { step: number; row: number } | undefined {
  const size = rows.length * picture.columns.length
  const start = from.step * rows.length + rows.indexOf(from.row)
  for (let distance = 1; distance <= size; distance++) {
    const place = (((start + by * distance) % size) + size) % size
    const found = { step: Math.floor(place / rows.length), row: rows[place % rows.length]! }
    if (BAD.has(stateAt(picture, found.step, found.row))) return found
  }
  return undefined
}
