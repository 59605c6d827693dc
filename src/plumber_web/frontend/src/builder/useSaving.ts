/** Loads the task that is edited, and saves it without overwriting what somebody else saved meanwhile. */
import { useQueryCache } from '@pinia/colada'
import { computed, ref, shallowRef, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { keepDraft, takeDraft } from './draft'
import { skeleton } from './skeleton'
import type { History } from './useHistory'
import { call, type Schemas } from '@/api/client'
import { ApiError } from '@/api/errors'
import { useErrors } from '@/composables/useErrors'
import { useSession } from '@/stores/session'
import { useToasts } from '@/stores/toasts'

type Detail = Schemas['TaskDetail']

export interface Saving {
  loading: Ref<boolean>
  error: Ref<unknown>
  format: ComputedRef<Detail['format']>
  revision: ComputedRef<number>
  dirty: ComputedRef<boolean>
  busy: Ref<boolean>
  /** What stands on the server in place of what was loaded, once saving was refused for it. */
  theirs: Ref<Detail | null>
  load: () => Promise<void>
  /** Put unsaved work aside; `load` brings it back. */
  keep: () => void
  save: (note: string) => Promise<Detail | undefined>
  takeTheirs: () => void
  overwrite: (note: string) => Promise<Detail | undefined>
}

export function useSaving(name: () => string | undefined, taskName: () => string | undefined, history: History): Saving {
  const { t } = useI18n()
  const errors = useErrors()
  const cache = useQueryCache()
  const toasts = useToasts()
  const user = useSession().user?.name ?? ''
  const loading = ref(true)
  const error = shallowRef<unknown>(null)
  const loaded = shallowRef<Detail | null>(null)
  const theirs = shallowRef<Detail | null>(null)
  const saved = ref('')
  const busy = ref(false)
  const format = computed(() => (loaded.value?.format === 'toml' ? 'toml' : 'auto'))

  function take(detail: Detail): void {
    loaded.value = detail
    saved.value = detail.source
    history.reset(detail.source)
  }

  async function load(): Promise<void> {
    loading.value = true
    error.value = null
    try {
      const wanted = name()
      if (wanted !== undefined) take(await call('task.show', { task: wanted }))
      else history.reset((saved.value = skeleton(t('builder.newTask'), t('builder.newStep'))))
      bringBack()
    } catch (reason) {
      error.value = reason
    }
    loading.value = false
  }

  const revision = computed(() => loaded.value?.revision.number ?? 0)
  const keep = (): void => keepDraft(name(), { text: history.text.value, revision: revision.value, user })

  /** Work that was put aside still changes the revision that it began with: saving tells of what was saved meanwhile. */
  function bringBack(): void {
    const draft = takeDraft(name(), user)
    const newest = loaded.value
    if (!draft || draft.text === history.text.value) return
    history.write(draft.text)
    if (newest) loaded.value = { ...newest, revision: { ...newest.revision, number: draft.revision } }
    toasts.add('info', t('builder.restored'), { label: t('builder.discard'), run: () => void load() })
  }

  /** Under another name it becomes another task, which must be new. */
  const expected = (): number => (loaded.value && loaded.value.name === taskName() ? loaded.value.revision.number : 0)

  async function apply(note: string, revision: number): Promise<Detail | undefined> {
    busy.value = true
    const source = history.text.value
    try {
      const detail = await call('task.apply', { source, format: format.value, note, expected_revision: revision })
      loaded.value = detail
      saved.value = source
      theirs.value = null
      await Promise.all(['task.show', 'task.list', 'task.history'].map((key) => cache.invalidateQueries({ key: [key] })))
      return detail
    } catch (reason) {
      if (reason instanceof ApiError && reason.code === 'conflict') await lookAtTheirs(reason)
      else errors.report(reason)
      return undefined
    } finally {
      busy.value = false
    }
  }

  async function lookAtTheirs(reason: unknown): Promise<void> {
    const task = taskName()
    theirs.value = task ? await call('task.show', { task }).catch(() => null) : null
    if (!theirs.value) errors.report(reason)
  }

  return {
    loading,
    error,
    format,
    revision,
    dirty: computed(() => !loading.value && !error.value && history.text.value !== saved.value),
    busy,
    theirs,
    load,
    keep,
    save: (note) => apply(note, expected()),
    takeTheirs: () => void (theirs.value && (take(theirs.value), (theirs.value = null))),
    overwrite: (note) => apply(note, theirs.value?.revision.number ?? 0),
  }
}
