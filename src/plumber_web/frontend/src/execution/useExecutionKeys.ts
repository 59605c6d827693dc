/** The keys of an execution's page. */
import { useClipboard } from '@vueuse/core'
import { useI18n } from 'vue-i18n'
import { useShortcuts } from '@/composables/useShortcuts'
import { useToasts } from '@/stores/toasts'
import type { ExecutionLayout } from '@/stores/preferences'

export interface Moves {
  failure: (by: 1 | -1) => void
  host: (by: 1 | -1) => void
  step: (by: 1 | -1) => void
  /** Choose the host, or choose it no more. */
  choose: () => void
  /** Choose nothing. */
  drop: () => void
  compare: () => void
  show: (layout: ExecutionLayout) => void
}

export function useExecutionKeys(moves: Moves): void {
  const { t } = useI18n()
  const toasts = useToasts()
  const { copy } = useClipboard({ legacy: true })

  async function copyLink(): Promise<void> {
    await copy(location.href)
    toasts.add('good', t('execution.linkCopied'))
  }

  useShortcuts([
    { keys: '1', label: 'execution.layouts.matrix', run: () => moves.show('matrix') },
    { keys: '2', label: 'execution.layouts.collated', run: () => moves.show('collated') },
    { keys: '3', label: 'execution.layouts.log', run: () => moves.show('log') },
    { keys: 'f', label: 'execution.keys.nextFailure', run: () => moves.failure(1) },
    { keys: 'F', label: 'execution.keys.previousFailure', run: () => moves.failure(-1) },
    { keys: 'j', label: 'execution.keys.nextHost', run: () => moves.host(1) },
    { keys: 'k', label: 'execution.keys.previousHost', run: () => moves.host(-1) },
    { keys: ']', label: 'execution.keys.nextStep', run: () => moves.step(1) },
    { keys: '[', label: 'execution.keys.previousStep', run: () => moves.step(-1) },
    { keys: 'x', label: 'execution.keys.tick', run: moves.choose },
    { keys: 'Space', label: 'execution.keys.chooseCell' },
    { keys: 'Shift ↓', label: 'execution.keys.extend' },
    { keys: 'Shift Space', label: 'execution.keys.chooseRow' },
    { keys: 'Ctrl Space', label: 'execution.keys.chooseColumn' },
    { keys: 'Ctrl A', label: 'execution.keys.chooseAll' },
    { keys: 'Escape', label: 'execution.clearChosen', run: moves.drop },
    { keys: 'd', label: 'collated.compare', run: moves.compare },
    { keys: 'y', label: 'execution.copyLink', run: () => void copyLink() },
  ])
}
