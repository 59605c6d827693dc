/** Cells of the matrix that somebody chose: one by one, as a rectangle, by whole rows or columns. */
import { computed, shallowRef, type ComputedRef } from 'vue'

/** One step on one host. */
export interface Cell {
  host: string
  step: number
}

/** What is shown: hosts from top to bottom, steps from left to right, and which of them exist. */
export interface Shown {
  hosts: readonly string[]
  steps: number
  exists: (cell: Cell) => boolean
}

export interface Selection {
  /** How many cells. */
  size: ComputedRef<number>
  /** The hosts of the chosen cells, each once. */
  hosts: ComputedRef<string[]>
  /** The one step of which cells are chosen, null where there are several or none. */
  onlyStep: ComputedRef<number | null>
  has: (cell: Cell) => boolean
  /** Whether all cells of a host are chosen, some, or none. */
  rowState: (host: string) => 'all' | 'some' | 'none'
  toggle: (cell: Cell) => void
  toggleRow: (host: string) => void
  toggleColumn: (step: number) => void
  /** Choose what lies between the cell that was chosen last and this one, beside what was chosen before. */
  extend: (cell: Cell, from: Cell) => void
  all: () => void
  clear: () => void
  /** Hosts whose step was chosen; all chosen hosts when that of none was. */
  hostsOf: (step: number) => string[]
  /** The step to look at: this one when something of it is chosen, else the first that has something chosen. */
  stepToSee: (current: number) => number
}

const keyOf = ({ host, step }: Cell): string => `${step}/${host}`

function cellOf(key: string): Cell {
  const at = key.indexOf('/')
  return { step: Number(key.slice(0, at)), host: key.slice(at + 1) }
}

/** `shown` is asked for at each choice: its order decides what lies between two cells. */
export function useSelection(shown: () => Shown): Selection {
  const chosen = shallowRef<ReadonlySet<string>>(new Set())
  let anchor: Cell | undefined
  let beforeRectangle: ReadonlySet<string> = chosen.value

  function settle(keys: ReadonlySet<string>, from: Cell | undefined): void {
    chosen.value = beforeRectangle = keys
    anchor = from
  }

  /** The keys of those that exist. */
  function block(hosts: readonly string[], first: number, last: number): string[] {
    const { exists } = shown()
    const keys: string[] = []
    for (const host of hosts) for (let step = first; step <= last; step++) if (exists({ host, step })) keys.push(keyOf({ host, step }))
    return keys
  }

  function turn(keys: readonly string[], from: Cell | undefined): void {
    const after = new Set(chosen.value)
    const whole = keys.every((key) => after.has(key))
    for (const key of keys) if (whole) after.delete(key)
    else after.add(key)
    settle(after, from)
  }

  const rowOf = (host: string): string[] => block([host], 0, shown().steps - 1)

  function extend(cell: Cell, from: Cell): void {
    const { hosts } = shown()
    anchor = anchor && hosts.includes(anchor.host) ? anchor : from
    const [one, other] = [hosts.indexOf(anchor.host), hosts.indexOf(cell.host)]
    if (one < 0 || other < 0) return
    const between = hosts.slice(Math.min(one, other), Math.max(one, other) + 1)
    chosen.value = new Set([...beforeRectangle, ...block(between, Math.min(anchor.step, cell.step), Math.max(anchor.step, cell.step))])
  }

  const cells = computed(() => [...chosen.value].map(cellOf))
  const hosts = computed(() => [...new Set(cells.value.map(({ host }) => host))])

  const steps = computed(() => [...new Set(cells.value.map(({ step }) => step))])

  return {
    size: computed(() => chosen.value.size),
    hosts,
    onlyStep: computed(() => (steps.value.length === 1 ? steps.value[0]! : null)),
    has: (cell) => chosen.value.has(keyOf(cell)),
    rowState: (host) => {
      const keys = chosen.value.size ? rowOf(host) : []
      const count = keys.filter((key) => chosen.value.has(key)).length
      return count === 0 ? 'none' : count === keys.length ? 'all' : 'some'
    },
    toggle: (cell) => shown().exists(cell) && turn([keyOf(cell)], cell),
    toggleRow: (host) => turn(rowOf(host), { host, step: 0 }),
    toggleColumn: (step) => turn(block(shown().hosts, step, step), undefined),
    extend,
    all: () => settle(new Set([...chosen.value, ...block(shown().hosts, 0, shown().steps - 1)]), anchor),
    clear: () => settle(new Set(), undefined),
    hostsOf: (step) => {
      const found = cells.value.filter((cell) => cell.step === step).map(({ host }) => host)
      return found.length ? found : hosts.value
    },
    stepToSee: (current) => {
      const steps = cells.value.map(({ step }) => step)
      return steps.includes(current) || !steps.length ? current : Math.min(...steps)
    },
  }
}
