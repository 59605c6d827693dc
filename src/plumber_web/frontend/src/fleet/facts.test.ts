import { expect, it } from 'vitest'
import { factsOf } from './facts'

it('joins the distribution and puts what people ask for first', () => {
  const told = { distro: 'debian', distro_version: '12', kernel: '6.1', hostname: 'web-1', gpu: 'none', zone: '' }
  expect(factsOf(told)).toEqual([['hostname', 'web-1'], ['distribution', 'debian 12'], ['kernel', '6.1'], ['gpu', 'none']])
})
