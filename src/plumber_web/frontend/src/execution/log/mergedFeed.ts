/** The last lines of several attempts, merged by time. */
import { shallowRef } from 'vue'
import { STDERR } from '@/logs/frames'
import { loader } from '@/logs/load'
import { merge, type MergedLine } from '@/logs/merge'
import type { Line } from '@/logs/lines'
import { LogWindow } from '@/logs/window'
import { useChanges, type FeedParts, type Hit, type Hits, type LogFeed, type LogSource } from './feed'
import { patternOf } from './highlight'
import { retries } from './retries'
import { rowOf } from './rows'

/** Lines in all, shared among the attempts. */
const MOST_LINES = 20_000
const LEAST_LINES = 200
const AT_ONCE = 6
const TAIL = 64 * 1024

interface Member {
  source: LogSource
  log: LogWindow
  /** Its first load has begun, and did not fail. */
  opened: boolean
  failed: unknown
}

export function mergedFeed(first: readonly LogSource[], { request, frame }: FeedParts): LogFeed {
  const { version, changed } = useChanges(frame)
  const ready = shallowRef(false)
  const error = shallowRef<unknown>(null)
  const closing = new AbortController()
  const members = new Map<string, Member>()
  const again = retries(closing.signal)
  let rows: MergedLine[] = []
  let shown: Member[] = []
  let builtFor = -1

  function update(sources: readonly LogSource[]): boolean {
    if (sources.length < 2) return false
    const wanted = new Set(sources.map(({ attempt }) => attempt))
    for (const id of members.keys()) if (!wanted.has(id)) members.delete(id)
    for (const source of sources) if (!members.has(source.attempt)) members.set(source.attempt, member(source))
    report()
    if (ready.value) void open()
    return true
  }

  function member(source: LogSource): Member {
    return { source, opened: false, failed: null, log: new LogWindow(loader(request, source.attempt), { pieceBytes: 2 * TAIL, maxPieces: 2, changed }) }
  }

  /** Tell the first failure that lasts, and try again what failed. */
  function report(): void {
    error.value = [...members.values()].find(({ failed }) => failed)?.failed ?? null
    if (error.value) again.later(refresh)
    else again.worked()
  }

  async function attempt(one: Member, work: Promise<void>): Promise<void> {
    try {
      await work
      one.failed = null
    } catch (problem) {
      if (closing.signal.aborted) return
      one.failed = problem
    }
    report()
  }

  async function openOne(one: Member): Promise<void> {
    await attempt(one, one.log.openTail(TAIL, closing.signal))
    one.opened = !one.failed
  }

  async function open(): Promise<void> {
    const queue = [...members.values()].filter(({ opened }) => !opened)
    queue.forEach((one) => (one.opened = true))
    const work = async (): Promise<void> => {
      for (let one = queue.shift(); one && !closing.signal.aborted; one = queue.shift()) await openOne(one)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    ready.value = true
    changed()
  }

  function refresh(): void {
    for (const one of members.values()) if (one.opened && (!one.log.complete || one.failed)) void attempt(one, one.log.refresh())
    void open()
  }

  function build(): MergedLine[] {
    if (builtFor === version.value) return rows
    builtFor = version.value
    shown = [...members.values()]
    rows = merge(shown.map(({ source, log }) => ({ host: source.host_name, startedAt: Date.parse(source.started_at), lines: tailOf(log, mostOf()) })))
    return rows
  }

  function mostOf(): number {
    return Math.max(LEAST_LINES, Math.floor(MOST_LINES / Math.max(1, members.size)))
  }

  function partial(): boolean {
    return [...members.values()].some(({ log }) => log.count > mostOf() || (log.count > 0 && !log.line(0)))
  }

  const hitOf = ({ source, line }: MergedLine): Hit => ({ attempt: shown[source]!.source.attempt, line: line.number })

  async function search(query: string, regex: boolean): Promise<Hits> {
    const pattern = patternOf(query, regex)
    const hits = pattern ? build().filter(({ line }) => line.text.search(pattern) >= 0).map(hitOf) : []
    return { count: hits.length, hits, partial: partial() }
  }

  update(first)
  return {
    version,
    ready,
    error,
    merged: true,
    count: () => build().length,
    complete: () => [...members.values()].every(({ log }) => log.complete),
    row: (index) => {
      const found = build()[index]
      const row = found && rowOf([found.line], found.at - found.line.ms)
      return row && { ...row, host: found.host, first: found.first }
    },
    ensure: () => Promise.resolve(),
    search,
    firstStderr: async () => {
      const found = build().find(({ line }) => line.stream === STDERR)
      return found ? hitOf(found) : null
    },
    indexOf: (hit) => build().findIndex(({ source, line }) => line.number === hit.line && shown[source]!.source.attempt === hit.attempt),
    partial,
    update,
    grow: (id, end) => {
      const one = members.get(id)
      if (one?.opened && ready.value) void attempt(one, one.log.grow(end))
    },
    refresh: () => {
      if (ready.value) refresh()
    },
    open,
    close: () => closing.abort(),
  }
}

function tailOf(log: LogWindow, most: number): Line[] {
  return log.slice(Math.max(0, log.count - most), log.count).flatMap((pieces) => pieces?.slice(0, 1) ?? [])
}
