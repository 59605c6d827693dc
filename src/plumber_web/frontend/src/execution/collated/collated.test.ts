import { describe, expect, it } from 'vitest'
import { difference } from './diff'
import { keyOf, majority, withHost, type OutputGroup } from './groups'
import { outputOf } from './output'
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

  it('are found by the names of their hosts', () => {
    const groups = [group({ digest: 'x', hosts: ['1', '2'] }), group({ hosts: ['3'] })]
    const names = { 1: 'Web-1', 2: 'db-1', 3: 'web-2' }
    expect(withHost(groups, names, ' WEB').map(({ hosts }) => hosts)).toEqual([['1'], ['3']])
    expect(withHost(groups, names, 'db').map(({ group: { digest } }) => digest)).toEqual(['x'])
    expect(withHost(groups, names, '')).toHaveLength(2)
    expect(withHost(groups, names, 'mail')).toEqual([])
  })
})

it('an output is read as text, up to some of it', async () => {
  const request = async (): Promise<Response> => new Response('\x1b[31mred\x1b[0m\nplain\n')
  expect(await outputOf(request, 'a', 100)).toEqual({ lines: ['red', 'plain', ''], cut: false })
  const endless = async (): Promise<Response> => new Response(new ReadableStream({ pull: (to) => to.enqueue(new TextEncoder().encode('more\n')) }))
  const { lines, cut } = await outputOf(endless, 'a', 20)
  expect([lines.length, cut]).toEqual([5, true])
})
