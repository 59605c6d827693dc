/** Problems of a task as marks in a text. */
export interface Spot {
  /** From 1; 0 stands for the whole text. */
  line: number
  column: number
}
export interface Mark extends Spot {
  text: string
}

/** Return the range of a mark in `lines`: the word it points at, or the rest of its line. */
export function rangeOf(text: string, mark: Spot): [number, number] {
  const lines = text.split('\n')
  const at = Math.min(Math.max(mark.line, 1), lines.length)
  const line = lines[at - 1] ?? ''
  const start = lines.slice(0, at - 1).reduce((sum, one) => sum + one.length + 1, 0)
  const column = Math.min(Math.max(mark.column, 1) - 1, line.length)
  const word = /^[\w.-]+/.exec(line.slice(column))?.[0].length ?? line.length - column
  return [start + column, start + column + word]
}
