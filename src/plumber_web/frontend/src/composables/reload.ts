/** Reads the page anew on purpose: those who hold unsaved work put it aside first, so that nothing is asked. */
import { onScopeDispose } from 'vue'

const keepers = new Set<() => void>()

export function reload(): void {
  for (const keep of keepers) keep()
  location.reload()
}

/** Run something before the page reloads itself, for as long as the component lives. */
export function beforeReload(keep: () => void): void {
  keepers.add(keep)
  onScopeDispose(() => keepers.delete(keep))
}
