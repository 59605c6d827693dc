import { describe, expect, it } from 'vitest'
import { blockAround, everyStep, listOf, pathOf, stepAt, stepsAt } from './places'

const TASK = { steps: [{ name: 'a' }, { name: 'b', steps: [{ name: 'c' }, { name: 'd' }] }], always: [{ name: 'e' }] }

describe('places', () => {
  it('lead to steps, in blocks too', () => {
    expect(pathOf('steps[1].steps[0]')).toEqual(['steps', 1, 'steps', 0])
    expect([stepAt(TASK, 'steps[1].steps[1]')?.name, stepAt(TASK, 'always[0]')?.name, stepAt(TASK, '')]).toEqual(['d', 'e', undefined])
    expect(stepsAt(TASK, 'steps[0].steps')).toEqual([])
    expect(stepsAt(null, 'steps')).toEqual([])
  })

  it('know the list and the block that they are in', () => {
    expect(listOf('steps[1].steps[12]')).toEqual({ list: 'steps[1].steps', at: 12 })
    expect([blockAround('steps[1].steps[0]'), blockAround('steps[1].steps'), blockAround('steps[1]'), blockAround('always')]).toEqual(['steps[1]', 'steps[1]', undefined, undefined])
  })

  it('are told from top to bottom', () => {
    expect(everyStep(TASK).map(([place, step]) => `${place} ${step.name}`)).toEqual([
      'steps[0] a', 'steps[1] b', 'steps[1].steps[0] c', 'steps[1].steps[1] d', 'always[0] e',
    ])
  })
})
