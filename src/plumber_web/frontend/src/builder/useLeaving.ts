/** Asks before unsaved work is left, within the page and when the tab is closed; a login or a reload comes back to it. */
import { useEventListener } from '@vueuse/core'
import { ref, type Ref } from 'vue'
import { onBeforeRouteLeave, onBeforeRouteUpdate, useRouter, type RouteLocationNormalized } from 'vue-router'
import { beforeReload } from '@/composables/reload'

/** `keep` puts the work aside for when this tab is here again. */
export function useLeaving(dirty: () => boolean, keep: () => void): { asking: Ref<boolean>; leave: () => void; allow: () => void } {
  const router = useRouter()
  const asking = ref(false)
  let allowed = false
  let target: RouteLocationNormalized | undefined

  function putAside(): void {
    if (dirty() && !allowed) keep()
  }

  function guard(to: RouteLocationNormalized, from: RouteLocationNormalized): boolean {
    if (allowed || !dirty() || to.path === from.path) return true
    if (to.name === 'login') {
      keep()
      return true
    }
    target = to
    asking.value = true
    return false
  }
  onBeforeRouteLeave(guard)
  onBeforeRouteUpdate(guard)
  useEventListener(window, 'beforeunload', (event) => {
    if (dirty() && !allowed) event.preventDefault()
  })
  useEventListener(window, 'pagehide', putAside)
  beforeReload(() => {
    putAside()
    allowed = true
  })

  function leave(): void {
    allowed = true
    asking.value = false
    if (target) void router.push(target)
  }
  return { asking, leave, allow: () => void (allowed = true) }
}
