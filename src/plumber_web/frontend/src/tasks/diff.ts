/** Two texts side by side, line by line (longest common subsequence). */
export interface DiffRow {
  kind: 'same' | 'changed' | 'removed' | 'added' | 'gap'
  left?: { line: number; text: string }
  right?: { line: number; text: string }
  /** Lines that a gap stands for. */
  hidden?: number
}

/** Beyond this many comparisons the texts are told as all removed, all added: memory stays small. */
const MAX_CELLS = 9_000_000

/** Lengths of common subsequences of the tails: `table[i][j]` for `left[i..]` and `right[j..]`. */
function lengths(left: readonly string[], right: readonly string[]): Uint16Array[] {
  if (left.length * right.length > MAX_CELLS) return []
  const table = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1))
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      table[i]![j] = left[i] === right[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!)
    }
  }
  return table
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
  let start = 0
  while (start < Math.min(left.length, right.length) && left[start] === right[start]) start++
  const table = lengths(left.slice(start), right.slice(start))
  const at = (i: number, j: number): number => table[i - start]?.[j - start] ?? 0
  const rows: DiffRow[] = left.slice(0, start).map((text, i) => ({ kind: 'same', left: { line: i + 1, text }, right: { line: i + 1, text } }))
  let [i, j] = [start, start]
  let [removed, added]: [NonNullable<DiffRow['left']>[], NonNullable<DiffRow['right']>[]] = [[], []]
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      pair(rows, removed, added)
      ;[removed, added] = [[], []]
      rows.push({ kind: 'same', left: { line: i + 1, text: left[i++]! }, right: { line: j + 1, text: right[j++]! } })
    } else if (j >= right.length || (i < left.length && at(i + 1, j) >= at(i, j + 1))) {
      removed.push({ line: i + 1, text: left[i++]! })
    } else added.push({ line: j + 1, text: right[j++]! })
  }
  pair(rows, removed, added)
  return rows
}

/** Replace long runs of equal lines by one row; `context` lines stay around each change. */
export function fold(rows: readonly DiffRow[], context = 3): DiffRow[] {
  const near = rows.map(() => false)
  rows.forEach((row, at) => row.kind !== 'same' && near.fill(true, Math.max(0, at - context), at + context + 1))
  const folded: DiffRow[] = []
  rows.forEach((row, at) => {
    const last = folded.at(-1)
    if (near[at]) folded.push(row)
    else if (last?.kind === 'gap') last.hidden = (last.hidden ?? 0) + 1
    else folded.push({ kind: 'gap', hidden: 1 })
  })
  return folded
}
