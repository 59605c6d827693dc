import { describe, expect, it } from 'vitest'
import { defaults, missing, reuse, toArguments, type Declared } from './params'

const DECLARED: Declared = {
  version: { type: 'string', required: true },
  lines: { type: 'int', default: 5 },
  ratio: { type: 'float' },
  loud: { type: 'bool', default: false },
  maybe: { type: 'bool' },
  hosts: { type: 'list', default: ['a', 'b'] },
  place: { default: '/tmp' },
  parts: { type: 'multi-enum', choices: ['api', 'web'], default: ['web'] },
  where: { type: 'target' },
}

describe('values of a run', () => {
  it('opens with the defaults', () => {
    expect(defaults(DECLARED)).toEqual({ version: '', lines: '5', ratio: '', loud: false, maybe: '', hosts: 'a\nb', place: '/tmp', parts: 'web', where: '' })
  })

  it('sends typed values and leaves out what is empty', () => {
    const values = { ...defaults(DECLARED), version: 'v1', ratio: '0.5', hosts: 'x\n\n y ', parts: '', where: 'role=web' }
    expect(toArguments(DECLARED, values)).toEqual({ version: 'v1', lines: 5, ratio: 0.5, loud: false, hosts: ['x', 'y'], place: '/tmp', parts: [], where: 'role=web' })
  })

  it('sends the empty text that takes a default away', () => {
    expect(toArguments(DECLARED, { ...defaults(DECLARED), place: '' }).place).toBe('')
  })

  it('leaves to the server what it cannot read', () => {
    const given = toArguments(DECLARED, { ...defaults(DECLARED), lines: 'many', ratio: '9007199254740993' })
    expect([given.lines, given.ratio]).toEqual(['many', 9007199254740992])
    expect(toArguments({ big: { type: 'int' } }, { big: '9007199254740993' })).toEqual({ big: '9007199254740993' })
  })

  it('names what is missing', () => {
    expect(missing(DECLARED, defaults(DECLARED))).toEqual(['version'])
  })

  it("takes an earlier run's values, those that still exist", () => {
    expect(reuse(DECLARED, { version: 'v2', loud: true, gone: 1 })).toMatchObject({ version: 'v2', loud: true, lines: '5' })
    expect(reuse(DECLARED, { gone: 1 })).not.toHaveProperty('gone')
  })
})
