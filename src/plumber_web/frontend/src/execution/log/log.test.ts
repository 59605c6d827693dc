import { describe, expect, it, vi } from 'vitest'
import { spans } from '@/logs/ansi'
import { firstLineOf } from '@/logs/first'
import { FakeLog, err, out } from '@/logs/testing'
import type { LogSource } from './feed'
import { marked, patternOf } from './highlight'
import { mergedFeed } from './mergedFeed'
import { PAGE_STEP, clock, pageOf, rowOf } from './rows'
import { singleFeed } from './singleFeed'
import { gather } from './useLogLive'

const now = (run: () => void): void => run()
const source = (attempt: string, second = 0): LogSource => ({ attempt, step: 0, host: attempt, host_name: `host-${attempt}`, number: 1, started_at: `2026-01-01T00:00:0${second}Z`, log_end: 0, log_complete: false })

/** Answers as the server does, from logs in memory. */
function requestOf(logs: Record<string, FakeLog>, broken = new Set<string>()) {
  return async (path: string): Promise<Response> => {
    const url = new URL(path, 'http://plumber.test')
    if (broken.has(url.pathname.split('/')[2]!)) throw new Error('away')
    const [key, value] = [...url.searchParams].find(([name]) => ['offset', 'line', 'tail'].includes(name))!
    const slice = await logs[url.pathname.split('/')[2]!]!.load({ [key]: Number(value) } as never, Number(url.searchParams.get('limit')))
    const headers = Object.fromEntries(['offset', 'line', 'end', 'lines', 'complete'].map((name) => [`plumber-log-${name}`, String(slice[name as keyof typeof slice])]))
    return new Response(slice.data.slice() as never, { headers })
  }
}

describe('the page of a long log', () => {
  it('is the whole log while it can be scrolled', () => expect(pageOf(2 * PAGE_STEP - 1, 2 * PAGE_STEP)).toBe(0))
  it('holds the line with room around it', () => {
    for (const line of [0, 99_999, 300_000, 650_001, 4_999_999]) {
      const base = pageOf(line, 5_000_000)
      expect(base).toBeLessThanOrEqual(line)
      expect(line - base).toBeLessThan(2 * PAGE_STEP)
    }
  })
})

it('the time of day has milliseconds', () => expect(clock(new Date(2026, 0, 1, 9, 5, 1, 7).getTime())).toBe('09:05:01.007'))

it('a row is a line with all its pieces, up to some', () => {
  const line = { number: 3, part: 0, stream: 1 as const, ms: 5, text: 'ab', runs: [] }
  expect(rowOf([line, { ...line, part: 1 }], 1000)).toMatchObject({ number: 3, at: 1005, text: 'abab', cut: false })
  expect(rowOf(Array(9).fill(line), 0)).toMatchObject({ text: 'abababab', cut: true })
  expect(rowOf([], 0)).toBeUndefined()
})

describe('hits', () => {
  it('are marked across looks', () => {
    const parts = marked([{ text: 'xab', classes: 'r' }, { text: 'cd', classes: '' }], patternOf('ABC', false))
    expect(parts.map(({ text, hit }) => [text, hit])).toEqual([['x', false], ['ab', true], ['c', true], ['d', false]])
  })
  it('take characters as they are unless they are a regular expression', () => {
    expect(marked(spans('a.b axb', []), patternOf('a.b', false)).filter(({ hit }) => hit)).toHaveLength(1)
    expect(marked(spans('a.b axb', []), patternOf('a.b', true)).filter(({ hit }) => hit)).toHaveLength(2)
    expect(patternOf('(', true)).toBeNull()
    expect(marked(spans('abc', []), patternOf('x*', true))).toEqual([{ text: 'abc', classes: '', hit: false }])
  })
})

it('hints are told once a picture, the furthest of each attempt', () => {
  const frames: (() => void)[] = []
  const grown = vi.fn()
  const hint = gather(grown, (run) => frames.push(run))
  hint('a', 5)
  hint('a', 3)
  hint('b', 1)
  expect(frames).toHaveLength(1)
  frames[0]!()
  expect(grown.mock.calls).toEqual([['a', 5], ['b', 1]])
  hint('a', 9)
  expect(frames).toHaveLength(2)
})

describe('feeds', () => {
  it('of one attempt open at the tail and grow', async () => {
    const log = new FakeLog()
    log.append(out('one\n'), err('two\n', 7))
    const feed = singleFeed(source('a'), { request: requestOf({ a: log }), frame: now })
    await feed.open()
    expect(feed.row(1)).toMatchObject({ text: 'two', stream: 2, at: Date.parse('2026-01-01T00:00:00Z') + 7 })
    log.append(out('three\n'))
    feed.grow('b', 1)
    feed.grow('a', log.end)
    await vi.waitFor(() => expect(feed.row(2)?.text).toBe('three'))
    expect(feed.update([source('a')])).toBe(true)
    expect(feed.update([source('c')])).toBe(false)
  })

  it('of one attempt show a wanted line before the end is read', async () => {
    const log = new FakeLog()
    for (let row = 0; row < 300; row++) log.append(out('line\n'.repeat(1000), row))
    const request = requestOf({ a: log })
    const feed = singleFeed(source('a'), { request: (path) => (path.includes('tail=') ? new Promise(() => undefined) : request(path)), frame: now })
    void feed.open(150_000)
    await vi.waitFor(() => expect(feed.ready.value).toBe(true))
    expect([feed.row(150_000)?.text, feed.count()]).toEqual(['line', 300_000])
  })

  it('of several are merged by time and take in another', async () => {
    const logs = { a: new FakeLog(), b: new FakeLog(), c: new FakeLog() }
    logs.a.append(out('a1\n', 0), out('a2\n', 3000))
    logs.b.append(out('b1\n', 500))
    logs.c.append(out('c1\n', 0))
    const feed = mergedFeed([source('a'), source('b', 1)], { request: requestOf(logs), frame: now })
    await feed.open()
    const texts = () => Array.from({ length: feed.count() }, (_, at) => feed.row(at)!.text)
    expect(texts()).toEqual(['a1', 'b1', 'a2'])
    expect(feed.row(1)).toMatchObject({ host: 'host-b', first: true })
    expect(await feed.search('A', false, new AbortController().signal)).toMatchObject({ count: 2, hits: [{ attempt: 'a', line: 0 }, { attempt: 'a', line: 1 }] })
    expect(feed.update([source('a'), source('b', 1), source('c', 2)])).toBe(true)
    await vi.waitFor(() => expect(texts()).toEqual(['a1', 'b1', 'c1', 'a2']))
  })

  it('try again what could not be read, until it can', async () => {
    vi.useFakeTimers()
    try {
      const logs = { a: new FakeLog(), b: new FakeLog() }
      logs.a.append(out('a1\n'))
      logs.b.append(out('b1\n', 500))
      const broken = new Set(['b'])
      const request = requestOf(logs, broken)
      const feeds = [mergedFeed([source('a'), source('b')], { request, frame: now }), singleFeed(source('b'), { request, frame: now })]
      await Promise.all(feeds.map((feed) => feed.open()))
      const counts = () => feeds.map((feed) => feed.count())
      expect([counts(), feeds.every(({ error, ready }) => error.value && ready.value)]).toEqual([[1, 0], true])
      await vi.advanceTimersByTimeAsync(1500)
      expect(counts()).toEqual([1, 0])
      broken.clear()
      await vi.advanceTimersByTimeAsync(4000)
      expect([counts(), feeds.map(({ error }) => error.value)]).toEqual([[2, 1], [null, null]])
      logs.b.append(out('b2\n', 600))
      feeds.forEach((feed) => feed.grow('b', logs.b.end))
      await vi.advanceTimersByTimeAsync(1)
      expect(counts()).toEqual([3, 2])
    } finally {
      vi.useRealTimers()
    }
  })

  it('find a hit again after lines came before it', async () => {
    const logs = { a: new FakeLog(), b: new FakeLog() }
    logs.a.append(out('a1\n', 0))
    logs.b.append(out('here\n', 5000), err('oh\n', 6000))
    const feed = mergedFeed([source('a'), source('b')], { request: requestOf(logs), frame: now })
    await feed.open()
    const { hits, partial } = await feed.search('here', false, new AbortController().signal)
    expect([feed.indexOf(hits[0]!), partial, feed.partial()]).toEqual([1, false, false])
    logs.a.append(out('a2\na3\n', 10))
    feed.grow('a', logs.a.end)
    await vi.waitFor(() => expect(feed.count()).toBe(5))
    expect(feed.indexOf(hits[0]!)).toBe(3)
    expect(await feed.firstStderr(new AbortController().signal)).toEqual({ attempt: 'b', line: 1 })
  })

  it('say when only the last lines are in them', async () => {
    const logs = { a: new FakeLog(), b: new FakeLog() }
    logs.b.append(out('b\n'))
    for (let row = 0; row < 12; row++) logs.a.append(out('line\n'.repeat(1000), row))
    const feed = mergedFeed([source('a'), source('b')], { request: requestOf(logs), frame: now })
    await feed.open()
    expect(await feed.search('line', false, new AbortController().signal)).toMatchObject({ count: 10_000, partial: true })
  })
})

it('the first line of standard error is found from the beginning', async () => {
  const log = new FakeLog()
  for (let row = 0; row < 50; row++) log.append(out('line\n'.repeat(20)))
  log.append(out('begun '), err('broken '), out('and ended\n'), err('pipe\n'))
  const load: typeof log.load = (place, _, signal) => log.load(place, 100, signal)
  expect(await firstLineOf(load, 2)).toBe(1001)
  expect(await firstLineOf(load, 2, undefined, 500)).toBe(-1)
  expect(await firstLineOf(load, 3)).toBe(-1)
  const open = new FakeLog()
  open.append(out('line\n'), err('no newline'))
  expect(await firstLineOf(open.load, 2)).toBe(1)
})
