/** Both languages, each one chunk, loaded when it is chosen. */
import { createI18n } from 'vue-i18n'

export type Language = 'en' | 'zh-CN'
export const LANGUAGES: readonly Language[] = ['en', 'zh-CN']

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  missingWarn: import.meta.env.DEV,
  missing: (_, key) => unknown(key),
  fallbackWarn: false,
  messages: {} as Record<Language, Record<string, never>>,
})

/** Return the language that the browser asks for. */
export function browserLanguage(): Language {
  const wanted = navigator.languages[0] ?? navigator.language
  return wanted.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

/** A newer server may know states that this page does not: their code in words is better than a key. */
function unknown(key: string): string | undefined {
  return key.startsWith('states.') ? key.slice('states.'.length).replaceAll('_', ' ') : undefined
}

const FIRST = { en: () => import('./locales/en'), 'zh-CN': () => import('./locales/zh-CN') }
const OF_TASKS = { en: () => import('./locales/en/tasks'), 'zh-CN': () => import('./locales/zh-CN/tasks') }
let speaksOfTasks = false

/** Load a language and make it the page's. */
export async function speak(language: Language): Promise<void> {
  const parts = await Promise.all([FIRST[language](), ...(speaksOfTasks ? [OF_TASKS[language]()] : [])])
  i18n.global.setLocaleMessage(language, Object.assign({}, ...parts.map((part) => part.messages)) as never)
  i18n.global.locale.value = language
  document.documentElement.lang = language
}

/** Load what the pages of a task say, too, in the page's language and in those that follow. */
export async function speakOfTasks(): Promise<void> {
  if (speaksOfTasks) return
  const { messages } = await OF_TASKS[i18n.global.locale.value]()
  i18n.global.mergeLocaleMessage(i18n.global.locale.value, messages as never)
  speaksOfTasks = true
}
