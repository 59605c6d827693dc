import { describe, expect, it } from 'vitest'
import { gutterWidth, merge } from './merge'
import type { Line } from './lines'

const line = (number: number, ms: number): Line => ({ number, part: 0, stream: 1, ms, text: `${number}`, runs: [] })

describe('merge', () => {
  it('orders by absolute time and says where the host changes', () => {
    const rows = merge([
      { host: 'a', startedAt: 1000, lines: [line(0, 0), line(1, 500)] },
      { host: 'b', startedAt: 1200, lines: [line(0, 0), line(1, 100)] },
    ])
    expect(rows.map(({ host, at, first }) => [host, at, first])).toEqual([
      ['a', 1000, true],
      ['b', 1200, true],
      ['b', 1300, false],
      ['a', 1500, true],
    ])
  })

  it('keeps each source in its own order, and equal times in the order of sources', () => {
    const rows = merge([
      { host: 'a', startedAt: 0, lines: [line(0, 9), line(1, 2)] },
      { host: 'b', startedAt: 0, lines: [line(0, 9)] },
    ])
    expect(rows.map(({ host, line: { number } }) => `${host}${number}`)).toEqual(['a0', 'a1', 'b0'])
  })

  it('has a gutter for the longest host', () => {
    expect(gutterWidth([{ host: 'web-1' }, { host: '主机' }])).toBe(5)
    expect(gutterWidth([{ host: 'x'.repeat(80) }])).toBe(24)
    expect(gutterWidth([{ host: 'web-1' }, { host: '数据库-1' }])).toBe(8)
  })
})
