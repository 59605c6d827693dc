import { expect, it } from 'vitest'
import { rank, score, type Entry } from './entries'

const entries = ['deploy-shop', 'shop-backup', 'Go to fleet', 'workshop'].map((text): Entry => ({ id: text, group: '', text, run: () => undefined }))

it('prefers a prefix, then the start of a word, then the middle', () => {
  expect(rank(entries, 'shop').map((entry) => entry.text)).toEqual(['shop-backup', 'deploy-shop', 'workshop'])
})

it('finds letters in order, and nothing else', () => {
  expect(rank(entries, 'gtf').map((entry) => entry.text)).toEqual(['Go to fleet'])
  expect(score('deploy', 'x')).toBe(0)
})

it('offers everything in its order before anything is typed', () => {
  expect(rank(entries, ' ')).toEqual(entries)
})
