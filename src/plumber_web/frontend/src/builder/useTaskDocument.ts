/** The task being edited: one text that the builder and the YAML editor both show, with undo. */
import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import * as document from './document'
import { everyStep, listOf, pathOf, placeIn, stepAt, stepsAt, type Path, type Place } from './places'
import { freshName } from './steps'
import { useHistory, type History } from './useHistory'
import { useToasts } from '@/stores/toasts'
import type { StepShape, TaskShape } from '@/tasks/api'

export interface TaskEditor {
  history: History
  /** Null while the text is no task that can be shown as steps. */
  task: ComputedRef<TaskShape | null>
  set: (path: Path, value: unknown) => void
  /** Change several keys of one step as one edit. */
  setStep: (place: Place, values: Record<string, unknown>) => void
  /** Insert a step as number `at` of a list. */
  insert: (list: Place, at: number) => void
  /** Insert steps that are rolled out together, batch by batch. */
  insertBlock: (list: Place, at: number) => void
  duplicate: (place: Place) => void
  /** Move a step so that it is number `to` of a list then; a place that does not exist changes nothing. */
  move: (from: Place, list: Place, to: number) => void
  remove: (place: Place) => void
}

export function useTaskDocument(): TaskEditor {
  const { t } = useI18n()
  const toasts = useToasts()
  const history = useHistory()
  const { text } = history
  const task = computed(() => document.readTask(text.value))
  const fresh = (wanted: string, more: readonly string[] = []): string => freshName(wanted, [...everyStep(task.value).map(([, step]) => step.name), ...more])
  const newStep = (): StepShape => ({ name: fresh(t('builder.newStep')), run: 'echo hello' })

  function write(next: string | null, place = ''): void {
    if (next === null) toasts.add('bad', t('builder.refused'))
    else history.write(next, place)
  }

  function setStep(place: Place, values: Record<string, unknown>): void {
    let next: string | null = text.value
    for (const [key, value] of Object.entries(values)) next = next === null ? null : document.setValue(next, [...pathOf(place), key], value)
    write(next, `${place}.${Object.keys(values).join()}`)
  }

  function duplicate(place: Place): void {
    const taken: string[] = []
    write(document.duplicateStep(text.value, place, (name = '') => {
      const copy = fresh(t('builder.copyOf', { name }), taken)
      taken.push(copy)
      return copy
    }))
  }

  function move(from: Place, list: Place, to: number): void {
    const origin = listOf(from)
    const room = stepsAt(task.value, list).length - (origin.list === list ? 1 : 0)
    if (to >= 0 && to <= room && placeIn(list, to) !== from) write(document.moveStep(text.value, from, list, to))
  }

  function remove(place: Place): void {
    const { list, at } = listOf(place)
    const before = text.value
    const gone = stepAt(task.value, place)
    write(document.removeStep(before, place))
    const after = text.value
    if (!gone || after === before) return
    const again = (): void => write(document.insertStep(text.value, list, Math.min(at, stepsAt(task.value, list).length), gone))
    const run = (): void => (text.value === after ? history.undo() : again())
    toasts.add('info', t('builder.deleted', { name: gone.name ?? at + 1 }), { label: t('builder.undo'), run })
  }

  return {
    history,
    task,
    set: (path, value) => write(document.setValue(text.value, path, value), path.join('.')),
    setStep,
    insert: (list, at) => write(document.insertStep(text.value, list, at, newStep())),
    insertBlock: (list, at) => write(document.insertStep(text.value, list, at, { name: fresh(t('builder.newBlock')), rollout: { batches: '1 10% 100%' }, steps: [newStep()] })),
    duplicate,
    move,
    remove,
  }
}
