/** How one output differs from another, line by line. */
export interface DiffLine {
  kind: 'same' | 'added' | 'removed'
  text: string
}
export interface Difference {
  lines: DiffLine[]
  /** Only the first lines were compared. */
  cut: boolean
}

export const MOST_DIFF_LINES = 2000

/** Return what turns `before` into `after`, equal lines included. */
export function difference(before: readonly string[], after: readonly string[], most = MOST_DIFF_LINES): Difference {
  const [left, right] = [before.slice(0, most), after.slice(0, most)]
  let start = 0
  while (start < left.length && start < right.length && left[start] === right[start]) start++
  let [leftStop, rightStop] = [left.length, right.length]
  while (leftStop > start && rightStop > start && left[leftStop - 1] === right[rightStop - 1]) {
    leftStop--
    rightStop--
  }
  const lines = [
    ...as('same', left.slice(0, start)),
    ...changed(left.slice(start, leftStop), right.slice(start, rightStop)),
    ...as('same', left.slice(leftStop)),
  ]
  return { lines, cut: before.length > most || after.length > most }
}

function as(kind: DiffLine['kind'], lines: readonly string[]): DiffLine[] {
  return lines.map((text) => ({ kind, text }))
}

/** Longest common subsequence; the table holds at most 2001 x 2001 numbers of two bytes. */
function changed(left: readonly string[], right: readonly string[]): DiffLine[] {
  const width = right.length + 1
  const table = new Uint16Array((left.length + 1) * width)
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      table[i * width + j] = left[i] === right[j] ? table[(i + 1) * width + j + 1]! + 1 : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!)
    }
  }
  const lines: DiffLine[] = []
  let [i, j] = [0, 0]
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      lines.push({ kind: 'same', text: left[i++]! })
      j++
    } else if (table[(i + 1) * width + j]! >= table[i * width + j + 1]!) lines.push({ kind: 'removed', text: left[i++]! })
    else lines.push({ kind: 'added', text: right[j++]! })
  }
  return [...lines, ...as('removed', left.slice(i)), ...as('added', right.slice(j))]
}

/** Leave out equal lines that are far from a change; a number stands for how many. */
export function folded(lines: readonly DiffLine[], around = 3): (DiffLine | number)[] {
  const near = new Uint8Array(lines.length)
  lines.forEach(({ kind }, at) => {
    if (kind !== 'same') near.fill(1, Math.max(0, at - around), at + around + 1)
  })
  const out: (DiffLine | number)[] = []
  lines.forEach((line, at) => {
    const last = out.at(-1)
    if (near[at]) out.push(line)
    else if (typeof last === 'number') out[out.length - 1] = last + 1
    else out.push(1)
  })
  return out
}
