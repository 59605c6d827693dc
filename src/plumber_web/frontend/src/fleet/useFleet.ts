/** The fleet as it is now, filtered by facets, and what can be done with the agents that are ticked. */
import { computed, ref, type ComputedRef, type Ref } from 'vue'
import type { Schemas } from '@/api/client'
import { useCall } from '@/api/useCall'
import { useLive } from '@/composables/useLive'
import { useIntervalFn } from '@vueuse/core'
import { facetsOf, matches, type Facet, type Filter } from './facets'

export type Agent = Schemas['AgentView']
const REFRESH = 5000

export interface Fleet {
  agents: ComputedRef<Agent[]>
  shown: ComputedRef<Agent[]>
  facets: ComputedRef<Facet[]>
  filter: Ref<Filter>
  loading: ComputedRef<boolean>
  error: ComputedRef<unknown>
  refresh: () => void
}

export function useFleet(): Fleet {
  const query = useCall('agent.list', { on: 'all', limit: 500 })
  const filter = ref<Filter>({ search: '', chosen: {} })
  const agents = computed(() => query.data.value?.items ?? [])
  const refresh = (): void => void query.refetch()
  useLive(['agent.'], refresh)
  // Presence and load change without an event.
  useIntervalFn(refresh, REFRESH)
  return {
    agents,
    shown: computed(() => agents.value.filter((agent) => matches(agent, filter.value))),
    facets: computed(() => facetsOf(agents.value)),
    filter,
    loading: computed(() => query.isPending.value),
    error: computed(() => query.error.value),
    refresh,
  }
}
