import { mount } from '@vue/test-utils'
import { afterAll, expect, it } from 'vitest'
import { useI18n } from 'vue-i18n'
import { useFormat, type Format } from './useFormat'
import { i18n, speak, type Language } from '@/i18n'

async function speakingIn<T>(language: Language, use: () => T): Promise<T> {
  await speak(language)
  let made!: T
  mount({ setup: () => ((made = use()), () => null) }, { global: { plugins: [i18n] } }).unmount()
  return made
}
const formatIn = (language: Language): Promise<Format> => speakingIn(language, useFormat)
afterAll(() => speak('en'))

it.each([
  ['en', ['—', '0.4 s', '42 s', '2 min 5 s', '3 h 1 min', '2 d 4 h']],
  ['zh-CN', ['—', '0.4 秒', '42 秒', '2 分 5 秒', '3 小时 1 分', '2 天 4 小时']],
] as const)('says how long something took in %s', async (language, said) => {
  const format = await formatIn(language)
  expect([null, 0.4, 42, 125, 10_860, 187_200].map(format.duration)).toEqual(said)
})

it.each([
  ['en', ['never', 'just now', '3 min ago', '2 hr ago', '5 days ago', 'in 2 min']],
  ['zh-CN', ['从未', '刚刚', '3 分钟前', '2 小时前', '5 天前', '2 分钟后']],
] as const)('says when something was in %s', async (language, said) => {
  const format = await formatIn(language)
  const now = Date.parse('2026-03-01T12:00:00Z')
  // Some browsers set a dot after what is abbreviated.
  const at = (seconds: number): string => format.ago(new Date(now + seconds * 1000).toISOString(), now).replace('.', '')
  expect([format.ago(null, now), at(-1), at(-180), at(-7200), at(-432_000), at(120)]).toEqual(said)
})

it.each([
  ['en', ['2 kB', '1.5 MB', '1,234,567']],
  ['zh-CN', ['2 kB', '1.5 MB', '1,234,567']],
] as const)('says how much something is in %s', async (language, said) => {
  const format = await formatIn(language)
  expect([format.bytes(2048), format.bytes(1.5 * 2 ** 20), format.count(1_234_567)]).toEqual(said)
})

it.each([
  ['en', ['1 host matches now', '2 hosts match now']],
  ['zh-CN', ['当前匹配 1 台主机', '当前匹配 2 台主机']],
] as const)('has the plurals of %s', async (language, said) => {
  const { t } = await speakingIn(language, () => useI18n())
  expect([1, 2].map((n) => t('tasks.match.now', { n }, n))).toEqual(said)
})
