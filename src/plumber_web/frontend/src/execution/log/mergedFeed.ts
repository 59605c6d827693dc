/** The last lines of several attempts, merged by time. */
import { shallowRef } from 'vue'
import { loader, type Found } from '@/logs/load'
import { merge, type MergedLine } from '@/logs/merge'
import type { Line } from '@/logs/lines'
import { LogWindow } from '@/logs/window'
import { useChanges, type FeedParts, type LogFeed, type LogSource } from './feed'
import { patternOf } from './highlight'
import { rowOf } from './rows'

/** Lines in all, shared among the attempts. */
const MOST_LINES = 20_000
const LEAST_LINES = 200
const AT_ONCE = 6
const TAIL = 64 * 1024

interface Member {
  source: LogSource
  log: LogWindow
  opened: boolean
}

export function mergedFeed(first: readonly LogSource[], { request, frame }: FeedParts): LogFeed {
  const { version, changed } = useChanges(frame)
  const ready = shallowRef(false)
  const error = shallowRef<unknown>(null)
  const closing = new AbortController()
  const members = new Map<string, Member>()
  let rows: MergedLine[] = []
  let builtFor = -1

  function update(sources: readonly LogSource[]): boolean {
    if (sources.length < 2) return false
    const wanted = new Set(sources.map(({ attempt }) => attempt))
    for (const id of members.keys()) if (!wanted.has(id)) members.delete(id)
    for (const source of sources) if (!members.has(source.attempt)) members.set(source.attempt, member(source))
    if (ready.value) void open()
    return true
  }

  function member(source: LogSource): Member {
    return { source, opened: false, log: new LogWindow(loader(request, source.attempt), { pieceBytes: 2 * TAIL, maxPieces: 2, changed }) }
  }

  async function attempt(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (problem) {
      if (!closing.signal.aborted) error.value = problem
    }
  }

  async function open(): Promise<void> {
    const queue = [...members.values()].filter(({ opened }) => !opened)
    queue.forEach((one) => (one.opened = true))
    const work = async (): Promise<void> => {
      for (let one = queue.shift(); one && !closing.signal.aborted; one = queue.shift()) {
        await attempt(one.log.openTail(TAIL, closing.signal))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    ready.value = true
    changed()
  }

  function build(): MergedLine[] {
    if (builtFor === version.value) return rows
    builtFor = version.value
    const most = Math.max(LEAST_LINES, Math.floor(MOST_LINES / Math.max(1, members.size)))
    rows = merge([...members.values()].map(({ source, log }) => ({ host: source.host_name, startedAt: Date.parse(source.started_at), lines: tailOf(log, most) })))
    return rows
  }

  async function search(query: string, regex: boolean): Promise<Found> {
    const pattern = patternOf(query, regex)
    const hits = pattern ? build().flatMap(({ line }, at) => (line.text.search(pattern) >= 0 ? [at] : [])) : []
    return { count: hits.length, hits, truncated: false, complete: true }
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
    update,
    grow: (id, end) => {
      const one = members.get(id)
      if (one?.opened) void attempt(one.log.grow(end))
    },
    refresh: () => {
      for (const { log, opened } of members.values()) if (opened && !log.complete) void attempt(log.refresh())
    },
    open,
    close: () => closing.abort(),
  }
}

function tailOf(log: LogWindow, most: number): Line[] {
  return log.slice(Math.max(0, log.count - most), log.count).flatMap((pieces) => pieces?.slice(0, 1) ?? [])
}
