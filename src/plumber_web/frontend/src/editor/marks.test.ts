import { expect, it } from 'vitest'
import { rangeOf } from './marks'

const TEXT = 'name: a\nstps:\n  - run: x\n'
const cut = (line: number, column: number) => TEXT.slice(...rangeOf(TEXT, { line, column }))

it('marks the word it points at', () => {
  expect(cut(2, 1)).toBe('stps')
  expect(cut(3, 5)).toBe('run')
})

it('marks something within the text whatever it is told', () => {
  expect(cut(0, 0)).toBe('name')
  expect(cut(99, 9)).toBe('')
  expect(cut(1, 99)).toBe('')
})
