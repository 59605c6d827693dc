/** Rows of one attempt's log or of several merged, behind one face. */
import { shallowRef, type ShallowRef } from 'vue'
import type { Schemas } from '@/api/client'
import type { Request } from '@/logs/load'
import type { Row } from './rows'

export type LogSource = Schemas['LogSource']

/** A line of an attempt's log, wherever it is shown. */
export interface Hit {
  attempt: string
  /** From 0. */
  line: number
}
export interface Hits {
  /** Lines that match. */
  count: number
  /** The first of them. */
  hits: Hit[]
  /** Not all that was written was searched: there may be more. */
  partial: boolean
}

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
  search: (query: string, regex: boolean, signal: AbortSignal, most?: number) => Promise<Hits>
  /** Return the first line of standard error. */
  firstStderr: (signal: AbortSignal) => Promise<Hit | null>
  /** Return which row shows this line, or -1. */
  indexOf: (hit: Hit) => number
  /** Only the last lines of some logs are in it. */
  partial: () => boolean
  /** Take over a newer list of attempts; false when this feed cannot show it. */
  update: (sources: readonly LogSource[]) => boolean
  /** An attempt's log is known to reach so far. */
  grow: (attempt: string, end: number) => void
  refresh: () => void
  /** Look at the log's end, and at once at a line of it (from 0). */
  open: (line?: number) => Promise<void>
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
