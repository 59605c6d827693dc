/** Growth of an execution's logs: hints are gathered and told once a picture, the newest of each attempt. */
import { onScopeDispose, ref, watch, type Ref } from 'vue'
import { follow } from '@/api/events'
import { soon } from '@/composables/soon'

export interface LogListener {
  grown: (attempt: string, end: number) => void
  /** A step began or ended, or the connection is back: look again. */
  changed: () => void
  /** What was read may not be true any more: read it again. */
  reset: () => void
}

/** Gather hints; `flush` hands over the furthest end of each attempt. */
export function gather(grown: LogListener['grown'], frame: (run: () => void) => unknown = requestAnimationFrame): (attempt: string, end: number) => void {
  const ends = new Map<string, number>()
  return (attempt, end) => {
    if (ends.size === 0) {
      frame(() => {
        const due = [...ends]
        ends.clear()
        for (const [id, last] of due) grown(id, last)
      })
    }
    ends.set(attempt, Math.max(ends.get(attempt) ?? 0, end))
  }
}

export function useLogLive(execution: () => string, listener: LogListener): { connected: Ref<boolean> } {
  const connected = ref(true)
  const { ask, drop } = soon(() => listener.changed(), 300)
  let stop: (() => void) | undefined

  watch(
    execution,
    (id) => {
      stop?.()
      const hint = gather(listener.grown)
      stop = follow(
        { execution: id },
        {
          log: ({ attempt, end }) => hint(attempt, end),
          event: ({ kind }) => {
            if (kind.startsWith('step.')) ask()
          },
          connection: (up) => {
            connected.value = up
            if (up) ask()
          },
          reset: () => {
            listener.reset()
            ask()
          },
        },
      )
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    drop()
    stop?.()
  })
  return { connected }
}
