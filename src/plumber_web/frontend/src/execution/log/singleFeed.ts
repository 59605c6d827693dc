/** One attempt's log: any line of it, from its tail on. */
import { shallowRef } from 'vue'
import { loader, search } from '@/logs/load'
import { LogWindow } from '@/logs/window'
import { useChanges, type FeedParts, type LogFeed, type LogSource } from './feed'
import { rowOf } from './rows'

export function singleFeed(source: LogSource, { request, frame }: FeedParts): LogFeed {
  const { version, changed } = useChanges(frame)
  const ready = shallowRef(false)
  const error = shallowRef<unknown>(null)
  const closing = new AbortController()
  const startedAt = Date.parse(source.started_at)
  const log = new LogWindow(loader(request, source.attempt), { changed })

  async function attempt(work: Promise<void>): Promise<void> {
    try {
      await work
      error.value = null
    } catch (problem) {
      if (!closing.signal.aborted) error.value = problem
    } finally {
      ready.value = true
      changed()
    }
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
    search: (query, regex, signal) => search(request, source.attempt, { q: query, regex, limit: 10_000 }, signal),
    update: (sources) => sources.length === 1 && sources[0]!.attempt === source.attempt,
    grow: (id, end) => {
      if (id === source.attempt && ready.value) void attempt(log.grow(end))
    },
    refresh: () => {
      if (ready.value && !log.complete) void attempt(log.refresh())
    },
    open: () => attempt(log.openTail(64 * 1024, closing.signal)),
    close: () => closing.abort(),
  }
}
