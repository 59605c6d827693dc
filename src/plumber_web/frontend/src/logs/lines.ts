/**
 * Lines from frames. A line ends with a newline of its own stream; its number is the count of newlines, of all streams,
 * before that one. Lines without a newline yet are numbered last, in order of streams. The server counts the same way.
 */
import { PLAIN, type Run } from './ansi'
import { STDERR, STDOUT, SYSTEM, joined, type Frame, type Stream } from './frames'
import { isInert, unfinishedAt } from './sanitize'
import { ScreenLine, type ScreenState } from './screen'

export interface Line {
  number: number
  /** 0, or which piece of a line that is longer than `PART`. */
  part: number
  stream: Stream
  /** Milliseconds since the attempt's start when its first byte came. */
  ms: number
  text: string
  runs: readonly Run[]
  /** Its newline has not come yet. */
  open?: true
}

/** Characters of one piece of a line that never ends. */
export const PART = 16 * 1024
const LEAST_WRITE = 1024
const ORDER: readonly Stream[] = [STDOUT, STDERR, SYSTEM]
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

interface StreamState {
  bytes: Uint8Array
  held: string
  screen: ScreenState
  ms: number
  part: number
  open: boolean
}
/** Where assembling stands, so that it can go on from there. */
export interface Carry {
  number: number
  streams: StreamState[]
}

export class LineAssembler {
  private number: number
  private readonly streams: Map<Stream, StreamLines>

  /** Begin with the line of this number, or go on from a carry. */
  constructor(from: number | Carry = 0) {
    this.number = typeof from === 'number' ? from : from.number
    const states = typeof from === 'number' ? [] : from.streams
    this.streams = new Map(ORDER.map((stream, at) => [stream, new StreamLines(stream, states[at])]))
  }

  /** Return the lines, and pieces of long ones, that are whole with these frames. */
  push(frames: readonly Frame[]): Line[] {
    const lines: Line[] = []
    for (const frame of frames) {
      this.number = this.streams.get(frame.stream)!.push(frame, this.number, lines)
    }
    return lines
  }

  /** Return the lines without a newline so far; `final` says that nothing will follow. */
  pending(final = false): Line[] {
    const open = [...this.streams.values()].filter((stream) => stream.open)
    return open.map((stream, at) => stream.pending(this.number + at, final))
  }

  /** How many newlines there were, and with them lines. */
  get next(): number {
    return this.number
  }

  get carry(): Carry {
    return { number: this.number, streams: [...this.streams.values()].map((stream) => stream.state) }
  }
}

class StreamLines {
  open = false
  private bytes: Uint8Array = new Uint8Array(0)
  private held = ''
  private readonly screen = new ScreenLine()
  private ms = 0
  private part = 0

  constructor(
    private readonly stream: Stream,
    state?: StreamState,
  ) {
    if (!state) return
    const { screen, ...rest } = state
    Object.assign(this, rest)
    this.screen.state = screen
  }

  get state(): StreamState {
    const { bytes, held, ms, part, open } = this
    return { bytes, held, ms, part, open, screen: this.screen.state }
  }

  /** Add a frame's lines to `lines`; returns the next line's number. */
  push(frame: Frame, number: number, lines: Line[]): number {
    if (!frame.data.length) return number
    const segments = this.decode(frame.data).split('\n')
    const last = segments.pop()!
    for (const segment of segments) {
      this.start(frame.ms)
      lines.push(this.whole(segment, number, lines))
      number++
      this.open = false
      this.part = 0
    }
    this.start(frame.ms)
    this.write(last, number, lines)
    this.open = frame.data.at(-1) !== 10
    return number
  }

  pending(number: number, final: boolean): Line {
    const screen = new ScreenLine()
    screen.state = this.screen.state
    if (final) screen.write(this.held + decoder.decode(this.bytes))
    return { ...this.line(number, screen.take()), open: true }
  }

  private start(ms: number): void {
    if (!this.open) this.ms = ms
    this.open = true
  }

  private decode(data: Uint8Array): string {
    const all = this.bytes.length ? joined(this.bytes, data) : data
    const whole = wholeUtf8(all)
    this.bytes = all.slice(whole)
    const text = this.held + decoder.decode(all.subarray(0, whole))
    const stop = unfinishedAt(text)
    this.held = text.slice(stop)
    return text.slice(0, stop)
  }

  private whole(segment: string, number: number, lines: Line[]): Line {
    const text = segment.endsWith('\r') ? segment.slice(0, -1) : segment
    if (this.screen.isEmpty && text.length <= PART && isInert(text)) {
      const { style } = this.screen
      return this.line(number, { text, runs: style === PLAIN || !text ? [] : [{ at: 0, style }] })
    }
    this.write(text, number, lines)
    return this.line(number, this.screen.take())
  }

  /** Write text without newlines; whole pieces of a long line leave at once. */
  private write(text: string, number: number, lines: Line[]): void {
    for (let at = 0; at < text.length; ) {
      const stop = safeCut(text, at, at + Math.max(LEAST_WRITE, PART - this.screen.text.length))
      this.screen.write(text.slice(at, stop))
      at = stop
      if (this.screen.text.length < PART) continue
      lines.push(this.line(number, this.screen.take()))
      this.part++
    }
  }

  private line(number: number, shown: { text: string; runs: readonly Run[] }): Line {
    return { number, part: this.part, stream: this.stream, ms: this.ms, ...shown }
  }
}

/** Return where to cut at `stop` or a little before: not within a character or an escape sequence. */
function safeCut(text: string, start: number, stop: number): number {
  if (stop >= text.length) return text.length
  const cut = start + unfinishedAt(text.slice(start, stop))
  const whole = cut > start ? cut : stop
  return whole - start > 1 && /[\ud800-\udbff]/.test(text[whole - 1]!) ? whole - 1 : whole
}

/** Return the length without a character that is cut at the end. */
function wholeUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1
    return byte < 0xf5 && length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}
