import { beforeEach, expect, it, vi } from 'vitest'
import { keepDraft, takeDraft } from './draft'

const DRAFT = { text: 'name: shop', revision: 3, user: 'admin' }

beforeEach(() => sessionStorage.clear())

it('comes back once, for its task', () => {
  keepDraft('shop', DRAFT)
  expect(takeDraft('other', 'admin')).toBeUndefined()
  expect(takeDraft('shop', 'admin')).toEqual(DRAFT)
  expect(takeDraft('shop', 'admin')).toBeUndefined()
})

it('comes back to nobody else, not even later', () => {
  keepDraft(undefined, DRAFT)
  expect(takeDraft(undefined, 'eve')).toBeUndefined()
  expect(takeDraft(undefined, 'admin')).toBeUndefined()
})

it('is given up quietly where the browser has no room', () => {
  vi.spyOn(Storage.prototype, 'setItem').mockImplementationOnce(() => {
    throw new Error('QuotaExceededError')
  })
  expect(() => keepDraft('shop', DRAFT)).not.toThrow()
})
