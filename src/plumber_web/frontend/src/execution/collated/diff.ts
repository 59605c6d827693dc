/** How one output differs from another, line by line. */
import { changes, type DiffLine } from '@/diff/lines'

export interface Difference {
  lines: DiffLine[]
  /** Only the first lines were compared. */
  cut: boolean
}

export const MOST_DIFF_LINES = 2000

/** Return what turns `before` into `after`, equal lines included. */
export function difference(before: readonly string[], after: readonly string[], most = MOST_DIFF_LINES): Difference {
  return { lines: changes(before.slice(0, most), after.slice(0, most)), cut: before.length > most || after.length > most }
}
