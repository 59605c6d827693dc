import { describe, expect, it } from 'vitest'
import { PLAIN, applySgr, classesOf } from './ansi'
import { GROUNDS, contrast, palette, readable, rules } from './palette'

describe('palette', () => {
  it('can be read in both themes', () => {
    expect(palette().size).toBe(256)
    for (const colour of palette().values()) {
      expect(contrast(readable(colour, GROUNDS.light), GROUNDS.light)).toBeGreaterThanOrEqual(4.5)
      expect(contrast(readable(colour, GROUNDS.dark), GROUNDS.dark)).toBeGreaterThanOrEqual(4.5)
    }
  })

  it('has ink for every ground', () => {
    for (const [, ground, ink] of rules().matchAll(/background-color:rgb\(([\d,]+)\);color:rgb\(([\d,]+)\)/g)) {
      const [one, other] = [ground!, ink!].map((text) => text.split(',').map(Number) as [number, number, number])
      expect(contrast(one!, other!)).toBeGreaterThanOrEqual(4.5)
    }
  })

  it('has rules for all that sequences can ask for', () => {
    const sheet = rules()
    for (let code = 0; code < 256; code++) {
      for (const parameters of [`38;5;${code}`, `48;5;${code}`, `38;2;${code};0;${255 - code}`]) {
        for (const name of classesOf(applySgr(PLAIN, parameters)).split(' ')) expect(sheet).toContain(`.${name}{`)
      }
    }
  })

  it('measures as WCAG does', () => {
    expect(contrast([0, 0, 0], [255, 255, 255])).toBe(21)
    expect(contrast([118, 118, 118], [255, 255, 255])).toBeCloseTo(4.54, 2)
  })
})
