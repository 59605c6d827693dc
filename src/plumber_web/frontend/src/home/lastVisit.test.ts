import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it } from 'vitest'
import { previousVisit } from './lastVisit'

const NOON = Date.parse('2026-01-02T12:00:00Z')
const MINUTE = 60_000

beforeEach(() => {
  localStorage.clear()
  setActivePinia(createPinia())
})

it('looks back a day on the first visit', () => {
  expect(previousVisit(NOON)).toBe('2026-01-01T12:00:00.000Z')
})

it('keeps the last visit while somebody stays', () => {
  const first = previousVisit(NOON)
  expect(previousVisit(NOON + 10 * MINUTE)).toBe(first)
})

it('moves on to the end of the visit after an absence', () => {
  previousVisit(NOON)
  previousVisit(NOON + 5 * MINUTE)
  expect(previousVisit(NOON + 60 * MINUTE)).toBe(new Date(NOON + 5 * MINUTE).toISOString())
})
