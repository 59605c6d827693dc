import { mount } from '@vue/test-utils'
import { beforeAll, expect, it } from 'vitest'
import { defineComponent } from 'vue'
import { useReasons, type Reasons } from './useReasons'
import { i18n, speak } from '@/i18n'

let reasons: Reasons
const named = (key: string): string => (i18n.global as unknown as { t: (key: string) => string }).t(key)
beforeAll(async () => {
  await speak('en')
  mount(defineComponent({ setup: () => ((reasons = useReasons()), () => null) }), { global: { plugins: [i18n] } })
})

it('says why a step waits, by its code or else its state', () => {
  expect(reasons.waiting({ code: 'no_connection_or_slot' }, 'ready')).toMatch(/connect or for a free slot/)
  expect(reasons.waiting(null, 'blocked')).toBe('Waits for the steps before it.')
  expect(reasons.waiting(null, 'ready')).toBe('Waits to start.')
  const silent = { since: '2026-11-29T10:00:00+00:00' }
  expect(reasons.waiting({ code: 'agent_silent', ...silent }, 'unreachable')).toMatch(/since .*2026.*still running as far as known/)
  expect(reasons.waiting({ code: 'cancel_unheard', ...silent }, 'unreachable')).toMatch(/^Cancel was asked for.*2026/)
  expect(reasons.waiting({ code: 'retry', until: silent.since, attempt: 2, attempts: 3 }, 'retry_wait')).toMatch(/^Attempt 2 of 3 starts at .*2026/)
})

it('says a code that is newer than the page in words', () => {
  expect(reasons.waiting({ code: 'full_moon' }, 'ready')).toBe('Waits: full moon.')
  expect(reasons.ended('eaten_by_bear', 'at noon')).toBe('eaten by bear: at noon')
  expect(reasons.problem({ code: 'never_heard_of' })).toBe('never heard of')
  expect(named('states.half_done')).toBe('half done')
})

it('puts arguments into sentences', () => {
  expect(reasons.problem({ code: 'nobody_matches', arguments: { step: 'build', target: 'role=db' } })).toBe('Step build: no agent matches role=db.')
  expect(reasons.ended('timeout', '5 s')).toBe('It took longer than 5 s and was ended.')
  expect(reasons.ended(null, '')).toBe('')
})
