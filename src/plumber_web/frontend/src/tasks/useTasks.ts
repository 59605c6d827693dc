/** One page of tasks, found by name, kept fresh while executions begin and end. */
import { refDebounced } from '@vueuse/core'
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'
import type { TaskRow } from './api'
import { useCall } from '@/api/useCall'
import { useLive } from '@/composables/useLive'

const PAGE = 50

export interface Tasks {
  search: Ref<string>
  /** The page as last read: it stays while the next one is asked for. */
  tasks: ComputedRef<readonly TaskRow[]>
  searching: ComputedRef<boolean>
  loading: ComputedRef<boolean>
  error: ComputedRef<unknown>
  more: ComputedRef<boolean>
  earlier: ComputedRef<boolean>
  next: () => void
  back: () => void
  refresh: () => void
}

export function useTasks(): Tasks {
  const search = ref('')
  const asked = refDebounced(search, 200)
  const cursors = ref<(string | null)[]>([null])
  const query = useCall('task.list', () => ({ search: asked.value.trim(), limit: PAGE, cursor: cursors.value.at(-1) ?? null }))
  const page = shallowRef(query.data.value)
  watch(asked, () => (cursors.value = [null]))
  watch(query.data, (data) => data && (page.value = data), { immediate: true })
  const refresh = (): void => void query.refetch()
  useLive(['execution.', 'task.'], refresh)

  return {
    search,
    tasks: computed(() => page.value?.items ?? []),
    searching: computed(() => asked.value.trim() !== ''),
    loading: computed(() => !page.value && !query.error.value),
    error: computed(() => query.error.value),
    more: computed(() => Boolean(page.value?.next)),
    earlier: computed(() => cursors.value.length > 1),
    next: () => void (page.value?.next && (cursors.value = [...cursors.value, page.value.next])),
    back: () => void (cursors.value = cursors.value.slice(0, -1)),
    refresh,
  }
}
