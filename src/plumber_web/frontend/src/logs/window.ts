/** A window into a log of any size: some pieces are loaded, any line is one request away, and growth is appended. */
import { HEADER, decodeFrames } from './frames'
import type { Line } from './lines'
import type { Load, Place, Slice } from './load'
import { Piece, between } from './piece'

const JUMP_SHARE = 4

export interface Options {
  /** Bytes asked for at a time. */
  pieceBytes?: number
  /** Pieces kept; the least recently shown go first. */
  maxPieces?: number
  /** Called after every change. */
  changed?: () => void
}

export class LogWindow {
  /** How far the log is known to reach, in bytes. */
  end = 0
  /** Newlines so far. */
  lines = 0
  /** Nothing will follow. */
  complete = false
  private pieces: Piece[] = []
  private open = 0
  private clock = 0
  private following = false
  private known = false
  private catching: Promise<void> | null = null
  private readonly pieceBytes: number
  private readonly maxPieces: number
  private readonly changed: () => void

  constructor(
    private readonly load: Load,
    options: Options = {},
  ) {
    this.pieceBytes = options.pieceBytes ?? 512 * 1024
    this.maxPieces = options.maxPieces ?? 8
    this.changed = options.changed ?? (() => undefined)
  }

  /** How many lines there are, those without a newline included. */
  get count(): number {
    return this.lines + this.open
  }

  /** Bytes in memory. */
  get loadedBytes(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.size, 0)
  }

  /** Whether everything up to the known end follows without a gap from some loaded piece. */
  get atTail(): boolean {
    return this.tail?.stop === this.end || this.end === 0
  }

  /** Return the pieces of line `number` (one, unless it is very long), or undefined when it is not loaded. */
  line(number: number): Line[] | undefined {
    if (!this.holds(number)) return undefined
    const found: Line[] = []
    for (const piece of this.pieces) {
      if (number < piece.firstLine || number > piece.lastLine) continue
      piece.used = ++this.clock
      found.push(...piece.find(number))
    }
    if (number >= this.lines && this.tail) {
      found.push(...this.tail.pending(this.complete).filter((line) => line.number === number))
    }
    return found
  }

  /** Return lines `first` to before `stop`; undefined stands for one that is not loaded. */
  slice(first: number, stop: number): (Line[] | undefined)[] {
    return Array.from({ length: Math.max(0, Math.min(stop, this.count) - first) }, (_, at) => this.line(first + at))
  }

  /** Return what to load next for these lines, or null when all are there. */
  missing(first: number, stop: number): Place | null {
    if (!this.known) return { line: first }
    for (let number = first; number < Math.min(stop, this.count); number++) {
      if (this.holds(number)) continue
      const before = this.pieces.findLast((piece) => piece.lastLine === number && piece.firstLine < number)
      const offset = before?.stop ?? 0
      if (before && offset < this.end && !this.pieces.some((piece) => piece.offset === offset)) return { offset }
      return { line: Math.min(number, this.lines) }
    }
    return null
  }

  /** Load until these lines are there. Throws what loading throws, at first also for a line that is not there. */
  async ensure(first: number, stop: number, signal?: AbortSignal): Promise<void> {
    let place = this.missing(first, stop)
    for (let tries = 0; place && tries < this.maxPieces; tries++) {
      // A jump wants a screen at once; reading on from there wants more.
      const bytes = 'line' in place ? Math.ceil(this.pieceBytes / JUMP_SHARE) : this.pieceBytes
      this.accept(await this.load(place, bytes, signal))
      const next = this.missing(first, stop)
      if (JSON.stringify(next) === JSON.stringify(place)) return
      place = next
    }
  }

  /** Load the last bytes; from then on growth is followed. */
  async openTail(bytes = 64 * 1024, signal?: AbortSignal): Promise<void> {
    this.accept(await this.load({ tail: bytes }, this.pieceBytes, signal))
    this.following = true
    await this.catchUp()
  }

  /** The log is known to reach this far: load what is new, when the end is loaded. Hints may repeat or come late. */
  async grow(end: number): Promise<void> {
    this.end = Math.max(this.end, end)
    if (this.following) await this.catchUp()
    else this.changed()
  }

  /** Ask how far the log goes, after a reconnect or when its command ended; goes on from where this window stands. */
  async refresh(): Promise<void> {
    this.know(await this.load({ offset: this.end }, 1))
    if (this.following) await this.catchUp()
    this.changed()
  }

  private catchUp(): Promise<void> {
    this.catching ??= this.follow().finally(() => (this.catching = null))
    return this.catching
  }

  private async follow(): Promise<void> {
    for (let at = this.tail?.stop ?? 0; at < this.end; at = this.tail?.stop ?? 0) {
      const far = this.end - at > this.maxPieces * this.pieceBytes
      const place = far ? { tail: this.pieceBytes } : { offset: at }
      this.accept(await this.load(place, this.pieceBytes))
      if ((this.tail?.stop ?? 0) <= at) return
    }
  }

  private get tail(): Piece | undefined {
    return this.pieces.at(-1)
  }

  private holds(number: number): boolean {
    return this.pieces.some((piece) => piece.holds(number, piece.stop === this.end))
  }

  private know(slice: Slice): void {
    this.known = true
    this.end = Math.max(this.end, slice.end)
    this.lines = Math.max(this.lines, slice.lines)
    this.complete ||= slice.complete
  }

  private accept(slice: Slice): void {
    this.know(slice)
    this.insert(slice)
    const tail = this.tail
    if (tail?.stop === this.end) {
      this.following = true
      this.lines = Math.max(this.lines, tail.lastLine)
      this.open = tail.pending().length
    }
    this.evict()
    this.changed()
  }

  /** Keep what no other piece holds. */
  private insert(slice: Slice): void {
    const inside = this.pieces.find((piece) => piece.offset <= slice.offset && slice.offset < piece.stop)
    const start = inside?.stop ?? slice.offset
    const after = this.pieces.find((piece) => piece.offset >= start)
    const { frames } = decodeFrames(slice.data)
    const part = between(frames, HEADER, slice.offset, start, after?.offset ?? Infinity)
    if (!part.bytes) return
    const before = this.pieces.find((piece) => piece.stop === start)
    const grows = before !== undefined && before.size + part.bytes <= this.pieceBytes
    const piece = grows ? before : new Piece(start, slice.line + part.newlines, before)
    piece.extend(part.kept, part.bytes)
    piece.used = ++this.clock
    if (!grows) this.pieces.push(piece)
    this.pieces.sort((left, right) => left.offset - right.offset)
    this.join(piece)
  }

  /** Let the pieces that follow without a gap go on from this one. */
  private join(piece: Piece): void {
    for (let at = this.pieces.indexOf(piece) + 1; at < this.pieces.length; at++) {
      const [before, next] = [this.pieces[at - 1]!, this.pieces[at]!]
      if (before.stop !== next.offset || !next.follow(before)) return
    }
  }

  private evict(): void {
    while (this.pieces.length > this.maxPieces) {
      const oldest = this.pieces.reduce((left, right) => (left.used <= right.used ? left : right))
      if (oldest === this.tail) this.following = false
      this.pieces.splice(this.pieces.indexOf(oldest), 1)
    }
  }
}
