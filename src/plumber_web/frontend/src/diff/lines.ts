/** How one list of lines differs from another (longest common subsequence), and folding of what is equal. */
export interface DiffLine {
  kind: 'same' | 'added' | 'removed'
  text: string
}

/** Beyond this many comparisons lines are told as all removed, all added: memory stays small. */
const MAX_CELLS = 9_000_000

/** Return what turns `left` into `right`, equal lines included. */
export function changes(left: readonly string[], right: readonly string[]): DiffLine[] {
  let start = 0
  while (start < left.length && start < right.length && left[start] === right[start]) start++
  let [leftStop, rightStop] = [left.length, right.length]
  while (leftStop > start && rightStop > start && left[leftStop - 1] === right[rightStop - 1]) {
    leftStop--
    rightStop--
  }
  return [
    ...as('same', left.slice(0, start)),
    ...between(left.slice(start, leftStop), right.slice(start, rightStop)),
    ...as('same', left.slice(leftStop)),
  ]
}

function as(kind: DiffLine['kind'], lines: readonly string[]): DiffLine[] {
  return lines.map((text) => ({ kind, text }))
}

function between(left: readonly string[], right: readonly string[]): DiffLine[] {
  if (left.length * right.length > MAX_CELLS) return [...as('removed', left), ...as('added', right)]
  const { table, width } = lengths(left, right)
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

/** Lengths of the common subsequences of the tails: `table[i * width + j]` for `left[i..]` and `right[j..]`. */
function lengths(left: readonly string[], right: readonly string[]): { table: Uint16Array; width: number } {
  const width = right.length + 1
  const table = new Uint16Array((left.length + 1) * width)
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      table[i * width + j] = left[i] === right[j] ? table[(i + 1) * width + j + 1]! + 1 : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!)
    }
  }
  return { table, width }
}

/** Leave out equal lines that are far from a change; a number stands for how many. */
export function folded<Line extends { kind: string }>(lines: readonly Line[], around = 3): (Line | number)[] {
  const near = new Uint8Array(lines.length)
  lines.forEach(({ kind }, at) => {
    if (kind !== 'same') near.fill(1, Math.max(0, at - around), at + around + 1)
  })
  const out: (Line | number)[] = []
  lines.forEach((line, at) => {
    const last = out.at(-1)
    if (near[at]) out.push(line)
    else if (typeof last === 'number') out[out.length - 1] = last + 1
    else out.push(1)
  })
  return out
}
