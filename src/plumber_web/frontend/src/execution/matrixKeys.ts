/** Keys inside the matrix, as the pattern of ARIA for grids has them: arrows move, Space chooses, Shift extends. */
import type { Cell, Selection } from './useSelection'

export interface Grid {
  /** Hosts from top to bottom. */
  hosts: () => readonly string[]
  steps: () => number
  selection: Selection
  go: (cell: Cell) => void
  open: (cell: Cell) => void
}

/** Rows that Page Up and Page Down move. */
export const PAGE = 12

/** Returns the handler of a key that a cell got. */
export function matrixKeys(grid: Grid): (event: KeyboardEvent, at: Cell) => void {
  const { selection } = grid
  const clamp = (value: number, count: number): number => Math.min(Math.max(0, value), count - 1)

  /** Where a key leads; undefined when it is none that moves. */
  function target(event: KeyboardEvent, row: number, step: number): [number, number] | undefined {
    const [far, last] = [event.ctrlKey || event.metaKey, Infinity]
    return ({
      ArrowDown: [row + 1, step],
      ArrowUp: [row - 1, step],
      ArrowRight: [row, step + 1],
      ArrowLeft: [row, step - 1],
      PageDown: [row + PAGE, step],
      PageUp: [row - PAGE, step],
      Home: [far ? 0 : row, 0],
      End: [far ? last : row, last],
    } as Record<string, [number, number]>)[event.key]
  }

  function move(event: KeyboardEvent, at: Cell): boolean {
    const hosts = grid.hosts()
    const found = target(event, hosts.indexOf(at.host), at.step)
    if (!found) return false
    const cell = { host: hosts[clamp(found[0], hosts.length)]!, step: clamp(found[1], grid.steps()) }
    if (event.shiftKey) selection.extend(cell, at)
    if (cell.host !== at.host || cell.step !== at.step) grid.go(cell)
    return true
  }

  function choose(event: KeyboardEvent, cell: Cell): boolean {
    const held = event.ctrlKey || event.metaKey
    if (event.key === ' ') {
      if (event.shiftKey) selection.toggleRow(cell.host)
      else if (held) selection.toggleColumn(cell.step)
      else selection.toggle(cell)
    } else if (event.key.toLowerCase() === 'a' && held) selection.all()
    else if (event.key === 'Enter') grid.open(cell)
    else return false
    return true
  }

  return (event, at) => {
    if (choose(event, at) || move(event, at)) event.preventDefault()
  }
}
