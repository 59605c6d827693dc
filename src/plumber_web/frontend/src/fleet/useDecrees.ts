/** What people decree over agents, one or many at once. */
import { useI18n } from 'vue-i18n'
import type { Agent } from './useFleet'
import { call } from '@/api/client'
import { useErrors } from '@/composables/useErrors'
import { useToasts } from '@/stores/toasts'

export type Decree = 'drain' | 'activate' | 'disable' | 'revoke' | 'delete' | 'waive'
/** Offered for every agent; `waive` only where something is awaited. */
export const DECREES: readonly Decree[] = ['drain', 'activate', 'disable', 'revoke', 'delete']
/** These ask first: a revoked agent never comes back, a forgotten one loses its name, a waived inventory a promise. */
export const FINAL: ReadonlySet<Decree> = new Set(['revoke', 'delete', 'waive'])

export function useDecrees(changed: () => void): (decree: Decree, agents: readonly Agent[]) => Promise<void> {
  const { t } = useI18n()
  const toasts = useToasts()
  const errors = useErrors()

  return async function carryOut(decree, agents) {
    const answers = await Promise.allSettled(agents.map((agent) => call(`agent.${decree}`, { agent: agent.id })))
    const refused = answers.filter((answer) => answer.status === 'rejected')
    refused.slice(0, 3).forEach((answer) => errors.report(answer.reason))
    const done = answers.length - refused.length
    if (done > 0) toasts.add('good', t(`fleet.done.${decree}`, { n: done, name: agents[0]?.name ?? '' }, done))
    changed()
  }
}
