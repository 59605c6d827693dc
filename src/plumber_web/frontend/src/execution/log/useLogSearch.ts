/** Search in a log: how many lines match, and from one to the next. */
import { useDebounceFn } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type { Hits, LogFeed } from './feed'
import { patternOf } from './highlight'

export interface LogSearch {
  query: Ref<string>
  regex: Ref<boolean>
  found: ShallowRef<Hits | null>
  /** Which of the hits, from 0. */
  at: Ref<number>
  busy: Ref<boolean>
  invalid: ComputedRef<boolean>
  pattern: ComputedRef<RegExp | null>
  /** The row of the hit that is shown, or -1. */
  current: ComputedRef<number>
  step: (by: number) => void
  clear: () => void
}

export function useLogSearch(feed: () => LogFeed, goTo: (line: number) => void, failed: (error: unknown) => void): LogSearch {
  const query = ref('')
  const regex = ref(false)
  const found = shallowRef<Hits | null>(null)
  const at = ref(0)
  const busy = ref(false)
  const pattern = computed(() => patternOf(query.value, regex.value))
  const invalid = computed(() => query.value !== '' && pattern.value === null)
  const hit = computed(() => found.value?.hits[at.value])
  const current = computed(() => (feed().version.value, hit.value ? feed().indexOf(hit.value) : -1))
  let searched = 0
  let running: AbortController | undefined

  async function run(kept = -1): Promise<void> {
    running?.abort()
    const mine = (running = new AbortController())
    if (!pattern.value) {
      found.value = null
      busy.value = false
      return
    }
    busy.value = true
    searched = feed().count()
    try {
      const answer = await feed().search(query.value, regex.value, mine.signal)
      if (mine.signal.aborted) return
      found.value = answer
      at.value = answer.hits.length > kept + 1 ? kept + 1 : 0
      if (current.value >= 0) goTo(current.value)
    } catch (error) {
      if (!mine.signal.aborted) failed(error)
    } finally {
      if (running === mine) busy.value = false
    }
  }

  function step(by: number): void {
    const hits = found.value?.hits.length ?? 0
    // Lines came since: there may be another hit after the last one.
    if (by > 0 && at.value + by >= hits && feed().count() > searched) return void run(hits - 1)
    if (!hits) return
    at.value = (at.value + by + hits) % hits
    if (current.value >= 0) goTo(current.value)
  }

  watch([query, regex, feed], useDebounceFn(() => run(), 250))
  onScopeDispose(() => running?.abort())
  return { query, regex, found, at, busy, invalid, pattern, current, step, clear: () => (query.value = '') }
}
