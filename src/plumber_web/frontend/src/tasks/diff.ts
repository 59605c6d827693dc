/** Two texts side by side, line by line. */
import { changes, folded } from '@/diff/lines'

export interface DiffRow {
  kind: 'same' | 'changed' | 'removed' | 'added' | 'gap'
  left?: { line: number; text: string }
  right?: { line: number; text: string }
  /** Lines that a gap stands for. */
  hidden?: number
}

/** Put what was removed and what was added in its place on one row, as far as they go. */
function pair(rows: DiffRow[], removed: NonNullable<DiffRow['left']>[], added: NonNullable<DiffRow['right']>[]): void {
  for (let k = 0; k < Math.max(removed.length, added.length); k++) {
    const [left, right] = [removed[k], added[k]]
    rows.push({ kind: left && right ? 'changed' : left ? 'removed' : 'added', left, right })
  }
}

export function diffLines(before: string, after: string): DiffRow[] {
  const [left, right] = [before, after].map((text) => text.replace(/\n$/, '').split('\n')) as [string[], string[]]
  const rows: DiffRow[] = []
  let [removed, added]: [NonNullable<DiffRow['left']>[], NonNullable<DiffRow['right']>[]] = [[], []]
  let [i, j] = [0, 0]
  for (const { kind, text } of changes(left, right)) {
    if (kind === 'removed') removed.push({ line: ++i, text })
    else if (kind === 'added') added.push({ line: ++j, text })
    else {
      pair(rows, removed, added)
      ;[removed, added] = [[], []]
      rows.push({ kind: 'same', left: { line: ++i, text }, right: { line: ++j, text } })
    }
  }
  pair(rows, removed, added)
  return rows
}

/** Replace long runs of equal lines by one row; three lines stay around each change. */
export function fold(rows: readonly DiffRow[]): DiffRow[] {
  return folded(rows).map((row) => (typeof row === 'number' ? { kind: 'gap', hidden: row } : row))
}
