import { expect, it } from 'vitest'
import { pictureOf, type Matrix } from './picture'
import { asksWhy, waitsOf, whysOf } from './waits'

const matrix = (states: number[][]): Matrix =>
  ({ created_at: '2026-01-01T00:00:00Z', state: 'running', waits: {}, state_names: ['ready', 'running', 'unreachable'], hosts: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ id: name, name })), steps: states.map((_, n) => ({ name: String(n) })), states, started: states.map(() => []), ended: states.map(() => []), exit_codes: states.map(() => []) }) as never

it('names the first of those who wait and counts all, the silent ones first', () => {
  expect(waitsOf(pictureOf(matrix([[0, 0, 0, 0, 2]])))).toEqual([
    { state: 'unreachable', count: 1, hosts: ['e'] },
    { state: 'ready', count: 4, hosts: ['a', 'b', 'c'] },
  ])
})

it('says nothing of what runs', () => {
  expect(waitsOf(pictureOf(matrix([[1, 1, 1, 1, 1]])))).toEqual([])
})

it('tells hosts that owe an inventory from those that are only away', () => {
  const picture = pictureOf(matrix([[0, 0, 0, 1, 1]]))
  for (const host of picture.matrix.hosts) host.awaited = host.name === 'b'
  expect(waitsOf(picture)).toEqual([
    { state: 'awaited', count: 1, hosts: ['b'] },
    { state: 'ready', count: 2, hosts: ['a', 'c'] },
  ])
})

it('tells what anybody of a pool may take from what one host must do', () => {
  const picture = pictureOf(matrix([[0, 0, 0, 1, 1]]))
  picture.matrix.hosts[2]!.pool = 4
  expect(waitsOf(picture)).toEqual([
    { state: 'pooled', count: 1, hosts: ['c'] },
    { state: 'ready', count: 2, hosts: ['a', 'b'] },
  ])
})

it('tells why ready hosts wait as the server said it, each reason once', () => {
  const picture = pictureOf(matrix([[0, 0, 0, 1, 1]]))
  const lock = { code: 'lock_next', lock: 'db', position: 1 }
  const away = { code: 'agent_never', agent: 'c' }
  picture.matrix.waits = { a: lock, b: lock, c: away }
  expect(whysOf(picture)).toEqual([lock, away])
  expect(waitsOf(picture)).toEqual([])
  expect([asksWhy(picture), asksWhy(pictureOf(matrix([[1, 1, 2, 2, 2]])))]).toEqual([true, false])
})
