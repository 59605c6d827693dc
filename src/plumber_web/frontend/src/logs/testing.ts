/** For tests: frames as the server writes them, and a server's log in memory. */
import { STDERR, STDOUT, decodeFrames, newlines, type Frame, type Stream } from './frames'
import type { Load, Place } from './load'

export type Written = [stream: Stream, data: string | Uint8Array, ms?: number]

/** Encode frames. */
export function encode(...written: Written[]): Uint8Array<ArrayBuffer> {
  const parts = written.map(([stream, data, ms = 0]) => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    const frame = new Uint8Array(9 + bytes.length)
    const view = new DataView(frame.buffer)
    view.setUint8(0, stream)
    view.setUint32(1, ms)
    view.setUint32(5, bytes.length)
    frame.set(bytes, 9)
    return frame
  })
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export const out = (data: string | Uint8Array, ms = 0): Written => [STDOUT, data, ms]
export const err = (data: string | Uint8Array, ms = 0): Written => [STDERR, data, ms]

/** Return frames. */
export const framesOf = (...written: Written[]): Frame[] => decodeFrames(encode(...written)).frames

/** Repeatable random numbers below 1. */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A log in rows that answers as the server does: whole rows until the limit, from a frame or a line's row on. */
export class FakeLog {
  readonly asked: Place[] = []
  complete = false
  private rows: { start: number; line: number; bytes: Uint8Array }[] = []
  end = 0
  lines = 0

  append(...written: Written[]): void {
    const bytes = encode(...written)
    this.rows.push({ start: this.end, line: this.lines, bytes })
    this.end += bytes.length
    this.lines += newlines(decodeFrames(bytes).frames)
  }

  get load(): Load {
    return async (place, limit) => {
      this.asked.push(place)
      const [offset, row] = this.find(place)
      let taken = new Uint8Array(0)
      for (const next of this.rows.slice(row)) {
        if (taken.length && next.start - offset >= limit) break
        taken = new Uint8Array([...taken, ...next.bytes])
      }
      const first = this.rows[row]
      const skip = first ? this.skip(first.bytes, offset - first.start, 'tail' in place) : 0
      const line = first ? first.line + newlines(decodeFrames(first.bytes.subarray(0, skip)).frames) : this.lines
      const { end, lines, complete } = this
      return { data: taken.subarray(skip), offset: (first?.start ?? end) + skip, line, end, lines, complete }
    }
  }

  private find(place: Place): [number, number] {
    if ('line' in place) {
      const row = Math.max(0, this.rows.findLastIndex(({ line }) => line < place.line))
      return [this.rows[row]?.start ?? 0, row]
    }
    const offset = 'tail' in place ? Math.max(0, this.end - place.tail) : place.offset
    if (offset >= this.end) return [this.end, this.rows.length]
    return [offset, this.rows.findLastIndex(({ start }) => start <= offset)]
  }

  private skip(bytes: Uint8Array, wanted: number, nearest: boolean): number {
    const { used } = decodeFrames(bytes.subarray(0, wanted))
    if (!nearest && used !== wanted) throw new Error('it is inside a frame')
    return used
  }
}
