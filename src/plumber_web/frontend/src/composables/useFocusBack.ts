/** Give the focus back to where it was before a dialog opened: most are opened by a key and have no button of their own. */
import { watch, type Ref } from 'vue'

/** Returns the handler of a dialog's `close-auto-focus`. */
export function useFocusBack(open: Ref<boolean | undefined>): (event: Event) => void {
  let before: HTMLElement | null = null
  watch(open, (now) => now && (before = document.activeElement as HTMLElement | null), { immediate: true, flush: 'sync' })

  return (event) => {
    event.preventDefault()
    // What opened it may be gone, such as the row of a menu: then the page itself is next.
    const goal = before?.isConnected && before !== document.body ? before : document.getElementById('main')
    goal?.focus()
  }
}
