import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { LINGER, follow, isAfter, type PlumberEvent } from './events'

class FakeSource extends EventTarget {
  static all: FakeSource[] = []
  onopen?: () => void
  onerror?: () => void
  closed = false
  constructor(readonly url: URL) {
    super()
    FakeSource.all.push(this)
  }
  close(): void {
    this.closed = true
  }
  say(kind: string, id: string): void {
    this.dispatchEvent(new MessageEvent(kind, { lastEventId: id, data: JSON.stringify({ id, kind, data: {} }) }))
  }
  get after(): string | null {
    return this.url.searchParams.get('after')
  }
}
const open = () => FakeSource.all.filter(({ closed }) => !closed)
const last = () => FakeSource.all.at(-1)!
const reader = () => {
  const ids: string[] = []
  return { ids, event: ({ id }: PlumberEvent) => ids.push(id), reset: vi.fn(), connection: vi.fn() }
}

beforeEach(() => {
  vi.useFakeTimers()
  FakeSource.all = []
  vi.stubGlobal('EventSource', FakeSource)
})
afterEach(() => {
  vi.runAllTimers()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('cursors are ordered by their numbers', () => {
  expect(isAfter('2.10', '2.9')).toBe(true)
  expect(isAfter('10.1', '9.5')).toBe(true)
  expect(isAfter('2.9', '2.9')).toBe(false)
  expect(isAfter('2.9', '3.0')).toBe(false)
})

it('followers of one execution share a connection, which ends after the last of them', () => {
  const stops = [follow({ execution: 'a' }, {}), follow({ execution: 'a' }, {}), follow({ execution: 'b' }, {})]
  expect(open()).toHaveLength(2)
  stops[0]!()
  stops[0]!()
  vi.advanceTimersByTime(LINGER)
  expect(open()).toHaveLength(2)
  stops[1]!()
  const again = follow({ execution: 'a' }, {})
  vi.advanceTimersByTime(LINGER)
  expect(FakeSource.all).toHaveLength(2)
  again()
  stops[2]!()
  vi.advanceTimersByTime(LINGER)
  expect(open()).toHaveLength(0)
})

it('who joins later gets what came after its own cursor, once', async () => {
  const [first, second, third] = [reader(), reader(), reader()]
  const stops = [follow({ execution: 'c', after: '1.1' }, first)]
  for (const id of ['1.2', '1.3']) last().say('step.running', id)
  stops.push(follow({ execution: 'c', after: '1.2' }, second))
  await Promise.resolve()
  expect(second.ids).toEqual(['1.3'])
  // Older than what is kept: the connection begins there, and nobody hears twice.
  stops.push(follow({ execution: 'c', after: '1.0' }, third))
  expect(open()).toHaveLength(1)
  expect(last().after).toBe('1.0')
  for (const id of ['1.1', '1.2', '1.3', '1.4']) last().say('step.running', id)
  expect([first.ids, second.ids, third.ids]).toEqual([['1.2', '1.3', '1.4'], ['1.3', '1.4'], ['1.1', '1.2', '1.3', '1.4']])
  stops.forEach((stop) => stop())
})

it('a lost connection goes on from the last event, and a gap is told', () => {
  const one = reader()
  const stop = follow({ execution: 'd' }, one)
  last().say('hello', '1.5')
  last().say('step.running', '1.6')
  last().onerror!()
  expect(one.connection).toHaveBeenLastCalledWith(false)
  vi.advanceTimersByTime(1000)
  expect(last().after).toBe('1.6')
  last().onopen!()
  expect(one.connection).toHaveBeenLastCalledWith(true)
  last().say('hello', '1.6')
  last().say('step.running', '1.6')
  expect(one.reset).not.toHaveBeenCalled()
  expect(one.ids).toEqual(['1.6'])
  last().onerror!()
  vi.advanceTimersByTime(1000)
  last().say('hello', '0.3')
  expect(one.reset).toHaveBeenCalledOnce()
  last().say('step.running', '0.4')
  expect(one.ids).toEqual(['1.6', '0.4'])
  stop()
})

it('who comes before the greeting misses nothing after it', () => {
  const one = reader()
  const stop = follow({ execution: 'e' }, one)
  last().say('hello', '1.5')
  expect(one.reset).not.toHaveBeenCalled()
  last().onerror!()
  vi.advanceTimersByTime(1000)
  expect(last().after).toBe('1.5')
  stop()
})
