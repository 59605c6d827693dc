import { describe, expect, it } from 'vitest'
import { useSelection, type Cell } from './useSelection'

const HOSTS = ['a', 'b', 'c', 'd']

/** Four hosts by three steps; the last step does not run on `c`. */
function selection(order: () => string[] = () => HOSTS) {
  return useSelection(() => ({ hosts: order(), steps: 3, exists: ({ host, step }) => !(host === 'c' && step === 2) }))
}
const cell = (text: string): Cell => ({ host: text[0]!, step: Number(text[1]) })
const chosen = (found: ReturnType<typeof selection>): string[] => HOSTS.flatMap((host) => [0, 1, 2].filter((step) => found.has({ host, step })).map((step) => `${host}${step}`))

describe('chosen cells', () => {
  it('are toggled one by one, and those that do not exist never', () => {
    const found = selection()
    for (const one of ['a0', 'b1', 'c2', 'a0']) found.toggle(cell(one))
    expect(chosen(found)).toEqual(['b1'])
    expect(found.size.value).toBe(1)
    expect(found.hosts.value).toEqual(['b'])
    expect(found.onlyStep.value).toBe(1)
    found.toggle(cell('b0'))
    expect(found.onlyStep.value).toBeNull()
    found.toggle(cell('b0'))
  })

  it('extend to a rectangle from the one chosen last, which a second extension replaces', () => {
    const found = selection()
    found.toggle(cell('a0'))
    found.toggle(cell('b1'))
    found.extend(cell('d2'), cell('b1'))
    expect(chosen(found)).toEqual(['a0', 'b1', 'b2', 'c1', 'd1', 'd2'])
    found.extend(cell('a1'), cell('d2'))
    expect(chosen(found)).toEqual(['a0', 'a1', 'b1'])
  })

  it('extend from where the focus was when nothing was chosen before, or when that is not shown any more', () => {
    let order = HOSTS
    const found = selection(() => order)
    found.extend(cell('b0'), cell('a0'))
    expect(chosen(found)).toEqual(['a0', 'b0'])
    found.clear()
    found.toggle(cell('a0'))
    order = ['d', 'b']
    found.extend(cell('b0'), cell('d0'))
    expect(chosen(found)).toEqual(['a0', 'b0', 'd0'])
  })

  it('lie between two in the order that is shown', () => {
    const found = selection(() => ['d', 'a', 'c', 'b'])
    found.toggle(cell('d0'))
    found.extend(cell('c0'), cell('d0'))
    expect(chosen(found)).toEqual(['a0', 'c0', 'd0'])
  })

  it('are whole rows and columns', () => {
    const found = selection()
    found.toggle(cell('c0'))
    expect([found.rowState('c'), found.rowState('a')]).toEqual(['some', 'none'])
    found.toggleRow('c')
    expect(found.rowState('c')).toBe('all')
    expect(chosen(found)).toEqual(['c0', 'c1'])
    found.toggleRow('c')
    found.toggleColumn(2)
    expect(chosen(found)).toEqual(['a2', 'b2', 'd2'])
    found.all()
    expect(found.size.value).toBe(11)
    found.clear()
    expect(found.size.value).toBe(0)
  })

  it('say which hosts and step a look at them is of', () => {
    const found = selection()
    expect([found.hostsOf(0), found.stepToSee(1)]).toEqual([[], 1])
    found.toggle(cell('b2'))
    found.toggle(cell('a1'))
    expect(found.hostsOf(2)).toEqual(['b'])
    expect(found.hostsOf(0)).toEqual(['b', 'a'])
    expect([found.stepToSee(2), found.stepToSee(0)]).toEqual([2, 1])
  })
})
