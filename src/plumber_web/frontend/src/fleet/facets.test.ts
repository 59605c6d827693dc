import { describe, expect, it } from 'vitest'
import { facetsOf, matches, type Filter } from './facets'

const agent = (name: string, labels: Record<string, string>, presence = 'online') =>
  ({ id: `id-${name}`, name, labels, presence, state: 'active', facts: { os: 'linux' }, version: '1' }) as never
const fleet = [agent('web-1', { role: 'web' }), agent('web-2', { role: 'web' }, 'offline'), agent('db-1', { role: 'db' })]
const filter = (part: Partial<Filter>): Filter => ({ search: '', chosen: {}, ...part })

describe('facets', () => {
  it('counts values, most common first', () => {
    const role = facetsOf(fleet).find((facet) => facet.name === 'label:role')
    expect(role?.values).toEqual([
      { value: 'web', count: 2 },
      { value: 'db', count: 1 },
    ])
  })

  it('leaves out what all agents share', () => {
    expect(facetsOf(fleet).map((facet) => facet.name)).not.toContain('os')
  })

  it('joins facets by and, values of one facet by or', () => {
    const chosen = { 'label:role': ['web', 'db'], presence: ['online'] }
    expect(fleet.filter((one) => matches(one, filter({ chosen }))).map((one: { name: string }) => one.name)).toEqual(['web-1', 'db-1'])
  })

  it('searches names and labels', () => {
    expect(fleet.filter((one) => matches(one, filter({ search: 'role=DB' })))).toHaveLength(1)
    expect(fleet.filter((one) => matches(one, filter({ search: 'web-' })))).toHaveLength(2)
  })
})
