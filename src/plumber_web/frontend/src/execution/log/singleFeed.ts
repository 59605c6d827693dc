/** One attempt's log: any line of it, from its tail on. */
import { shallowRef } from 'vue'
import { firstLineOf } from '@/logs/first'
import { STDERR } from '@/logs/frames'
import { loader, search } from '@/logs/load'
import { LogWindow } from '@/logs/window'
import { useChanges, type FeedParts, type LogFeed, type LogSource } from './feed'
import { retries } from './retries'
import { AROUND, rowOf } from './rows'

/** Hits that can be stepped through: as many as the server tells. */
export const MOST_HITS = 100_000

export function singleFeed(source: LogSource, { request, frame }: FeedParts): LogFeed {
  const { version, changed } = useChanges(frame)
  const ready = shallowRef(false)
  const error = shallowRef<unknown>(null)
  const closing = new AbortController()
  const startedAt = Date.parse(source.started_at)
  const load = loader(request, source.attempt)
  const log = new LogWindow(load, { changed })
  const again = retries(closing.signal)
  let opened = false

  async function attempt(work: Promise<void>): Promise<void> {
    try {
      await work
      error.value = null
      again.worked()
    } catch (problem) {
      if (closing.signal.aborted) return
      error.value = problem
      again.later(refresh)
    } finally {
      ready.value = true
      changed()
    }
  }

  /** A wanted line comes first, and is shown before the end is asked for; one that is not there leaves the end. */
  async function openAt(line: number): Promise<void> {
    if (line >= 0) await log.ensure(Math.max(0, line - AROUND), line + AROUND, closing.signal).then(inSight, () => undefined)
    await log.openTail(64 * 1024, closing.signal)
    opened = true
  }

  function inSight(): void {
    ready.value = true
    changed()
  }

  function refresh(): void {
    if (!opened) void attempt(openAt(-1))
    else if (!log.complete || error.value) void attempt(log.refresh())
  }

  return {
    version,
    ready,
    error,
    merged: false,
    count: () => log.count,
    complete: () => log.complete,
    row: (index) => {
      const pieces = log.line(index)
      return pieces && rowOf(pieces, startedAt)
    },
    ensure: (first, stop) => (log.missing(first, stop) ? attempt(log.ensure(first, stop, closing.signal)) : Promise.resolve()),
    search: async (query, regex, signal, most = MOST_HITS) => {
      const { count, hits } = await search(request, source.attempt, { q: query, regex, limit: most }, signal)
      return { count, hits: hits.map((line) => ({ attempt: source.attempt, line })), partial: false }
    },
    firstStderr: async (signal) => {
      const line = await firstLineOf(load, STDERR, signal)
      return line < 0 ? null : { attempt: source.attempt, line }
    },
    indexOf: ({ attempt: id, line }) => (id === source.attempt ? line : -1),
    partial: () => false,
    update: (sources) => sources.length === 1 && sources[0]!.attempt === source.attempt,
    grow: (id, end) => {
      if (id === source.attempt && opened) void attempt(log.grow(end))
    },
    refresh: () => {
      if (ready.value) refresh()
    },
    open: (line = -1) => attempt(openAt(line)),
    close: () => closing.abort(),
  }
}
