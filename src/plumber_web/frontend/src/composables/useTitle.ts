/** The title of the browser's tab. */
import { toValue, watchEffect, type MaybeRefOrGetter } from 'vue'

export function useTitle(title: MaybeRefOrGetter<string | undefined>): void {
  watchEffect(() => (document.title = toValue(title) ? `${toValue(title)} · Plumber` : 'Plumber'))
}
