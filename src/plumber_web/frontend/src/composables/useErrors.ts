/** Turn what went wrong into a sentence of the chosen language. */
import { useI18n } from 'vue-i18n'
import { usePhrases } from './usePhrases'
import { ApiError } from '@/api/errors'
import { useToasts } from '@/stores/toasts'

export function useErrors(): { explain: (error: unknown) => string; report: (error: unknown) => void } {
  const { t } = useI18n()
  const { known, sayAll } = usePhrases()
  const toasts = useToasts()

  /** What there is none of; a newer one stays as it is called. */
  function noun(kind: unknown): unknown {
    const key = `errors.kinds.${String(kind).replaceAll(' ', '_')}`
    return known(key) ? t(key) : kind
  }

  /** A reason that is newer than this page stays as the server said it. */
  function explain(error: unknown): string {
    if (!(error instanceof ApiError)) return t('errors.unexpected')
    const key = `errors.${error.code}`
    const { because, phrases, kind, ...given } = error.problem.arguments
    return known(key) ? t(key, { ...given, kind: noun(kind), ...sayAll(phrases), ...sayAll({ reason: because }) }) : error.message
  }

  return { explain, report: (error) => toasts.add('bad', explain(error)) }
}
