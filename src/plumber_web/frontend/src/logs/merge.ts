/** Several attempts' lines as one, in the order in which they came. */
import type { Line } from './lines'

export interface Source {
  /** Shown in the gutter. */
  host: string
  /** When the attempt started, in milliseconds since 1970. */
  startedAt: number
  /** In order of their numbers. */
  lines: readonly Line[]
}
export interface MergedLine {
  host: string
  /** Which source it is from. */
  source: number
  /** Milliseconds since 1970. */
  at: number
  line: Line
  /** The line before it is another host's: the gutter shows the name here. */
  first: boolean
}

/** Interleave lines by time; each source keeps its own order, equal times the order of sources. */
export function merge(sources: readonly Source[]): MergedLine[] {
  const timed = sources.flatMap((source, at) => inOrder(source, at))
  const sorted = timed.sort((left, right) => left.key - right.key || left.source - right.source)
  return sorted.map(({ host, source, at, line }, index) => {
    return { host, source, at, line, first: sorted[index - 1]?.source !== source }
  })
}

type Timed = Omit<MergedLine, 'first'> & { key: number }

/** A line that began early may end late: its place is not before those of lower numbers. */
function inOrder(source: Source, index: number): Timed[] {
  let key = -Infinity
  return source.lines.map((line) => {
    const at = source.startedAt + line.ms
    key = Math.max(key, at)
    return { host: source.host, source: index, at, line, key }
  })
}

/** Return the gutter's width in characters: that of the longest host name, within bounds. */
export function gutterWidth(sources: readonly Pick<Source, 'host'>[], most = 24): number {
  return Math.min(most, sources.reduce((width, { host }) => Math.max(width, cells(host)), 0))
}

/** Characters of East Asia take two cells of a terminal, and of a monospaced font. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u
const cells = (text: string): number => [...text].reduce((width, letter) => width + (WIDE.test(letter) ? 2 : 1), 0)
