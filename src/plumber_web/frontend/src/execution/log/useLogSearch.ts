/** Search in a log: how many lines match, and from one to the next. */
import { useDebounceFn } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type { Found } from '@/logs/load'
import type { LogFeed } from './feed'
import { patternOf } from './highlight'

export interface LogSearch {
  query: Ref<string>
  regex: Ref<boolean>
  found: ShallowRef<Found | null>
  /** Which of the hits, from 0. */
  at: Ref<number>
  busy: Ref<boolean>
  invalid: ComputedRef<boolean>
  pattern: ComputedRef<RegExp | null>
  /** The line of the hit that is shown, or -1. */
  current: ComputedRef<number>
  step: (by: number) => void
  clear: () => void
}

export function useLogSearch(feed: () => LogFeed, goTo: (line: number) => void, failed: (error: unknown) => void): LogSearch {
  const query = ref('')
  const regex = ref(false)
  const found = shallowRef<Found | null>(null)
  const at = ref(0)
  const busy = ref(false)
  const pattern = computed(() => patternOf(query.value, regex.value))
  const invalid = computed(() => query.value !== '' && pattern.value === null)
  const current = computed(() => found.value?.hits[at.value] ?? -1)
  let running: AbortController | undefined

  async function run(): Promise<void> {
    running?.abort()
    const mine = (running = new AbortController())
    if (!pattern.value) {
      found.value = null
      busy.value = false
      return
    }
    busy.value = true
    try {
      const answer = await feed().search(query.value, regex.value, mine.signal)
      if (mine.signal.aborted) return
      found.value = answer
      at.value = 0
      if (current.value >= 0) goTo(current.value)
    } catch (error) {
      if (!mine.signal.aborted) failed(error)
    } finally {
      if (running === mine) busy.value = false
    }
  }

  function step(by: number): void {
    const hits = found.value?.hits.length ?? 0
    if (!hits) return
    at.value = (at.value + by + hits) % hits
    goTo(current.value)
  }

  watch([query, regex, feed], useDebounceFn(run, 250))
  onScopeDispose(() => running?.abort())
  return { query, regex, found, at, busy, invalid, pattern, current, step, clear: () => (query.value = '') }
}
