import { expect, it } from 'vitest'
import { buildOf, isOther } from './ownPage'

const page = (entry: string): string => `<!doctype html><head><script type="module" crossorigin src="./assets/${entry}"></script></head><div id="app"></div>`

it('knows a build by its entry script', () => {
  expect(buildOf(new DOMParser().parseFromString(page('index-abc.js'), 'text/html'))).toBe('index-abc.js')
  expect(isOther(page('index-def.js'), 'index-abc.js')).toBe(true)
  expect(isOther(page('index-abc.js'), 'index-abc.js')).toBe(false)
})

it('calls nothing another build that is no page of Plumber', () => {
  expect(isOther('<h1>Bad gateway</h1>', 'index-abc.js')).toBe(false)
  expect(isOther('', 'index-abc.js')).toBe(false)
})
