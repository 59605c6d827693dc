/** One execution as it happens: read once, then changed by its events, drawn once a frame. */
import { onScopeDispose, ref, shallowRef, toValue, triggerRef, watch, type MaybeRefOrGetter, type Ref, type ShallowRef } from 'vue'
import { apply, isOver, pictureOf, type Picture } from './picture'
import { asksWhy } from './waits'
import { call } from '@/api/client'
import { follow, type PlumberEvent } from '@/api/events'

const REREAD = 700
/** How often is looked why something waits, as long as it does. */
const WHY = 2000

export interface Watched {
  picture: ShallowRef<Picture | undefined>
  /** Grows with every drawn change. */
  version: Ref<number>
  connected: Ref<boolean>
  error: Ref<unknown>
  /** Read everything again. */
  reload: () => Promise<void>
}

export function useExecution(execution: MaybeRefOrGetter<string>): Watched {
  const picture = shallowRef<Picture>()
  const version = ref(0)
  const connected = ref(true)
  const error = shallowRef<unknown>()
  let reading = 0
  let frame = 0
  let later: ReturnType<typeof setTimeout> | undefined
  let why: ReturnType<typeof setTimeout> | undefined
  let queue: PlumberEvent[] = []
  let stop: (() => void) | undefined

  function end(): void {
    stop?.()
    stop = undefined
    cancelAnimationFrame(frame)
    frame = 0
    queue = []
  }

  async function reload(): Promise<void> {
    const mine = ++reading
    clearTimeout(later)
    later = undefined
    try {
      const matrix = await call('execution.matrix', { execution: toValue(execution) })
      if (mine !== reading) return
      end()
      error.value = undefined
      picture.value = pictureOf(matrix)
      version.value++
      lookSoon()
      if (!isOver(picture.value)) stop = follow({ execution: matrix.id, after: matrix.event }, { event: take, connection: (up) => (connected.value = up), reset: () => void reload() })
      else connected.value = true
    } catch (problem) {
      if (mine !== reading) return
      error.value = problem
    }
  }

  /** Look again why something waits: reasons come and go without events. */
  async function lookWhy(): Promise<void> {
    why = undefined
    const mine = reading
    const current = picture.value
    if (!current || !asksWhy(current)) return
    const matrix = await call('execution.matrix', { execution: toValue(execution) }).catch(() => undefined)
    if (mine !== reading || !matrix) return
    current.matrix.waiting = matrix.waiting
    current.matrix.waits = matrix.waits
    version.value++
    triggerRef(picture)
    lookSoon()
  }

  function lookSoon(): void {
    if (picture.value && asksWhy(picture.value)) why ??= setTimeout(() => void lookWhy(), WHY)
  }

  function take(event: PlumberEvent): void {
    queue.push(event)
    frame ||= requestAnimationFrame(draw)
  }

  function draw(): void {
    frame = 0
    const current = picture.value
    const events = queue
    queue = []
    if (!current) return
    const effects = new Set(events.map((event) => apply(current, event)))
    if (effects.has('cell') || effects.has('execution')) {
      version.value++
      triggerRef(picture)
      lookSoon()
    }
    if (effects.has('unknown')) later ??= setTimeout(() => void reload(), REREAD)
  }

  watch(
    () => toValue(execution),
    () => {
      end()
      picture.value = undefined
      void reload()
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    reading++
    clearTimeout(later)
    clearTimeout(why)
    end()
  })
  return { picture, version, connected, error, reload }
}
