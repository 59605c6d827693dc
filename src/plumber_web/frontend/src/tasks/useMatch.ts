/** Who matches a target expression now, asked again a moment after it changed. */
import { watchDebounced } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, toValue, type ComputedRef, type MaybeRefOrGetter, type Ref } from 'vue'
import { call, type Schemas } from '@/api/client'

export interface Match {
  match: Ref<Schemas['TargetMatch'] | null>
  error: Ref<unknown>
  busy: Ref<boolean>
  /** The expression depends on a run's parameters: nobody can be matched yet. */
  dynamic: ComputedRef<boolean>
}

export function useMatch(on: MaybeRefOrGetter<string>, wait = 350): Match {
  const match = shallowRef<Schemas['TargetMatch'] | null>(null)
  const error = shallowRef<unknown>(null)
  const busy = ref(false)
  const dynamic = computed(() => toValue(on).includes('${{'))
  let current: AbortController | undefined

  async function ask(): Promise<void> {
    current?.abort()
    const mine = (current = new AbortController())
    const expression = toValue(on).trim()
    if (!expression || dynamic.value) {
      match.value = error.value = null
      busy.value = false
      return
    }
    busy.value = true
    try {
      const answer = await call('agent.match', { on: expression }, mine.signal)
      if (mine.signal.aborted) return
      match.value = answer
      error.value = null
    } catch (reason) {
      if (mine.signal.aborted) return
      match.value = null
      error.value = reason
    }
    busy.value = false
  }

  watchDebounced(() => toValue(on), ask, { debounce: wait })
  void ask()
  onScopeDispose(() => current?.abort())
  return { match, error, busy, dynamic }
}
