import { describe, expect, it } from 'vitest'
import { spans } from './ansi'
import { STDERR, STDOUT } from './frames'
import { LineAssembler, PART, type Line } from './lines'
import { encode, err, framesOf, out, random, type Written } from './testing'

function all(...written: Written[]): Line[] {
  const lines = new LineAssembler()
  return [...lines.push(framesOf(...written)), ...lines.pending()]
}
const texts = (lines: Line[]) => lines.map((line) => line.text)

describe('lines', () => {
  it('have a number, a stream, and the time of their first byte', () => {
    const lines = all(out('a', 1), err('E\n', 2), out('b\nc', 3))
    expect(lines).toMatchObject([
      { number: 0, stream: STDERR, ms: 2, text: 'E' },
      { number: 1, stream: STDOUT, ms: 1, text: 'ab' },
      { number: 2, stream: STDOUT, ms: 3, text: 'c', open: true },
    ])
  })

  it.each([
    ['10%\r50%\rdone!\n', 'done!'],
    ['100%\r 7%\n', ' 7%%'],
    ['long text\r\x1b[Kok\n', 'ok'],
    ['abc\b\bX\n', 'aXc'],
    ['\b\bx\n', 'x'],
    ['crlf\r\n', 'crlf'],
    ['a\tb\n', 'a       b'],
    ['gone\x1b[2K\rnew\n', 'new '],
  ])('%j is shown as %j', (written, shown) => expect(texts(all(out(written)))[0]!.trimEnd()).toBe(shown.trimEnd()))

  it('may be cut anywhere, within characters and sequences too', () => {
    const bytes = new TextEncoder().encode('你\x1b[1;31m好\x1b]8;;u\x07é👍\x1b[m.\r\n末')
    const whole = all(out(bytes))
    expect(texts(whole)).toEqual(['你好é👍.', '末'])
    for (let cut = 0; cut <= bytes.length; cut++) {
      const lines = all(out(bytes.slice(0, cut)), err('!'), out(bytes.slice(cut)))
      expect(lines.filter((line) => line.stream === STDOUT).map(({ text, runs }) => [text, runs])).toEqual(
        whole.map(({ text, runs }) => [text, runs]),
      )
    }
  })

  it('replace what is not UTF-8', () => expect(texts(all(out(Uint8Array.of(0xff, 65, 0xe5, 10))))).toEqual(['\ufffdA\ufffd']))

  it('carry colours on until they end', () => {
    const lines = all(out('\x1b[31mred\nstill\x1b[0m not\nplain\n'))
    expect(lines.map((line) => spans(line.text, line.runs))).toEqual([
      [{ text: 'red', classes: 'ansi-fg-red' }],
      [{ text: 'still', classes: 'ansi-fg-red' }, { text: ' not', classes: '' }],
      [{ text: 'plain', classes: '' }],
    ])
  })

  it('keep the colours of what is not overwritten', () => {
    const [line] = all(out('\x1b[31mabcdef\r\x1b[32mXY\n'))
    expect(spans(line!.text, line!.runs)).toEqual([
      { text: 'XY', classes: 'ansi-fg-green' },
      { text: 'cdef', classes: 'ansi-fg-red' },
    ])
  })

  it('that never end come in pieces', () => {
    const lines = all(...Array.from({ length: 10 }, () => out('x'.repeat(PART / 2))), out('end\n'), out('after\n'))
    expect(lines.map((line) => line.part)).toEqual([0, 1, 2, 3, 4, 5, 0])
    expect(lines.every((line) => line.text.length <= PART + 1024)).toBe(true)
    expect(texts(lines).join('')).toBe('x'.repeat(PART * 5) + 'endafter')
  })

  it('that a progress bar rewrites do not grow', () => {
    const lines = all(...Array.from({ length: 5000 }, (_, n) => out(`\rstep ${n} ${'.'.repeat(20)}`)))
    expect(texts(lines)).toEqual([`step 4999 ${'.'.repeat(20)}`])
  })

  it('go on from a carry as though nothing had been in between', () => {
    const next = random(3)
    const parts = ['a\n', '\x1b[3', '1mred', '好\n', '\r', 'x', '\x1b[0m', '\n', '\tq']
    const written: Written[] = Array.from({ length: 300 }, () => {
      const data = parts[Math.floor(next() * parts.length)]!
      return next() < 0.3 ? err(data) : out(data)
    })
    const first = new LineAssembler()
    const before = first.push(framesOf(...written.slice(0, 150)))
    const second = new LineAssembler(first.carry)
    const after = second.push(framesOf(...written.slice(150)))
    expect([...before, ...after, ...second.pending()]).toEqual(all(...written))
    expect(encode(...written).length).toBeGreaterThan(0)
  })
})
