/** Notices that the server has been upgraded while this tab was open: what the tab would still load is gone. */
import { useEventListener } from '@vueuse/core'
import { onScopeDispose, ref, type Ref } from 'vue'
import { buildOf, isOther } from './ownPage'
import { whenBack } from '@/api/back'
import { request } from '@/api/client'

/** A tab that is looked at again asks at most this often, in milliseconds. */
const RARELY = 60_000

export function useUpgrade(): { upgraded: Ref<boolean> } {
  const upgraded = ref(false)
  const own = buildOf(document)
  let asked = Date.now()

  async function look(): Promise<void> {
    if (upgraded.value) return
    asked = Date.now()
    const served = await request('/').then((response) => response.text(), () => '')
    upgraded.value ||= isOther(served, own)
  }

  onScopeDispose(whenBack(() => void look()))
  useEventListener(window, 'vite:preloadError', () => void look())
  useEventListener(document, 'visibilitychange', () => void (document.visibilityState === 'visible' && Date.now() - asked > RARELY && look()))
  return { upgraded }
}
