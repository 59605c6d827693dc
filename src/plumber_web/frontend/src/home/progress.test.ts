import { expect, it } from 'vitest'
import { paceOf, progressOf } from './progress'

it('counts what has ended and what went wrong', () => {
  expect(progressOf({ succeeded: 2, lost: 1, running: 1, blocked: 4 })).toEqual({ total: 8, ended: 3, failed: 1, value: 0.375 })
})

it('knows nothing of an execution without steps', () => {
  expect(progressOf({}).value).toBe(0)
})

it('goes by the usual time, and is late a fifth beyond it', () => {
  expect(paceOf(30, 60, { running: 1 })).toEqual({ value: 0.5, late: false })
  expect(paceOf(71, 60, { running: 1 })).toEqual({ value: 1, late: false })
  expect(paceOf(73, 60, { running: 1 })).toEqual({ value: 1, late: true })
})

it('goes by steps while nothing is usual', () => {
  expect(paceOf(30, null, { succeeded: 1, blocked: 3 })).toEqual({ value: 0.25, late: false })
})
