import { expect, it } from 'vitest'
import { countIn, fieldsFor } from './problemsAt'
import type { Problem } from '@/tasks/api'

it('finds the field of a problem, in the task, a step, a block and at the end', () => {
  expect(fieldsFor('params.size')).toEqual({ place: '', keys: ['params.size', 'params'] })
  expect(fieldsFor('steps[1].with.url')).toEqual({ place: 'steps[1]', keys: ['with.url', 'with'] })
  expect(fieldsFor('steps[1].steps[10].timeout')).toEqual({ place: 'steps[1].steps[10]', keys: ['timeout'] })
  expect(fieldsFor('steps[0].rollout.batches')).toEqual({ place: 'steps[0]', keys: ['rollout.batches', 'rollout'] })
  expect(fieldsFor('always[2]')).toEqual({ place: 'always[2]', keys: [] })
})

it('counts at a block what is its own', () => {
  const problems = ['steps[1].rollout.pause', 'steps[1].steps', 'steps[1].steps[0].run', 'steps[10].run', 'steps[1]'].map((path) => ({ path }) as Problem)
  expect([countIn(problems, 'steps[1]'), countIn(problems, 'steps[1].steps[0]'), countIn(problems, 'steps[0]')]).toEqual([3, 1, 0])
})
