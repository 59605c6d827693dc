import { describe, expect, it } from 'vitest'
import { PLAIN, applySgr, classesOf, spans, type Style } from './ansi'

const look = (...sequences: string[]) => classesOf(sequences.reduce<Style>(applySgr, PLAIN))

describe('SGR', () => {
  it.each([
    ['31', 'ansi-fg-red'],
    ['1;4;92;44', 'ansi-bold ansi-underline ansi-fg-bright-green ansi-bg-blue'],
    ['38;5;9', 'ansi-fg-bright-red'],
    ['38;5;123', 'ansi-fg-p123'],
    ['48;5;255', 'ansi-bg-g23'],
    ['38;2;255;0;0', 'ansi-fg-p196'],
    ['48;2;128;128;128', 'ansi-bg-g12'],
    ['7;31', 'ansi-inverse ansi-bg-red'],
    ['7;41', 'ansi-inverse'],
    ['3;2', 'ansi-dim ansi-italic'],
    ['38;5;999', ''],
    ['38;9;1', ''],
    ['999', ''],
  ])('%s is %s', (parameters, classes) => expect(look(parameters)).toBe(classes))

  it('adds up, and an empty one ends it all', () => {
    expect(look('1', '31')).toBe('ansi-bold ansi-fg-red')
    expect(look('1', '31', '22')).toBe('ansi-fg-red')
    expect(look('1', '31', '')).toBe('')
  })

  it('names only classes of the palette, whatever it is told', () => {
    for (let code = 0; code < 300; code++) {
      for (const parameters of [`${code}`, `38;5;${code}`, `48;2;${code};${255 - code};7`]) {
        expect(look(parameters)).toMatch(/^$|^(ansi-(bold|dim|italic|underline|strike|inverse|hidden|[fb]g-[a-z]+(-[a-z]+)?|[fb]g-[pg]\d{1,3}) ?)+$/)
      }
    }
  })
})

it('spans cover the whole text', () => {
  const red = applySgr(PLAIN, '31')
  expect(spans('abcdef', [{ at: 2, style: red }, { at: 4, style: PLAIN }])).toEqual([
    { text: 'ab', classes: '' },
    { text: 'cd', classes: 'ansi-fg-red' },
    { text: 'ef', classes: '' },
  ])
  expect(spans('', [])).toEqual([])
})
