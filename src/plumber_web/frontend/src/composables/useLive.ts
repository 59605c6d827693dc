/** Act on events of the whole installation, at most once in a while: lists that keep themselves fresh. */
import { onScopeDispose, ref, type Ref } from 'vue'
import { soon } from './soon'
import { follow } from '@/api/events'

interface Reader {
  kinds: readonly string[]
  ask: () => void
}
const readers = new Set<Reader>()
const connected = ref(true)
let stop: (() => void) | undefined

function open(): () => void {
  return follow(
    {},
    {
      event: (event) => tell((reader) => reader.kinds.some((kind) => event.kind.startsWith(kind))),
      connection: (up) => {
        connected.value = up
        // What happened meanwhile is not known here: everybody looks again.
        if (up) tell(() => true)
      },
    },
  )
}

function tell(whom: (reader: Reader) => boolean): void {
  for (const reader of readers) if (whom(reader)) reader.ask()
}

/** `run` is called soon after an event whose kind starts with one of `kinds`, and again after a lost connection. */
export function useLive(kinds: readonly string[], run: () => void, wait = 1000): { connected: Ref<boolean> } {
  const { ask, drop } = soon(run, wait)
  const reader = { kinds, ask }
  readers.add(reader)
  stop ??= open()
  onScopeDispose(() => {
    drop()
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
