/** Unsaved work of this tab, kept over a reload and a login. */
export interface Draft {
  text: string
  /** The revision that it changes, 0 for a new task. */
  revision: number
  /** Whose work it is. */
  user: string
}

const placeOf = (task: string | undefined): string => `plumber.draft.${task ?? ''}`

export function keepDraft(task: string | undefined, draft: Draft): void {
  try {
    sessionStorage.setItem(placeOf(task), JSON.stringify(draft))
  } catch {
    // No room, or none allowed: nothing more can be done for it.
  }
}

/** Return what was kept for this user, once. */
export function takeDraft(task: string | undefined, user: string): Draft | undefined {
  const kept = sessionStorage.getItem(placeOf(task))
  sessionStorage.removeItem(placeOf(task))
  const draft = kept === null ? undefined : (JSON.parse(kept) as Draft)
  return draft?.user === user ? draft : undefined
}
