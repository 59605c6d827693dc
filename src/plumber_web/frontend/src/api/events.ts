/** Streams of server-sent events, shared by their followers, that go on by themselves without a gap or a repeat. */
import { noteAnswer } from './back'
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
  /** The connection was lost, or is back. */
  connection?: (connected: boolean) => void
  /** What happened meanwhile cannot be told any more: read everything again. */
  reset?: () => void
}

const FIRST_RETRY = 500
const LAST_RETRY = 10_000
/** Milliseconds that a stream without followers stays open: the next page's come in the same turn. */
export const LINGER = 1000
/** Events kept for those who join late. */
const KEPT = 5000
const streams = new Map<string, EventStream>()

/**
 * Follow events from the cursor `after`; returns a function that ends it. Browsers allow few connections to a server:
 * all followers of one execution, and all of the whole installation, share one.
 */
export function follow(options: { execution?: string; after?: string }, listener: Listener): () => void {
  const key = options.execution ?? ''
  let stream = streams.get(key)
  if (!stream) streams.set(key, (stream = new EventStream(options.execution, () => streams.delete(key))))
  return stream.join(listener, options.after)
}

interface Follower {
  listener: Listener
  /** The last event it knows. */
  seen: string | undefined
}

class EventStream {
  private readonly followers = new Set<Follower>()
  private source: EventSource | undefined
  private retry = FIRST_RETRY
  private timer: ReturnType<typeof setTimeout> | undefined
  private leaving: ReturnType<typeof setTimeout> | undefined
  private lost = false
  private asked: string | undefined
  private cursor: string | undefined
  /** `kept` holds all events after this one. */
  private since: string | undefined
  private kept: PlumberEvent[] = []

  constructor(
    private readonly execution: string | undefined,
    private readonly ended: () => void,
  ) {}

  join(listener: Listener, after: string | undefined): () => void {
    const follower = { listener, seen: after ?? this.cursor }
    clearTimeout(this.leaving)
    this.followers.add(follower)
    const covered = after === undefined || (this.since !== undefined && !isAfter(this.since, after))
    if (!this.source || !covered) this.restart(after)
    else queueMicrotask(() => this.catchUp(follower))
    return () => this.leave(follower)
  }

  private leave(follower: Follower): void {
    if (!this.followers.delete(follower) || this.followers.size) return
    clearTimeout(this.leaving)
    this.leaving = setTimeout(() => {
      clearTimeout(this.timer)
      this.source?.close()
      this.ended()
    }, LINGER)
  }

  private catchUp(follower: Follower): void {
    if (!this.followers.has(follower)) return
    if (this.lost) follower.listener.connection?.(false)
    for (const event of this.kept) tell(follower, event)
  }

  private restart(after: string | undefined): void {
    this.cursor = this.since = after
    this.kept = []
    this.open()
  }

  private open(): void {
    clearTimeout(this.timer)
    this.source?.close()
    const url = new URL(address('/events'))
    if (this.execution) url.searchParams.set('execution', this.execution)
    if (this.cursor !== undefined) url.searchParams.set('after', this.cursor)
    this.asked = this.cursor
    const source = (this.source = new EventSource(url, { withCredentials: true }))
    source.onopen = () => this.connected(true)
    source.onerror = () => this.again()
    source.addEventListener('hello', (message) => this.greet(message.lastEventId))
    source.addEventListener('log', (message) => this.each(({ listener }) => listener.log?.(JSON.parse(message.data) as LogGrowth)))
    for (const kind of KINDS) source.addEventListener(kind, (message) => this.receive(JSON.parse(message.data) as PlumberEvent))
  }

  private connected(up: boolean): void {
    if (up) this.retry = FIRST_RETRY
    this.lost = !up
    noteAnswer(up)
    this.each(({ listener }) => listener.connection?.(up))
  }

  /** The server tells from which event on it tells: another one than was asked for leaves a gap. */
  private greet(cursor: string): void {
    if (!cursor || cursor === this.cursor) return
    const gap = this.asked !== undefined
    this.cursor = this.since = cursor
    this.kept = []
    this.each((follower) => {
      if (gap || follower.seen === undefined) follower.seen = cursor
      if (gap) follower.listener.reset?.()
    })
  }

  private receive(event: PlumberEvent): void {
    this.cursor = event.id
    this.kept.push(event)
    if (this.kept.length > 2 * KEPT) this.since = this.kept.splice(0, KEPT).at(-1)!.id
    this.each((follower) => tell(follower, event))
  }

  private again(): void {
    // Browsers give up after some failures: the retry is ours, from the last event that arrived.
    this.source?.close()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.open(), this.retry + Math.random() * this.retry * 0.3)
    this.retry = Math.min(this.retry * 1.6, LAST_RETRY)
    this.connected(false)
  }

  private each(run: (follower: Follower) => void): void {
    for (const follower of [...this.followers]) if (this.followers.has(follower)) run(follower)
  }
}

/** Give an event to who does not know it yet: what followers and reconnects overlap is told by its place. */
function tell(follower: Follower, event: PlumberEvent): void {
  if (follower.seen !== undefined && !isAfter(event.id, follower.seen)) return
  follower.seen = event.id
  follower.listener.event?.(event)
}

/** Whether one cursor is after another: they are numbers joined by dots. */
export function isAfter(left: string, right: string): boolean {
  const [one, other] = [left, right].map((cursor) => cursor.split('.').map(Number)) as [number[], number[]]
  const at = one.findIndex((part, index) => part !== (other[index] ?? 0))
  return at >= 0 && one[at]! > (other[at] ?? 0)
}

const STEP = ['blocked', 'ready', 'claimed', 'running', 'cancelling', 'unreachable', 'retry_wait', 'succeeded', 'failed', 'timed_out', 'cancelled', 'rejected', 'expired', 'skipped', 'lost', 'late']
const EXECUTION = ['queued', 'running', 'paused', 'continued', 'host_cancelled', 'step_cancelled', 'succeeded', 'failed', 'cancelled', 'cancel_requested', 'cancel_reason']
const AGENT = ['created', 'deleted', 'active', 'draining', 'disabled', 'revoked', 'conflict', 'stale', 'online', 'late', 'offline', 'updated', 'connected']
const TASK = ['saved', 'deleted']

/** EventSource gives named events only to those who ask by name. */
export const KINDS = [
  ...STEP.map((kind) => `step.${kind}`),
  ...EXECUTION.map((kind) => `execution.${kind}`),
  ...AGENT.map((kind) => `agent.${kind}`),
  ...TASK.map((kind) => `task.${kind}`),
]
