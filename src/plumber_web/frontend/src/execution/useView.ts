/** What of an execution is looked at: layout, step and host, kept in the address so that a link opens the same view. */
import { computed, ref, type Ref, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { usePreferences, type ExecutionLayout } from '@/stores/preferences'

export interface View {
  layout: WritableComputedRef<ExecutionLayout>
  step: WritableComputedRef<number>
  host: WritableComputedRef<string>
  /** The step that is shown until somebody chooses one. */
  offered: Ref<number>
}

export function useView(): View {
  const route = useRoute()
  const router = useRouter()
  const preferences = usePreferences()
  // Changes of one turn join: each reads the query that the one before it asked for.
  let wanted: Record<string, unknown> = {}
  const change = (part: Record<string, string | undefined>): void => {
    wanted = { ...route.query, ...wanted, ...part }
    void router.replace({ query: wanted as never }).finally(() => (wanted = {}))
  }

  const layout = computed<ExecutionLayout>({
    get: () => (route.query.layout as ExecutionLayout | undefined) ?? preferences.executionLayout,
    set: (value) => {
      preferences.executionLayout = value
      change({ layout: value })
    },
  })
  const offered = ref(0)
  // The line of a link is one of that step's log on that host.
  const step = computed({
    get: () => (route.query.step === undefined ? offered.value : Number(route.query.step) || 0),
    set: (value) => {
      if (value !== step.value) change({ step: String(value), line: undefined })
      else if (route.query.step === undefined) change({ step: String(value) })
    },
  })
  const host = computed({ get: () => String(route.query.host ?? ''), set: (value) => value !== host.value && change({ host: value, line: undefined }) })
  return { layout, step, host, offered }
}
