/** Act on events of the whole installation, at most once in a while: lists that keep themselves fresh. */
import { useThrottleFn } from '@vueuse/core'
import { onScopeDispose, ref, type Ref } from 'vue'
import { follow, type PlumberEvent } from '@/api/events'

type Reader = (event: PlumberEvent) => void
const readers = new Set<Reader>()
const connected = ref(true)
let stop: (() => void) | undefined

/** `run` is called soon after an event whose kind starts with one of `kinds`, and again after a lost connection. */
export function useLive(kinds: readonly string[], run: () => void, wait = 1000): { connected: Ref<boolean> } {
  const soon = useThrottleFn(run, wait, true, false)
  const reader: Reader = (event) => {
    if (kinds.some((kind) => event.kind.startsWith(kind))) void soon()
  }
  readers.add(reader)
  stop ??= follow({}, { event: (event) => readers.forEach((read) => read(event)), connection: (up) => (connected.value = up) })
  onScopeDispose(() => {
    readers.delete(reader)
    // The next page's readers come in the same turn: only when nobody came is the stream closed.
    setTimeout(() => {
      if (readers.size > 0) return
      stop?.()
      stop = undefined
    }, 1000)
  })
  return { connected }
}
