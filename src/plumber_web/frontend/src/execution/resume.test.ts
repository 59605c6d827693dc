import { expect, it } from 'vitest'
import { askedFor, diffRows, resumable, stuck, unknownHosts, type Preview } from './resume'

it('resumes what has failed or was cancelled, and nothing else', () => {
  expect(['failed', 'cancelled', 'succeeded', 'running', 'paused'].filter(resumable)).toEqual(['failed', 'cancelled'])
})

it('lets somebody take in hand what has ended badly and nobody has taken yet', () => {
  expect(['failed', 'timed_out', 'lost', 'skipped', 'cancelled', 'running', 'succeeded', 'blocked'].filter((state) => stuck(state, null))).toEqual(['failed', 'timed_out', 'lost', 'skipped', 'cancelled'])
  expect(stuck('skipped', 'skip')).toBe(false)
})

it('asks for what was chosen and leaves out what was not', () => {
  expect(askedFor({ what: 'rest', step: '', revision: 'old', hosts: null })).toEqual({ what: 'rest', revision: 'old' })
  expect(askedFor({ what: 'failed', step: 'install', revision: 'new', hosts: ['a'] })).toEqual({ what: 'failed', revision: 'new', hosts: ['a'], from_step: 'install' })
})

it('knows whose commands may still run', () => {
  const host = (name: string, unknown: number) => ({ id: name, name, steps: [0], passed: [], unknown })
  expect(unknownHosts({ hosts: [host('a', 0), host('b', 1)] } as unknown as Preview)).toEqual(['b'])
})

it('shows a difference by its signs', () => {
  expect(diffRows('--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same\n')).toEqual([
    { sign: ' ', text: '@@ -1 +1 @@' },
    { sign: '-', text: '-old' },
    { sign: '+', text: '+new' },
    { sign: ' ', text: ' same' },
  ])
})
