/** The list of executions: filtered, page by page, fresh. */
import { refDebounced } from '@vueuse/core'
import { computed, ref, watch } from 'vue'
import { useRoute } from 'vue-router'
import type { Schemas } from '@/api/client'
import { useCall } from '@/api/useCall'
import { useLive } from '@/composables/useLive'

const PAGE = 50
export const EXECUTION_STATES: readonly Schemas['ExecutionState'][] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']

export function useExecutions() {
  const query = useRoute().query
  const state = ref(EXECUTION_STATES.find((one) => one === query.state) ?? '')
  const search = ref(typeof query.search === 'string' ? query.search : '')
  const settled = refDebounced(search, 250)
  const cursors = ref<string[]>([])
  watch([state, settled], () => (cursors.value = []))
  const list = useCall('execution.list', () => ({
    state: state.value ? (state.value as Schemas['ExecutionState']) : null,
    search: settled.value.trim(),
    limit: PAGE,
    cursor: cursors.value.at(-1) ?? null,
  }))
  useLive(['execution.'], () => void list.refetch())
  const following = computed(() => list.data.value?.next ?? null)

  function next(): void {
    if (following.value) cursors.value = [...cursors.value, following.value]
  }
  function clear(): void {
    state.value = ''
    search.value = ''
  }
  return {
    state,
    search,
    executions: computed(() => list.data.value?.items ?? []),
    filtered: computed(() => state.value !== '' || settled.value.trim() !== ''),
    loading: computed(() => list.data.value === undefined),
    error: list.error,
    more: computed(() => following.value !== null),
    earlier: computed(() => cursors.value.length > 0),
    next,
    back: () => (cursors.value = cursors.value.slice(0, -1)),
    refresh: () => void list.refetch(),
    clear,
  }
}
