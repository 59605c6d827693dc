/** The task being edited: one text that the builder and the YAML editor both show, with undo. */
import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import * as document from './document'
import { freshName, insideOf } from './steps'
import { useHistory, type History } from './useHistory'
import { useToasts } from '@/stores/toasts'
import type { StepShape, TaskShape } from '@/tasks/api'

export interface TaskEditor {
  history: History
  /** Null while the text is no task that can be shown as steps. */
  task: ComputedRef<TaskShape | null>
  steps: ComputedRef<readonly StepShape[]>
  set: (path: document.Path, value: unknown) => void
  /** Change several keys of one step as one edit. */
  setStep: (at: number, values: Record<string, unknown>) => void
  insert: (at: number) => void
  /** Insert steps that are rolled out together, batch by batch. */
  insertBlock: (at: number) => void
  duplicate: (at: number) => void
  move: (from: number, to: number) => void
  remove: (at: number) => void
}

export function useTaskDocument(): TaskEditor {
  const { t } = useI18n()
  const toasts = useToasts()
  const history = useHistory()
  const { text } = history
  const task = computed(() => document.readTask(text.value))
  const steps = computed(() => task.value?.steps ?? [])
  const names = (): (string | undefined)[] => steps.value.flatMap((step) => [step, ...insideOf(step)]).map((step) => step.name)

  function write(next: string | null, place = ''): void {
    if (next === null) toasts.add('bad', t('builder.refused'))
    else history.write(next, place)
  }

  function setStep(at: number, values: Record<string, unknown>): void {
    let next: string | null = text.value
    for (const [key, value] of Object.entries(values)) next = next === null ? null : document.setValue(next, ['steps', at, key], value)
    write(next, `steps.${at}.${Object.keys(values).join()}`)
  }

  function remove(at: number): void {
    const before = text.value
    const gone = steps.value[at]
    write(document.removeStep(before, at))
    const after = text.value
    if (!gone || after === before) return
    const run = (): void => (text.value === after ? history.undo() : write(document.insertStep(text.value, Math.min(at, steps.value.length), gone)))
    toasts.add('info', t('builder.deleted', { name: gone.name ?? at + 1 }), { label: t('builder.undo'), run })
  }

  return {
    history,
    task,
    steps,
    set: (path, value) => write(document.setValue(text.value, path, value), path.join('.')),
    setStep,
    insert: (at) => write(document.insertStep(text.value, at, { name: freshName(t('builder.newStep'), names()), run: 'echo hello' })),
    insertBlock: (at) => write(document.insertStep(text.value, at, { name: freshName(t('builder.newBlock'), names()), rollout: { batches: '1 10% 100%' }, steps: [{ name: freshName(t('builder.newStep'), names()), run: 'echo hello' }] })),
    duplicate: (at) => write(document.duplicateStep(text.value, at, freshName(t('builder.copyOf', { name: steps.value[at]?.name ?? '' }), names()))),
    move: (from, to) => void (to >= 0 && to < steps.value.length && from !== to && write(document.moveStep(text.value, from, to))),
    remove,
  }
}
