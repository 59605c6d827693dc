import { expect, it } from 'vitest'
import { diffLines, fold } from './diff'

const kinds = (before: string, after: string) => diffLines(before, after).map((row) => row.kind)

it('pairs a changed line with what it became', () => {
  const rows = diffLines('a\nb\nc\n', 'a\nB\nc\n')
  expect(rows.map((row) => row.kind)).toEqual(['same', 'changed', 'same'])
  expect(rows[1]).toMatchObject({ left: { line: 2, text: 'b' }, right: { line: 2, text: 'B' } })
})

it('tells removed from added lines and keeps both counts of lines', () => {
  expect(kinds('a\nb\nc', 'a\nc')).toEqual(['same', 'removed', 'same'])
  expect(kinds('a\nc', 'a\nb\nc')).toEqual(['same', 'added', 'same'])
  expect(diffLines('a\nc', 'a\nb\nc')[2]).toMatchObject({ left: { line: 2 }, right: { line: 3 } })
  expect(kinds('x', 'y\nz')).toEqual(['changed', 'added'])
})

it('rebuilds both texts', () => {
  const [before, after] = ['a\nb\nc\nd\ne', 'b\nx\nd\nd\nf\ne']
  const rows = diffLines(before, after)
  expect(rows.flatMap((row) => row.left?.text ?? []).join('\n')).toBe(before)
  expect(rows.flatMap((row) => row.right?.text ?? []).join('\n')).toBe(after)
})

it('folds what is far from any change', () => {
  const before = Array.from({ length: 20 }, (_, n) => `line ${n}`).join('\n')
  const rows = fold(diffLines(before, before.replace('line 10', 'other')))
  expect(rows[0]).toEqual({ kind: 'gap', hidden: 7 })
  expect(rows.filter((row) => row.kind === 'changed')).toHaveLength(1)
  expect(rows).toHaveLength(9)
})
