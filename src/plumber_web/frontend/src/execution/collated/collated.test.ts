import { describe, expect, it } from 'vitest'
import { difference } from './diff'
import { keyOf, majority, type OutputGroup } from './groups'
import { folded } from '@/diff/lines'

const told = (before: string, after: string): string =>
  difference([...before], [...after]).lines.map(({ kind, text }) => ({ same: ' ', added: '+', removed: '-' })[kind] + text).join('')
const group = (part: Partial<OutputGroup>): OutputGroup => ({ state: 'succeeded', exit_code: 0, error: null, digest: 'd', bytes: 1, attempt: 'a', last_line: '', hosts: ['h'], ...part })

describe('the difference', () => {
  it.each([
    ['abc', 'abc', ' a b c'],
    ['abc', 'axc', ' a-b+x c'],
    ['', 'ab', '+a+b'],
    ['ab', '', '-a-b'],
    ['abcd', 'bcde', '-a b c d+e'],
    ['abab', 'ab', ' a b-a-b'],
  ])('%s to %s', (before, after, expected) => expect(told(before, after)).toBe(expected))

  it('compares the first lines only', () => {
    expect(difference(['a', 'b', 'c'], ['a', 'b', 'd'], 2)).toEqual({ cut: true, lines: [{ kind: 'same', text: 'a' }, { kind: 'same', text: 'b' }] })
  })

  it('folds what is far from a change', () => {
    const { lines } = difference([...'aaaaaaaab'], [...'aaaaaaaac'])
    expect(folded(lines, 1)).toEqual([7, { kind: 'same', text: 'a' }, { kind: 'removed', text: 'b' }, { kind: 'added', text: 'c' }])
  })
})

describe('groups', () => {
  it('are compared with the largest that has an output', () => {
    const large = group({ digest: 'x', hosts: ['a', 'b'] })
    expect(majority([group({}), large, group({ digest: '', hosts: ['c', 'd', 'e'] })])).toBe(large)
    expect(majority([])).toBeUndefined()
  })

  it('are told apart by how they ended and what they wrote', () => {
    expect(new Set([group({}), group({ digest: 'e' }), group({ exit_code: 1 }), group({ state: 'failed' })].map(keyOf)).size).toBe(4)
  })
})
