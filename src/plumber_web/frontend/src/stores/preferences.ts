/** What a person chose for this browser: theme, language, layouts. */
import { useStorage, usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, watchEffect } from 'vue'
import { browserLanguage, speak, type Language } from '@/i18n'

export type Theme = 'system' | 'light' | 'dark'
export type ExecutionLayout = 'matrix' | 'collated' | 'log'

export const usePreferences = defineStore('preferences', () => {
  const theme = useStorage<Theme>('plumber.theme', 'system')
  const chosenLanguage = useStorage<Language | ''>('plumber.language', '')
  const executionLayout = useStorage<ExecutionLayout>('plumber.layout', 'matrix')
  const railCollapsed = useStorage('plumber.rail', false)
  const wrapLog = useStorage('plumber.wrap', true)
  const showTimes = useStorage('plumber.times', false)
  const lastVisit = useStorage('plumber.visit', '')
  const prefersDark = usePreferredDark()
  const language = computed<Language>(() => chosenLanguage.value || browserLanguage())
  const dark = computed(() => (theme.value === 'system' ? prefersDark.value : theme.value === 'dark'))

  function apply(): void {
    watchEffect(() => (document.documentElement.dataset.theme = dark.value ? 'dark' : 'light'))
  }

  /** Its texts may not be there: the server is away, or an upgraded one has others, which the frame tells. */
  async function choose(wanted: Language): Promise<void> {
    if (await speak(wanted).then(() => true, () => false)) chosenLanguage.value = wanted
  }

  return { theme, language, executionLayout, railCollapsed, wrapLog, showTimes, lastVisit, dark, apply, choose }
})
