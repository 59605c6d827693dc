import { beforeEach, describe, expect, it } from 'vitest'
import { matrixKeys, PAGE } from './matrixKeys'
import { useSelection, type Cell } from './useSelection'

const HOSTS = Array.from({ length: 40 }, (_, index) => `h${index}`)
const STEPS = 3

describe('keys of the matrix', () => {
  let at: Cell
  let opened: number
  const selection = useSelection(() => ({ hosts: HOSTS, steps: STEPS, exists: () => true }))
  const keys = matrixKeys({ hosts: () => HOSTS, steps: () => STEPS, selection, go: (cell) => (at = cell), open: () => (opened += 1) })

  /** Press keys written as `Shift+ArrowDown`; says whether the page took the last. */
  function press(...names: string[]): boolean {
    let taken = false
    for (const name of names) {
      const parts = name.split('+')
      const event = new KeyboardEvent('keydown', { key: parts.at(-1), shiftKey: parts.includes('Shift'), ctrlKey: parts.includes('Control'), cancelable: true })
      keys(event, at)
      taken = event.defaultPrevented
    }
    return taken
  }
  const place = (): string => `${at.host} ${at.step}`

  beforeEach(() => {
    at = { host: 'h0', step: 0 }
    opened = 0
    selection.clear()
  })

  it('move, and stop at the borders', () => {
    press('ArrowDown', 'ArrowRight')
    expect(place()).toBe('h1 1')
    press('ArrowUp', 'ArrowUp', 'ArrowLeft', 'ArrowLeft')
    expect(place()).toBe('h0 0')
    press('End')
    expect(place()).toBe('h0 2')
    press('PageDown')
    expect(place()).toBe(`h${PAGE} 2`)
    press('Control+Home')
    expect(place()).toBe('h0 0')
    press('Control+End')
    expect(place()).toBe('h39 2')
  })

  it('choose cells, rows, columns and all', () => {
    press(' ', 'ArrowDown', ' ')
    expect(selection.size.value).toBe(2)
    press('Shift+ ')
    expect(selection.rowState('h1')).toBe('all')
    press('Control+ ')
    expect(selection.size.value).toBe(HOSTS.length + 2)
    press('Control+a')
    expect(selection.size.value).toBe(HOSTS.length * STEPS)
  })

  it('extend with Shift from where the choice began', () => {
    press('ArrowDown', ' ', 'Shift+ArrowDown', 'Shift+ArrowRight')
    expect(selection.size.value).toBe(4)
    press('Shift+ArrowUp', 'Shift+ArrowUp')
    expect([...HOSTS.slice(0, 3)].map((host) => selection.has({ host, step: 1 }))).toEqual([true, true, false])
  })

  it('open with Enter, and leave other keys alone', () => {
    expect(press('Enter')).toBe(true)
    expect(opened).toBe(1)
    expect(press('x')).toBe(false)
    expect(press('a')).toBe(false)
  })
})
