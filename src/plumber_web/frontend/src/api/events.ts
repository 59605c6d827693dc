/** One stream of server-sent events that goes on by itself, without a gap or a repeat, until it is closed. */
import { address } from './client'

export interface PlumberEvent {
  id: string
  at: string
  kind: string
  execution: string | null
  agent: string | null
  data: Record<string, unknown>
}
export interface LogGrowth {
  execution: string
  step_execution: string
  attempt: string
  end: number
}
export interface Listener {
  event?: (event: PlumberEvent) => void
  log?: (growth: LogGrowth) => void
  connection?: (connected: boolean) => void
  /** The server refused for good: the session is over, or the execution is gone. */
  refused?: () => void
}

const FIRST_RETRY = 500
const LAST_RETRY = 10_000

/** Follow events from the cursor `after`; returns a function that ends it. */
export function follow(options: { execution?: string; after?: string }, listener: Listener): () => void {
  let cursor = options.after
  let retry = FIRST_RETRY
  let timer: ReturnType<typeof setTimeout> | undefined
  let source: EventSource | undefined
  let closed = false

  function open(): void {
    const url = new URL(address('/events'))
    if (options.execution) url.searchParams.set('execution', options.execution)
    if (cursor !== undefined) url.searchParams.set('after', cursor)
    source = new EventSource(url, { withCredentials: true })
    source.onopen = () => {
      retry = FIRST_RETRY
      listener.connection?.(true)
    }
    source.onerror = () => again()
    source.addEventListener('hello', (message) => (cursor = message.lastEventId || cursor))
    source.addEventListener('log', (message) => listener.log?.(JSON.parse(message.data) as LogGrowth))
    for (const kind of KINDS) source.addEventListener(kind, receive)
  }

  function receive(message: MessageEvent<string>): void {
    // The server sends each event once; what a reconnect overlaps is told by its place.
    if (message.lastEventId === cursor) return
    cursor = message.lastEventId
    listener.event?.(JSON.parse(message.data) as PlumberEvent)
  }

  function again(): void {
    // Browsers give up after some failures: the retry is ours, from the last event that arrived.
    source?.close()
    listener.connection?.(false)
    if (closed) return
    clearTimeout(timer)
    timer = setTimeout(open, retry + Math.random() * retry * 0.3)
    retry = Math.min(retry * 1.6, LAST_RETRY)
  }

  open()
  return () => {
    closed = true
    clearTimeout(timer)
    source?.close()
  }
}

const STEP = ['blocked', 'ready', 'claimed', 'running', 'cancelling', 'unreachable', 'retry_wait', 'succeeded', 'failed', 'timed_out', 'cancelled', 'rejected', 'expired', 'skipped', 'lost', 'late']
const EXECUTION = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled', 'cancel_requested', 'cancel_reason']
const AGENT = ['created', 'deleted', 'active', 'draining', 'disabled', 'revoked', 'conflict', 'stale', 'online', 'late', 'offline', 'updated', 'connected']
const TASK = ['saved', 'deleted']

/** EventSource gives named events only to those who ask by name. */
export const KINDS = [
  ...STEP.map((kind) => `step.${kind}`),
  ...EXECUTION.map((kind) => `execution.${kind}`),
  ...AGENT.map((kind) => `agent.${kind}`),
  ...TASK.map((kind) => `task.${kind}`),
]
