/** Rows of one attempt's log or of several merged, behind one face. */
import { shallowRef, type ShallowRef } from 'vue'
import type { Schemas } from '@/api/client'
import type { Found, Request } from '@/logs/load'
import type { Row } from './rows'

export type LogSource = Schemas['LogSource']

export interface LogFeed {
  /** Counts changes: what reads the feed depends on it. */
  version: ShallowRef<number>
  /** The first look at the log is over. */
  ready: ShallowRef<boolean>
  error: ShallowRef<unknown>
  /** Several hosts in one. */
  merged: boolean
  count: () => number
  complete: () => boolean
  row: (index: number) => Row | undefined
  ensure: (first: number, stop: number) => Promise<void>
  search: (query: string, regex: boolean, signal: AbortSignal) => Promise<Found>
  /** Take over a newer list of attempts; false when this feed cannot show it. */
  update: (sources: readonly LogSource[]) => boolean
  /** An attempt's log is known to reach so far. */
  grow: (attempt: string, end: number) => void
  refresh: () => void
  open: () => Promise<void>
  close: () => void
}

export interface FeedParts {
  request: Request
  /** Calls back before the next picture. */
  frame?: (run: () => void) => unknown
}

/** Count changes at most once a picture. */
export function useChanges(frame: FeedParts['frame'] = requestAnimationFrame): { version: ShallowRef<number>; changed: () => void } {
  const version = shallowRef(0)
  let due = false
  return {
    version,
    changed: () => {
      if (due) return
      due = true
      frame(() => {
        due = false
        version.value++
      })
    },
  }
}
