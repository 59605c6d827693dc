/** Look for the first line of a stream from the beginning of a log. */
import { decodeFrames, type Stream } from './frames'
import { LineAssembler } from './lines'
import type { Load } from './load'

const PIECE = 512 * 1024
/** Bytes that are read at most. */
const MOST = 16 * 1024 * 1024

/** Return its number, or -1 when there is none within the first `most` bytes. */
export async function firstLineOf(load: Load, stream: Stream, signal?: AbortSignal, most = MOST): Promise<number> {
  const lines = new LineAssembler()
  const found = (list: readonly { stream: Stream; number: number }[]): number => list.find((line) => line.stream === stream)?.number ?? -1
  for (let at = 0; at < most; ) {
    const { data, end } = await load({ offset: at }, PIECE, signal)
    const { frames, used } = decodeFrames(data)
    const number = found(lines.push(frames))
    if (number >= 0) return number
    at += used
    if (!used || at >= end) break
  }
  return found(lines.pending())
}
