/** A log's frames: stream (u8), milliseconds since the start (u32), length (u32), all big endian, then the bytes. */

export const STDOUT = 1
export const STDERR = 2
/** The product's own remarks, never the command's bytes. */
export const SYSTEM = 3
export type Stream = typeof STDOUT | typeof STDERR | typeof SYSTEM

export interface Frame {
  stream: Stream
  /** Milliseconds since the attempt's start. */
  ms: number
  data: Uint8Array
}

export const HEADER = 9
export const MAX_FRAME = 256 * 1024

export interface Decoded {
  frames: Frame[]
  /** How many bytes the whole frames take; what follows them is a cut frame. */
  used: number
}

/** Decode the whole frames in `bytes`, which begin with a frame's first byte. Throws a RangeError for what is none. */
export function decodeFrames(bytes: Uint8Array): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: Frame[] = []
  let used = 0
  while (used + HEADER <= bytes.length) {
    const stream = view.getUint8(used)
    const length = view.getUint32(used + 5)
    if (!isStream(stream) || length > MAX_FRAME) throw new RangeError(`not a frame at ${used}`)
    const stop = used + HEADER + length
    if (stop > bytes.length) break
    frames.push({ stream, ms: view.getUint32(used + 1), data: bytes.subarray(used + HEADER, stop) })
    used = stop
  }
  return { frames, used }
}

function isStream(value: number): value is Stream {
  return value === STDOUT || value === STDERR || value === SYSTEM
}

/** Decodes frames from pieces that may be cut anywhere: a cut frame waits for its rest. */
export class FrameDecoder {
  private rest = new Uint8Array(0)

  /** Return the frames that are whole with this piece. */
  push(piece: ArrayBuffer | Uint8Array): Frame[] {
    const bytes = piece instanceof Uint8Array ? piece : new Uint8Array(piece)
    const all = this.rest.length ? joined(this.rest, bytes) : bytes
    const { frames, used } = decodeFrames(all)
    this.rest = all.slice(used)
    return frames
  }

  /** Bytes of the cut frame at the end so far. */
  get waiting(): number {
    return this.rest.length
  }
}

/** Return two byte sequences as one. */
export function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

/** Count the newlines in frames. */
export function newlines(frames: readonly Frame[]): number {
  let count = 0
  for (const { data } of frames) {
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) count++
  }
  return count
}
