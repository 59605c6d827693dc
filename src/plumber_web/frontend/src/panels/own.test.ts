import { describe, expect, it } from 'vitest'
import { ownAddress } from './own'

describe('addresses of panels', () => {
  it('tell what the page shows', () => {
    expect(new URL(ownAddress('shop/orders?open=1', { execution: 'a b' })).search).toBe('?open=1&execution=a+b')
  })
  it('are of this server', () => {
    for (const url of ['https://elsewhere.example/x.js', '//elsewhere.example/x.js']) expect(() => ownAddress(url, {}), url).toThrow('not of this server')
  })
})
