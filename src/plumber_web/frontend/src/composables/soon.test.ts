import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { soon } from './soon'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('runs once for many calls, and again for those that come later', () => {
  const run = vi.fn()
  const { ask } = soon(run, 100)
  ask()
  ask()
  vi.advanceTimersByTime(100)
  expect(run).toHaveBeenCalledTimes(1)
  ask()
  vi.advanceTimersByTime(99)
  expect(run).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  expect(run).toHaveBeenCalledTimes(2)
})

it('runs no more once it is dropped', () => {
  const run = vi.fn()
  const { ask, drop } = soon(run, 100)
  ask()
  drop()
  vi.advanceTimersByTime(200)
  expect(run).not.toHaveBeenCalled()
})
