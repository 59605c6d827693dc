/** What the server says about a task's text, a moment after it changed. */
import { watchDebounced } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { Mark } from './marks'
import { call } from '@/api/client'
import { usePhrases } from '@/composables/usePhrases'
import type { Problem } from '@/tasks/api'

export interface Validation {
  problems: Ref<readonly Problem[]>
  marks: ComputedRef<readonly Mark[]>
  checked: Ref<boolean>
  sentence: (problem: Problem) => string
  check: () => Promise<boolean>
}

export function useValidation(source: () => string, format: () => 'auto' | 'yaml' | 'json' | 'toml'): Validation {
  const { t } = useI18n()
  const { known, sayAll } = usePhrases()
  const problems = shallowRef<readonly Problem[]>([])
  const checked = ref(false)
  let current: AbortController | undefined

  function sentence(problem: Problem): string {
    const key = `editor.problems.${problem.code}`
    const said = known(key) ? t(key, { expected: problem.expected, ...problem.arguments, ...sayAll(problem.phrases) }) : problem.message
    return problem.nearest ? `${said} ${t('editor.nearest', { nearest: problem.nearest })}` : said
  }

  /** Ask now. Returns whether the task can be saved; true when the server could not be asked: saving will tell. */
  async function check(): Promise<boolean> {
    current?.abort()
    const mine = (current = new AbortController())
    try {
      const report = await call('task.validate', { source: source(), format: format() }, mine.signal)
      if (mine.signal.aborted) return true
      problems.value = report.problems
      checked.value = true
      return report.problems.length === 0
    } catch {
      return true
    }
  }

  watchDebounced(source, () => void check(), { debounce: 400, immediate: true })
  onScopeDispose(() => current?.abort())
  const marks = computed(() => problems.value.map((one) => ({ line: one.line ?? 0, column: one.column ?? 0, text: sentence(one) })))
  return { problems, marks, checked, sentence, check }
}
