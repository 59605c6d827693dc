/** Both languages hold the same keys with the same arguments, and every key that the page names exists. */
import { describe, expect, it } from 'vitest'
import { messages as en } from './en'
import { messages as enOfTasks } from './en/tasks'
import { messages as zh } from './zh-CN'
import { messages as zhOfTasks } from './zh-CN/tasks'

const sources = import.meta.glob(['../**/*.vue', '../**/*.ts', '!../**/*.test.ts', '!../api/schema.ts'], { query: '?raw', import: 'default', eager: true }) as Record<string, string>

function flatten(value: unknown, prefix = ''): Record<string, string> {
  if (typeof value === 'string') return { [prefix.slice(0, -1)]: value }
  return Object.assign({}, ...Object.entries(value as object).map(([key, part]) => flatten(part, `${prefix}${key}.`))) as Record<string, string>
}

const english = flatten({ ...en, ...enOfTasks })
const chinese = flatten({ ...zh, ...zhOfTasks })
const argumentsOf = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

it('has the same keys in both languages', () => {
  expect(Object.keys(chinese).sort()).toEqual(Object.keys(english).sort())
})

it('takes the same arguments in both languages', () => {
  const differ = Object.keys(english).filter((key) => argumentsOf(english[key]!).join() !== argumentsOf(chinese[key] ?? '').join())
  expect(differ).toEqual([])
})

it('leaves no text untranslated', () => {
  const letters = /[A-Za-z]{4,}/
  const same = Object.keys(english).filter((key) => english[key] === chinese[key] && letters.test(english[key]!))
  expect(same.filter((key) => !SAME_IN_BOTH.has(english[key]!))).toEqual([])
})

/** Names of files, formats and programs. */
const SAME_IN_BOTH = new Set(['agent.json', 'Python', 'UUID', 'YAML', 'stdout', 'stderr', 'Shell'])

describe('the keys that the page names', () => {
  const named = Object.entries(sources).flatMap(([path, text]) =>
    [...text.matchAll(/(?:\bt\(|\bte\(|\$t\(|label:)\s*['"`]([a-z][\w-]*(?:\.[\w-]+)+)['"`]/g)].map((match) => [path, match[1]!] as const),
  )

  it('are found in the sources', () => {
    expect(named.length).toBeGreaterThan(100)
  })

  it.each([...new Map(named.map(([path, key]) => [key, path]))])('%s exists (%s)', (key) => {
    expect(english).toHaveProperty([key])
  })

  it('that are put together begin with a part that exists', () => {
    const parts = Object.entries(sources).flatMap(([path, text]) => [...text.matchAll(/\bt\(`([a-z][\w.-]*)\.\$\{/gi)].map((match) => [path, match[1]!] as const))
    const missing = parts.filter(([, part]) => !Object.keys(english).some((key) => key.startsWith(`${part}.`)))
    expect(missing).toEqual([])
  })
})

it('says what only the pages of a task say nowhere else', () => {
  const own = ['../builder/', '../editor/', '../tasks/TaskSteps.vue', '../views/Task']
  const elsewhere = Object.entries(sources).filter(([path]) => !own.some((start) => path.startsWith(start)))
  expect(elsewhere.filter(([, text]) => /[`'"](?:builder|editor)\.\w/.test(text)).map(([path]) => path)).toEqual([])
})
