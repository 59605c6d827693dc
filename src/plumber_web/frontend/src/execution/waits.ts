/** Who waits in an execution, and in which state: what moves on by itself within a moment is not told. */
import type { Picture } from './picture'

/** What lasts until something outside happens, in the order in which it is told; `awaited` are ready steps whose host must tell first what it ran in commits that the database lost, `pooled` those that whoever is free may take. */
const WAITING = ['unreachable', 'retry_wait', 'awaited', 'pooled', 'ready'] as const
const NAMED = 3
type Waiting = (typeof WAITING)[number]

/** With more hosts ready than this nobody reads why each waits. */
const MOST_READY = 50

/** Why hosts with a ready step wait, as the server told it: each reason once, the most frequent first. */
export function whysOf(picture: Picture): Record<string, unknown>[] {
  const found = new Map<string, { why: Record<string, unknown>; count: number }>()
  for (const host of readyHosts(picture)) {
    const told = picture.matrix.waits[host.id]
    if (!told) continue
    const key = JSON.stringify(told)
    const known = found.get(key) ?? { why: told, count: 0 }
    found.set(key, { ...known, count: known.count + 1 })
  }
  return [...found.values()].sort((a, b) => b.count - a.count).slice(0, NAMED).map((one) => one.why)
}

/** Whether the reasons for waiting may have changed or come to be: those are no events. */
export function asksWhy(picture: Picture): boolean {
  return picture.matrix.state === 'queued' || readyHosts(picture).length > 0
}

function readyHosts(picture: Picture): Picture['matrix']['hosts'] {
  const ready = picture.columns.filter((column) => column.counts['ready'])
  if (ready.reduce((sum, column) => sum + column.counts['ready']!, 0) > MOST_READY) return []
  const code = picture.names.indexOf('ready')
  return picture.matrix.hosts.filter((_, row) => ready.some((column) => column.states[row] === code))
}

export interface Wait {
  state: Waiting
  /** The first of them, by name. */
  hosts: string[]
  count: number
}

export function waitsOf(picture: Picture): Wait[] {
  const found = new Map<Waiting, Wait>()
  for (const column of picture.columns) {
    if (!WAITING.some((state) => column.counts[state])) continue
    column.states.forEach((code, row) => add(found, picture, picture.names[code] ?? '', row))
  }
  return WAITING.flatMap((state) => found.get(state) ?? [])
}

function add(found: Map<Waiting, Wait>, picture: Picture, name: string, row: number): void {
  const host = picture.matrix.hosts[row]!
  const told = name !== 'ready' ? name : host.awaited ? 'awaited' : host.pool ? 'pooled' : name
  const state = WAITING.find((one) => one === told)
  if (!state || (state === 'ready' && picture.matrix.waits[host.id])) return
  const wait = found.get(state) ?? { state, count: 0, hosts: [] }
  found.set(state, wait)
  wait.count++
  if (wait.hosts.length < NAMED && !wait.hosts.includes(host.name)) wait.hosts.push(host.name)
}
