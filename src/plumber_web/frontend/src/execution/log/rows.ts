/** What a row of a log shows, and which lines of a very long log are on the page at a time. */
import type { Run } from '@/logs/ansi'
import type { Stream } from '@/logs/frames'
import type { Line } from '@/logs/lines'

export interface Row {
  /** From 0, in its own attempt's log. */
  number: number
  /** Milliseconds since 1970. */
  at: number
  stream: Stream
  text: string
  runs: readonly Run[]
  /** The rest of an overlong line is left out. */
  cut: boolean
  /** Shown in the gutter when several hosts are merged. */
  host?: string
  /** The row before it is another host's. */
  first?: boolean
}

/** Lines above and below a wanted one that are asked for with it: more than a screen shows. */
export const AROUND = 60
/** Pixels of a row that is not wrapped. */
export const ROW_HEIGHT = 20
/** Lines by which the page moves on; twice as many are on it, below the height that browsers can scroll. */
export const PAGE_STEP = 200_000
/** Pieces of 16 K characters that one row shows. */
const MOST_PARTS = 4

/** Return the line with which the page begins that shows `line` of `count`. */
export function pageOf(line: number, count: number): number {
  const last = Math.max(0, Math.ceil(count / PAGE_STEP) - 2)
  return Math.min(last, Math.max(0, Math.floor(line / PAGE_STEP - 0.5))) * PAGE_STEP
}

/** Return one row for the pieces of a line. */
export function rowOf(pieces: readonly Line[], startedAt: number): Row | undefined {
  const [head] = pieces
  if (!head) return undefined
  const shown = pieces.slice(0, MOST_PARTS)
  let text = ''
  const runs: Run[] = []
  for (const piece of shown) {
    for (const run of piece.runs) runs.push({ at: run.at + text.length, style: run.style })
    text += piece.text
  }
  return { number: head.number, at: startedAt + head.ms, stream: head.stream, text, runs, cut: pieces.length > MOST_PARTS }
}

/** Return the time of day with milliseconds, the browser's own: `09:05:01.007`. */
export function clock(at: number): string {
  const time = new Date(at)
  const part = (value: number, width = 2): string => String(value).padStart(width, '0')
  return `${part(time.getHours())}:${part(time.getMinutes())}:${part(time.getSeconds())}.${part(time.getMilliseconds(), 3)}`
}
