import { describe, expect, it } from 'vitest'
import { spans } from './ansi'
import { LineAssembler } from './lines'
import { reveal, sanitize } from './sanitize'
import { framesOf, out, random } from './testing'

const DANGEROUS = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]/u
const LONE = /\p{Surrogate}/u

describe('sanitize', () => {
  it.each([
    ['a\x1b]8;;https://evil.test\x1b\\click\x1b]8;;\x07 b', 'aclick b'],
    ['\x1b]0;title\x07x', 'x'],
    ['\x1bP1;2|data\x1b\\x', 'x'],
    ['\x1b[2J\x1b[10;3Hx\x1b[?25l\x1b[0c', 'x'],
    ['\x1b(Bx\x1bM\x1bc', 'x'],
    ['\x1b[31mred\x1b[0m', 'red'],
    ['a\x00b\x07\x7f', 'a\u2400b\u2407\u2421'],
    ['\u202egpj.exe\u2069\u200f', '⟨U+202E⟩gpj.exe⟨U+2069⟩⟨U+200F⟩'],
    ['\x9b31mx\x9d', '⟨U+009B⟩31mx⟨U+009D⟩'],
    ['a\tb', 'a       b'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
    ['家 👩‍💻', '家 👩‍💻'],
  ])('%j is shown as %j', (text, shown) => expect(sanitize(text)).toBe(shown))

  it('does not let an unfinished sequence hide what follows', () => {
    expect(sanitize('\x1b]8;;http://x and the rest')).toBe('\u241b]8;;http://x and the rest')
    expect(sanitize('\x1b]0;never ended\nnext\x07')).toContain('next')
  })

  it('leaves nothing of what sequences are built from when their removal joins others', () => {
    expect(sanitize('\x1b\x1b[31m[31mx')).not.toMatch(DANGEROUS)
    expect(reveal('\ud800x')).toBe('\ufffdx')
  })
})

const PARTS = ['\x1b', '[', ']', '31m', '8;;u', '\x07', '\\', '\r', '\b', '\t', '\u202e', '\u2066', 'K', 'P', 'x', '好', '\x9b', '\x00']

describe('any bytes', () => {
  it('become text without control or bidirectional characters', () => {
    const next = random(7)
    for (let round = 0; round < 3000; round++) {
      const text = Array.from({ length: 1 + next() * 12 }, () => PARTS[Math.floor(next() * PARTS.length)]).join('')
      expect(sanitize(text)).not.toMatch(DANGEROUS)
    }
  })

  it('become lines without them, whatever the cuts', () => {
    const next = random(11)
    for (let round = 0; round < 1500; round++) {
      const lines = new LineAssembler()
      const shown = Array.from({ length: 4 }, () => lines.push(framesOf(out(anything(next))))).flat()
      for (const line of [...shown, ...lines.pending(true)]) {
        expect(line.text).not.toMatch(DANGEROUS)
        expect(line.text).not.toMatch(LONE)
        const whole = spans(line.text, line.runs).map((span) => span.text).join('')
        expect(whole).toBe(line.text)
      }
    }
  })
})

function anything(next: () => number): Uint8Array {
  if (next() < 0.5) return Uint8Array.from({ length: next() * 40 }, () => next() * 256)
  const parts = Array.from({ length: next() * 15 }, () => (next() < 0.1 ? '\n' : PARTS[Math.floor(next() * PARTS.length)]))
  return new TextEncoder().encode(parts.join(''))
}
