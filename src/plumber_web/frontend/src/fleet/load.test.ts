import { describe, expect, it } from 'vitest'
import { bars, percent, WIDTH } from './load'

describe('bars', () => {
  it('are as long as what they show, and never longer than there is room', () => {
    expect(bars({ load: 0.5, memory: 0.25 })).toEqual([
      { name: 'cpu', width: WIDTH / 2, high: false },
      { name: 'memory', width: WIDTH / 4, high: false },
    ])
    expect(bars({ load: 12, memory: 0.95 })).toEqual([
      { name: 'cpu', width: WIDTH, high: true },
      { name: 'memory', width: 61, high: true },
    ])
  })

  it('are none for an agent that says nothing', () => {
    expect(bars({ load: null, memory: null })).toEqual([])
    expect(bars({ load: 0, memory: null })).toEqual([{ name: 'cpu', width: 0, high: false }])
  })

  it('have their numbers beside them', () => {
    expect([percent(1.25), percent(0), percent(null)]).toEqual(['125 %', '0 %', '—'])
  })
})
