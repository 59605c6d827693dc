import { expect, it } from 'vitest'
import type { Recent } from './api'
import { figures, heights } from './results'

const one = (state: Recent['state'], duration: number | null) => ({ id: state, state, created_at: '', duration })

it('keeps a short run visible beside a long one', () => {
  const [short, long, none] = heights([one('succeeded', 1), one('succeeded', 100), one('running', null)])
  expect(long).toBe(1)
  expect(short).toBeGreaterThan(0.25)
  expect(none).toBe(0.2)
})

it('counts only what ended by itself', () => {
  const seen = figures([one('succeeded', 2), one('succeeded', 4), one('failed', 100), one('cancelled', 1), one('running', null)])
  expect(seen).toEqual({ ended: 3, succeeded: 2, failed: 1, rate: 2 / 3, usual: 3 })
})

it('knows nothing before the first run', () => {
  expect(figures([])).toEqual({ ended: 0, succeeded: 0, failed: 0, rate: null, usual: null })
})
