import { describe, expect, it } from 'vitest'
import { loader, search } from './load'
import { FakeLog, err, out, random } from './testing'
import { LogWindow } from './window'

/** A log of `rows` rows, with `each` lines in each. */
function numbered(rows: number, each = 10): FakeLog {
  const log = new FakeLog()
  for (let row = 0; row < rows; row++) {
    log.append(...Array.from({ length: each }, (_, at) => out(`line ${row * each + at}\n`, row)))
  }
  return log
}
const text = (window: LogWindow, number: number) => window.line(number)?.map((part) => part.text).join('')

describe('LogWindow', () => {
  it('opens at the tail with one request and knows how many lines there are', async () => {
    const log = numbered(1000)
    const window = new LogWindow(log.load, { pieceBytes: 1000 })
    await window.openTail(500)
    expect(log.asked).toEqual([{ tail: 500 }])
    expect([window.count, window.end]).toEqual([10_000, log.end])
    expect(text(window, 9999)).toBe('line 9999')
    expect(window.line(5000)).toBeUndefined()
  })

  it('reaches any line by one request, and keeps a bounded number of pieces', async () => {
    const log = numbered(1000)
    const window = new LogWindow(log.load, { pieceBytes: 1000, maxPieces: 4 })
    await window.openTail(100)
    const next = random(5)
    for (let round = 0; round < 200; round++) {
      const wanted = Math.floor(next() * 10_000)
      const before = log.asked.length
      await window.ensure(wanted, wanted + 1)
      expect(text(window, wanted)).toBe(`line ${wanted}`)
      expect(log.asked.length - before).toBeLessThanOrEqual(1)
      expect(window.loadedBytes).toBeLessThan(4 * 2000)
    }
  })

  it('shows a range over several pieces, scrolled up from the tail, without a gap or a repeat', async () => {
    const log = numbered(200)
    const window = new LogWindow(log.load, { pieceBytes: 600 })
    await window.openTail(300)
    for (let first = 1990; first >= 1900; first -= 10) {
      await window.ensure(first, first + 20)
      expect(window.missing(first, first + 20)).toBeNull()
      const shown = window.slice(first, first + 20).map((parts) => parts!.map((part) => part.text))
      expect(shown).toEqual(Array.from({ length: Math.min(20, 2000 - first) }, (_, at) => [`line ${first + at}`]))
    }
  })

  it('keeps once what pieces have in common', async () => {
    const log = numbered(20)
    const window = new LogWindow(log.load, { pieceBytes: 4 * 1500 })
    await window.ensure(0, 1)
    await window.openTail(log.end - 700)
    expect(window.loadedBytes).toBe(log.end)
    const shown = window.slice(0, 200).map((parts) => parts!.map((part) => part.text))
    expect(shown).toEqual(Array.from({ length: 200 }, (_, at) => [`line ${at}`]))
  })

  it('joins a line whose beginning is in the piece before', async () => {
    const log = new FakeLog()
    log.append(out('\x1b[31mzero\nfirst ha'))
    log.append(out('lf\nlast\n'))
    const window = new LogWindow(log.load, { pieceBytes: 5 })
    await window.openTail(5)
    expect(window.line(1)).toBeUndefined()
    await window.ensure(0, 3)
    expect([0, 1, 2].map((number) => text(window, number))).toEqual(['zero', 'first half', 'last'])
    expect(window.line(2)![0]!.runs).toHaveLength(1)
  })

  it('appends growth without asking again for what it has', async () => {
    const log = numbered(3)
    const window = new LogWindow(log.load)
    await window.openTail()
    const before = log.end
    log.append(out('gro'))
    await window.grow(log.end)
    expect([window.count, text(window, 30)]).toEqual([31, 'gro'])
    const middle = log.end
    log.append(out('wn\n'))
    await window.grow(log.end)
    await window.grow(middle)
    expect([window.count, text(window, 30)]).toEqual([31, 'grown'])
    expect(log.asked.slice(1)).toEqual([{ offset: before }, { offset: middle }])
  })

  it('goes on from its offset after the connection was away', async () => {
    const log = numbered(2)
    let broken = false
    const load: typeof log.load = (...values) => (broken ? Promise.reject(new Error('away')) : log.load(...values))
    const window = new LogWindow(load)
    await window.openTail()
    broken = true
    log.append(out('while away\n'))
    await expect(window.grow(log.end)).rejects.toThrow('away')
    log.append(out('and after\n'))
    log.complete = true
    broken = false
    await window.refresh()
    expect(window.slice(18, 99).map((parts) => parts![0]!.text)).toEqual(['line 18', 'line 19', 'while away', 'and after'])
    expect(window.complete).toBe(true)
  })

  it('takes hints that come while it loads', async () => {
    const log = numbered(1)
    const window = new LogWindow(log.load)
    await window.openTail()
    const loads = []
    for (let n = 0; n < 50; n++) {
      log.append(out(`more ${n}\n`))
      loads.push(window.grow(log.end))
    }
    await Promise.all(loads)
    expect([window.count, text(window, 59)]).toEqual([60, 'more 49'])
    expect(log.asked.length).toBeLessThan(10)
  })

  it('only counts growth while the tail is not loaded', async () => {
    const log = numbered(100)
    const window = new LogWindow(log.load, { pieceBytes: 100, maxPieces: 2 })
    await window.openTail(50)
    for (const line of [10, 300, 600]) await window.ensure(line, line + 1)
    const asked = log.asked.length
    log.append(out('new\n'))
    await window.grow(log.end)
    expect(log.asked.length).toBe(asked)
    await window.refresh()
    expect(window.count).toBe(1001)
    await window.ensure(1000, 1001)
    expect(text(window, 1000)).toBe('new')
  })

  it('jumps to the tail when it is too far behind', async () => {
    const log = numbered(1)
    const window = new LogWindow(log.load, { pieceBytes: 200, maxPieces: 2 })
    await window.openTail()
    for (let n = 0; n < 100; n++) log.append(out(`more ${n}\n`))
    await window.grow(log.end)
    expect(text(window, 109)).toBe('more 99')
    expect(log.asked.length).toBeLessThan(6)
  })

  it('shows lines of both streams that are open at the end', async () => {
    const log = new FakeLog()
    log.append(out('a\nout'), err('err'))
    const window = new LogWindow(log.load)
    await window.openTail()
    expect(window.slice(0, 9).map((parts) => parts![0]!.text)).toEqual(['a', 'out', 'err'])
  })

  it('shows a line that never ends, at its beginning and at its end', async () => {
    const log = new FakeLog()
    for (let row = 0; row < 40; row++) log.append(out(String(row % 10).repeat(20_000)))
    const window = new LogWindow(log.load, { pieceBytes: 20_000, maxPieces: 3 })
    await window.openTail(30_000)
    await window.ensure(0, 1)
    expect(window.count).toBe(1)
    expect(text(window, 0)!.startsWith('000')).toBe(true)
    expect(text(window, 0)!.endsWith('999')).toBe(true)
    expect(log.asked.length).toBeLessThan(6)
  })

  it('tells that an empty log is empty', async () => {
    const window = new LogWindow(new FakeLog().load)
    await window.openTail()
    expect([window.count, window.missing(0, 10), window.atTail]).toEqual([0, null, true])
  })
})

describe('loading', () => {
  it('reads places from the headers', async () => {
    const asked: string[] = []
    const headers = { 'plumber-log-offset': '13', 'plumber-log-line': '2', 'plumber-log-end': '20', 'plumber-log-lines': '5', 'plumber-log-complete': 'true' }
    const load = loader(async (path) => {
      asked.push(path)
      return new Response(Uint8Array.of(1), { headers })
    }, 'a/1')
    expect(await load({ line: 4 }, 99)).toEqual({ data: Uint8Array.of(1), offset: 13, line: 2, end: 20, lines: 5, complete: true })
    expect(asked).toEqual(['/logs/a%2F1?format=frames&limit=99&line=4'])
  })

  it('searches', async () => {
    const found = { count: 1, hits: [3], truncated: false, complete: true }
    let path = ''
    const answer = await search(async (asked) => ((path = asked), Response.json(found)), 'at', { q: 'a b&c', regex: true, case: true, limit: 5 })
    expect([answer, path]).toEqual([found, '/logs/at/search?q=a+b%26c&regex=true&case=true&limit=5'])
  })
})
