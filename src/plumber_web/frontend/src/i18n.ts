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

/** Load a language and make it the page's. */
export async function speak(language: Language): Promise<void> {
  const { messages } = language === 'en' ? await import('./locales/en') : await import('./locales/zh-CN')
  i18n.global.setLocaleMessage(language, messages as never)
  i18n.global.locale.value = language
  document.documentElement.lang = language
}
