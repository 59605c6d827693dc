/** The time, once a second, shared by all who show how long something takes. */
import { useNow as tick } from '@vueuse/core'
import { computed, type ComputedRef } from 'vue'

export function useNow(): ComputedRef<number> {
  const now = tick({ interval: 1000 })
  return computed(() => now.value.getTime())
}
