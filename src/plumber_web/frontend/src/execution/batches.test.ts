import { expect, it } from 'vitest'
import { stateAfter, stripOf, type Batch } from './batches'

const batches = (count: number, passed: number): Batch[] =>
  Array.from({ length: count }, (_, index) => ({ number: index + 1, hosts: 1, failed: 0, state: index < passed ? 'passed' : index === passed ? 'running' : 'blocked' }))

it('shows all of a few batches', () => {
  expect(stripOf(batches(4, 2))).toMatchObject({ before: 0, after: 0 })
  expect(stripOf(batches(4, 4)).shown).toHaveLength(4)
})

it('shows of many those around the one that runs', () => {
  const strip = stripOf(batches(1000, 500))
  expect(strip.shown).toHaveLength(12)
  expect([strip.before, strip.after]).toEqual([496, 492])
  expect(strip.shown.map((batch) => batch.state).slice(3, 6)).toEqual(['passed', 'running', 'blocked'])
  expect(stripOf(batches(1000, 1000))).toMatchObject({ before: 988, after: 0 })
  expect(stripOf(batches(1000, 0))).toMatchObject({ before: 0, after: 988 })
})

it('follows a batch through its events', () => {
  expect(stateAfter('batch.started', {})).toBe('running')
  expect(stateAfter('batch.finished', { passed: true })).toBe('passed')
  expect(stateAfter('gate.started', {})).toBe('gate')
  expect(stateAfter('gate.finished', { passed: false })).toBe('stopped')
  expect(stateAfter('batch.waiting', {})).toBeUndefined()
})
