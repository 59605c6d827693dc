import { expect, it } from 'vitest'
import { bodyOf, chips, firstLine, freshName, kindOf } from './steps'

it('shows only what differs from the defaults', () => {
  expect(chips({ name: 'a', run: 'x', grace: 10, on_failure: 'stop' })).toEqual([])
  expect(chips({ on: ['a', 'b c'], timeout: 60, grace: '5s', on_failure: 'continue', env: { A: 1, B: 2 }, stdin: 'x' })).toEqual([
    ['on', 'a or "b c"'], ['timeout', '60 s'], ['grace', '5s'], ['on_failure', 'continue'], ['env', '2'], ['stdin', ''],
  ])
})

it('finds the text of a step and its first line', () => {
  expect(firstLine({ run: '\n  echo a\necho b' })).toBe('echo a')
  expect(firstLine({ uses: 'script', with: { script: '#!/bin/sh\nls' } })).toBe('ls')
  expect(bodyOf({ uses: 'http', with: { url: 'x', expect: 200 } })).toBe('url: x\nexpect: 200')
  expect([kindOf({}), kindOf({ uses: 'http' })]).toEqual(['shell', 'http'])
})

it('shows a block as the steps in it and the sizes of its batches', () => {
  const block = { name: 'roll out', rollout: { batches: [1, '10%', '100%'] }, steps: [{ name: 'stop', run: 'systemctl stop shop' }, { name: 'start', run: 'true' }] }
  expect([kindOf(block), firstLine(block), bodyOf(block)]).toEqual(['block', 'stop → start', '1. stop: systemctl stop shop\n2. start: true'])
  expect(chips(block)).toEqual([['rollout', '1 10% 100%']])
})

it('invents names that are free', () => {
  expect(freshName('step', [])).toBe('step')
  expect(freshName('step', ['step', 'step 2'])).toBe('step 3')
})
