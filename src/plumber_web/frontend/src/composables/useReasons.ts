/** Why something waits, ended or could not start, as sentences. A code that is newer than this page is said in words. */
import { useI18n } from 'vue-i18n'
import { useFormat } from './useFormat'

type Coded = Record<string, unknown> | null | undefined

export interface Reasons {
  /** Why a step waits, from its state when nothing more is known. */
  waiting: (waiting: Coded, state: string) => string
  /** How an attempt ended, '' when there is nothing to say. */
  ended: (error: string | null | undefined, detail: string | null | undefined) => string
  /** What kept an execution from going on. */
  problem: (problem: Coded) => string
}

const inWords = (code: string): string => code.replaceAll('_', ' ')

export function useReasons(): Reasons {
  const { t, te } = useI18n()
  const format = useFormat()
  const known = (key: string): boolean => te(key) || te(key, 'en')
  const time = (value: unknown): string => (typeof value === 'string' ? format.moment(value) : '?')
  const given = (coded: Coded): Record<string, unknown> => ({ ...coded, ...(coded?.arguments as object | undefined), until: time(coded?.until), since: time(coded?.since), steps: [coded?.steps ?? []].flat().join(', ') })

  function waiting(coded: Coded, state: string): string {
    const code = String(coded?.code ?? '')
    for (const one of [code, state]) if (one && known(`execution.wait.${one}`)) return t(`execution.wait.${one}`, given(coded))
    return code ? t('execution.wait.unknown', { code: inWords(code) }) : t('execution.wait.other')
  }

  function ended(error: string | null | undefined, detail: string | null | undefined): string {
    if (!error) return detail ?? ''
    if (known(`execution.ended.${error}`)) return t(`execution.ended.${error}`, { detail: detail ?? '' })
    return [inWords(error), detail].filter(Boolean).join(': ')
  }

  function problem(coded: Coded): string {
    const code = String(coded?.code ?? '')
    if (!code) return ''
    return known(`errors.${code}`) ? t(`errors.${code}`, given(coded)) : inWords(code)
  }

  return { waiting, ended, problem }
}
