/** Turn what went wrong into a sentence of the chosen language. */
import { useI18n } from 'vue-i18n'
import { ApiError } from '@/api/errors'
import { useToasts } from '@/stores/toasts'

export function useErrors(): { explain: (error: unknown) => string; report: (error: unknown) => void } {
  const { t, te } = useI18n()
  const toasts = useToasts()

  function explain(error: unknown): string {
    if (!(error instanceof ApiError)) return t('errors.unexpected')
    const key = `errors.${error.code}`
    return te(key) || te(key, 'en') ? t(key, error.problem.arguments as Record<string, string>) : error.message
  }

  return { explain, report: (error) => toasts.add('bad', explain(error)) }
}
