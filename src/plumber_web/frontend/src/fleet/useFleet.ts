/** The fleet as it is now, filtered by facets, and what can be done with the agents that are ticked. */
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'
import type { Schemas } from '@/api/client'
import { useCall } from '@/api/useCall'
import { useLive } from '@/composables/useLive'
import { useIntervalFn } from '@vueuse/core'
import { facetsOf, matches, type Facet, type Filter } from './facets'

export type Agent = Schemas['AgentView']
const REFRESH = 5000
/** At most so many are read at once. */
export const MOST = 500

export interface Fleet {
  agents: Readonly<Ref<Agent[]>>
  /** There are more than are read. */
  more: ComputedRef<boolean>
  /** The saved groups, and the one of which the agents are; '' is all of them. */
  groups: ComputedRef<Schemas['GroupView'][]>
  group: Ref<string>
  shown: ComputedRef<Agent[]>
  facets: ComputedRef<Facet[]>
  filter: Ref<Filter>
  loading: ComputedRef<boolean>
  error: ComputedRef<unknown>
  refresh: () => void
}

export function useFleet(): Fleet {
  const group = ref('')
  const query = useCall('agent.list', () => ({ on: group.value ? `group:${group.value}` : 'all', limit: MOST }))
  const saved = useCall('group.list', {}, { staleTime: 60_000 })
  const filter = ref<Filter>({ search: '', chosen: {} })
  // Those of the last group stay until those of the next one are known.
  const agents = shallowRef<Agent[]>([])
  const known = ref(false)
  watch(query.data, (page) => page && ((agents.value = page.items), (known.value = true)), { immediate: true })
  const refresh = (): void => void query.refetch()
  useLive(['agent.'], refresh)
  // Presence and load change without an event.
  useIntervalFn(refresh, REFRESH)
  return {
    agents,
    more: computed(() => Boolean(query.data.value?.next)),
    groups: computed(() => saved.data.value ?? []),
    group,
    shown: computed(() => agents.value.filter((agent) => matches(agent, filter.value))),
    facets: computed(() => facetsOf(agents.value)),
    filter,
    loading: computed(() => !known.value && query.isPending.value),
    error: computed(() => query.error.value),
    refresh,
  }
}
