/** Act on events of the whole installation, at most once in a while: lists that keep themselves fresh. */
import { onScopeDispose, ref, type Ref } from 'vue'
import { soon } from './soon'
import { follow } from '@/api/events'

/** `run` is called soon after an event whose kind starts with one of `kinds`, and again after a lost connection. */
export function useLive(kinds: readonly string[], run: () => void, wait = 1000): { connected: Ref<boolean> } {
  const connected = ref(true)
  const { ask, drop } = soon(run, wait)
  const stop = follow(
    {},
    {
      event: ({ kind }) => {
        if (kinds.some((start) => kind.startsWith(start))) ask()
      },
      connection: (up) => {
        connected.value = up
        // What happened meanwhile is not known here.
        if (up) ask()
      },
      reset: ask,
    },
  )
  onScopeDispose(() => {
    drop()
    stop()
  })
  return { connected }
}
