/** Who waits in an execution, and in which state: what moves on by itself within a moment is not told. */
import type { Picture } from './picture'

/** What lasts until something outside happens, in the order in which it is told; `awaited` are ready steps whose host must tell first what it ran in commits that the database lost, `pooled` those that whoever is free may take. */
const WAITING = ['unreachable', 'retry_wait', 'awaited', 'pooled', 'ready'] as const
const NAMED = 3
type Waiting = (typeof WAITING)[number]

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
  if (!state) return
  const wait = found.get(state) ?? { state, count: 0, hosts: [] }
  found.set(state, wait)
  wait.count++
  if (wait.hosts.length < NAMED && !wait.hosts.includes(host.name)) wait.hosts.push(host.name)
}
