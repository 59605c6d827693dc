import { expect, it } from 'vitest'
import { fieldsOf, fits, fromText } from './jsonSchema'

const SCHEMA = {
  type: 'object',
  required: ['url'],
  $defs: { Method: { enum: ['GET', 'POST'], type: 'string' } },
  properties: {
    method: { $ref: '#/$defs/Method', default: 'GET' },
    url: { type: 'string', description: 'where' },
    body: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null },
    tries: { type: 'integer' },
    wait: { type: 'number' },
    verify: { type: 'boolean', default: true },
    args: { type: 'array', items: { type: 'string' } },
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    expect: { anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'integer' } }] },
    deep: { type: 'object', properties: { a: {} } },
  },
}

it('reads the kinds it knows and leaves the rest to YAML', () => {
  expect(fieldsOf(SCHEMA).map((one) => [one.name, one.kind])).toEqual([
    ['url', 'line'], ['method', 'enum'], ['body', 'text'], ['tries', 'integer'], ['wait', 'number'], ['verify', 'boolean'],
    ['args', 'list'], ['headers', 'map'], ['expect', 'yaml'], ['deep', 'yaml'],
  ])
  expect(fieldsOf(SCHEMA)[0]).toMatchObject({ required: true, description: 'where' })
  expect(fieldsOf({})).toEqual([])
})

it('never shows a value in a control that would lose it', () => {
  const of = (name: string) => fieldsOf(SCHEMA).find((one) => one.name === name)!
  expect([fits(of('verify'), '${{ params.x }}'), fits(of('method'), 'PUT'), fits(of('args'), [1]), fits(of('headers'), { a: [] }), fits(of('url'), {})]).toEqual([false, false, false, false, false])
  expect([fits(of('verify'), false), fits(of('tries'), '${{ params.x }}'), fits(of('headers'), { a: 1 }), fits(of('url'), undefined)]).toEqual([true, true, true, true])
})

it('reads numbers, and expressions where numbers stand', () => {
  expect([fromText('integer', '5'), fromText('number', '0.5'), fromText('integer', '${{ params.n }}'), fromText('line', '5'), fromText('line', '')]).toEqual([5, 0.5, '${{ params.n }}', '5', undefined])
})
