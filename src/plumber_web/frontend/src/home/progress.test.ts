import { expect, it } from 'vitest'
import { progressOf } from './progress'

it('counts what has ended and what went wrong', () => {
  expect(progressOf({ succeeded: 2, lost: 1, running: 1, blocked: 4 })).toEqual({ total: 8, ended: 3, failed: 1, value: 0.375 })
})

it('knows nothing of an execution without steps', () => {
  expect(progressOf({}).value).toBe(0)
})
