/** When this person was last here, in this browser: a visit ends after a quarter of an hour of absence. */
import { usePreferences } from '@/stores/preferences'

const ABSENCE = 15 * 60_000
const SEEN = 'plumber.seen'

/** Return the end of the visit before this one (a day ago on the first), and note that somebody is here. */
export function previousVisit(now: number): string {
  const preferences = usePreferences()
  const seen = Number(localStorage.getItem(SEEN) ?? 0)
  if (!preferences.lastVisit || (seen && now - seen > ABSENCE)) {
    preferences.lastVisit = new Date(seen || now - 86_400_000).toISOString()
  }
  localStorage.setItem(SEEN, String(now))
  return preferences.lastVisit
}
