/** Asks before unsaved work is left, within the page and when the tab is closed. */
import { useEventListener } from '@vueuse/core'
import { ref, type Ref } from 'vue'
import { onBeforeRouteLeave, onBeforeRouteUpdate, useRouter, type RouteLocationNormalized } from 'vue-router'

export function useLeaving(dirty: () => boolean): { asking: Ref<boolean>; leave: () => void; allow: () => void } {
  const router = useRouter()
  const asking = ref(false)
  let allowed = false
  let target: RouteLocationNormalized | undefined

  function guard(to: RouteLocationNormalized, from: RouteLocationNormalized): boolean {
    if (allowed || !dirty() || to.path === from.path) return true
    target = to
    asking.value = true
    return false
  }
  onBeforeRouteLeave(guard)
  onBeforeRouteUpdate(guard)
  useEventListener(window, 'beforeunload', (event) => {
    if (dirty()) event.preventDefault()
  })

  function leave(): void {
    allowed = true
    asking.value = false
    if (target) void router.push(target)
  }
  return { asking, leave, allow: () => void (allowed = true) }
}
