/** A loaded stretch of a log, from one frame's beginning to another's, with its lines. */
import { newlines, type Frame } from './frames'
import { LineAssembler, type Carry, type Line } from './lines'

export class Piece {
  stop: number
  lines: Line[] = []
  /** When it was last looked at, as a count. */
  used = 0
  private frames: Frame[] = []
  private assembler: LineAssembler
  /** It is known what the lines before it had begun. */
  private seam: string | null = null

  constructor(
    readonly offset: number,
    readonly firstLine: number,
    before?: Piece,
  ) {
    this.stop = offset
    this.assembler = new LineAssembler(before ? this.joinedTo(before) : firstLine)
    if (offset === 0) this.seam = ''
  }

  /** Newlines before its end: the number of the line that it ends in. */
  get lastLine(): number {
    return this.assembler.next
  }

  get size(): number {
    return this.stop - this.offset
  }

  /** Add frames that follow its end. */
  extend(frames: readonly Frame[], bytes: number): void {
    this.frames.push(...frames)
    this.stop += bytes
    for (const line of this.assembler.push(frames)) this.lines.push(line)
  }

  /** Go on from what the piece before it left open; returns whether anything changed. */
  follow(before: Piece): boolean {
    const carry = before.carry
    const seam = fingerprint(carry)
    if (seam === this.seam) return false
    this.assembler = new LineAssembler(this.joinedTo(before))
    this.lines = this.assembler.push(this.frames)
    return true
  }

  pending(final = false): Line[] {
    return this.assembler.pending(final)
  }

  /** Return whether the line of this number is here from its beginning, and whole or as long as it is. */
  holds(number: number, isTail: boolean): boolean {
    const begun = number > this.firstLine || (number === this.firstLine && this.seam !== null)
    if (!begun || number < this.lastLine) return begun
    if (isTail) return number < this.lastLine + this.pending().length
    return number === this.lastLine && this.lines.at(-1)?.number === number
  }

  /** Return all that is here of the line of this number. */
  find(number: number): Line[] {
    let low = 0
    let high = this.lines.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.lines[middle]!.number < number) low = middle + 1
      else high = middle
    }
    const found: Line[] = []
    for (let at = low; this.lines[at]?.number === number; at++) found.push(this.lines[at]!)
    return found
  }

  get carry(): Carry {
    return this.assembler.carry
  }

  private joinedTo(before: Piece): Carry {
    const carry = before.carry
    this.seam = fingerprint(carry)
    return carry
  }
}

function fingerprint(carry: Carry): string {
  return JSON.stringify(carry.streams.map((stream) => ({ ...stream, bytes: [...stream.bytes] })))
}

/** Return the frames that lie between two offsets, when the first lies at `offset`, and the newlines before them. */
export function between(frames: readonly Frame[], header: number, offset: number, start: number, stop: number) {
  const kept: Frame[] = []
  const skipped: Frame[] = []
  let bytes = 0
  for (const frame of frames) {
    const length = header + frame.data.length
    if (offset < start) skipped.push(frame)
    else if (offset + length <= stop) {
      kept.push(frame)
      bytes += length
    }
    offset += length
  }
  return { kept, bytes, newlines: newlines(skipped) }
}
