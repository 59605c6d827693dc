/** A text with its past and its future. Quick edits of the same place are one step back. */
import { computed, ref, type ComputedRef, type Ref } from 'vue'

const TOGETHER = 1500

export interface History {
  text: Ref<string>
  canUndo: ComputedRef<boolean>
  canRedo: ComputedRef<boolean>
  /** `place` names what is edited; an empty one never joins with the edit before. */
  write: (text: string, place?: string) => void
  undo: () => void
  redo: () => void
  reset: (text: string) => void
}

export function useHistory(now: () => number = Date.now): History {
  const text = ref('')
  const past = ref<string[]>([])
  const future = ref<string[]>([])
  let last = { place: '', at: 0 }

  function write(next: string, place = ''): void {
    if (next === text.value) return
    const joins = place !== '' && place === last.place && now() - last.at < TOGETHER
    if (!joins) past.value.push(text.value)
    last = { place, at: now() }
    future.value = []
    text.value = next
  }

  function step(from: string[], to: string[]): void {
    const next = from.pop()
    if (next === undefined) return
    to.push(text.value)
    text.value = next
    last = { place: '', at: 0 }
  }

  function reset(next: string): void {
    past.value = []
    future.value = []
    text.value = next
  }

  return {
    text,
    canUndo: computed(() => past.value.length > 0),
    canRedo: computed(() => future.value.length > 0),
    write,
    undo: () => step(past.value, future.value),
    redo: () => step(future.value, past.value),
    reset,
  }
}
