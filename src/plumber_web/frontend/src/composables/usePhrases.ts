/** Words of the server's own inside of its sentences: a code with arguments each, said in the page's language. */
import { useI18n } from 'vue-i18n'

interface Coded {
  code: string
  arguments: Record<string, unknown>
}

/** Arguments that name a state: the page has words of its own for them. */
const STATES = new Set(['state', 'wanted'])

function isCoded(value: unknown): value is Coded {
  return typeof value === 'object' && value !== null && 'code' in value && 'arguments' in value && typeof value.arguments === 'object'
}

export interface Phrases {
  known: (key: string) => boolean
  /** Say one; undefined for what is newer than this page. */
  say: (phrase: unknown) => string | undefined
  /** Say all that can be said, by name. */
  sayAll: (phrases: unknown) => Record<string, string>
}

export function usePhrases(): Phrases {
  const { t, te } = useI18n()
  const known = (key: string): boolean => te(key) || te(key, 'en')

  function argument(name: string, value: unknown): unknown {
    if (isCoded(value)) return say(value) ?? ''
    return STATES.has(name) && known(`states.${value}`) ? t(`states.${value}`) : value
  }

  function say(phrase: unknown): string | undefined {
    if (!isCoded(phrase) || !known(`reasons.${phrase.code}`)) return undefined
    const told = Object.entries(phrase.arguments).map(([name, value]) => [name, argument(name, value)])
    return t(`reasons.${phrase.code}`, Object.fromEntries(told) as Record<string, string>)
  }

  function sayAll(phrases: unknown): Record<string, string> {
    const said = Object.entries(phrases ?? {}).map(([name, phrase]) => [name, say(phrase)])
    return Object.fromEntries(said.filter(([, text]) => text !== undefined)) as Record<string, string>
  }

  return { known, say, sayAll }
}
