/** Loads pieces of an attempt's log over HTTP. */

/** Where a piece begins: an offset, the row that holds a line (from 0), or bytes before the end. */
export type Place = { offset: number } | { line: number } | { tail: number }

export interface Slice {
  data: Uint8Array
  /** Of the first byte of `data`. */
  offset: number
  /** Newlines before it. */
  line: number
  /** How far the log is durable. */
  end: number
  /** Newlines in all so far. */
  lines: number
  /** Nothing will follow. */
  complete: boolean
}
export type Load = (place: Place, limit: number, signal?: AbortSignal) => Promise<Slice>
export type Request = (path: string, init?: RequestInit) => Promise<Response>

/** Return what loads pieces of one attempt's log through `request`, which throws on a refusal. */
export function loader(request: Request, attempt: string): Load {
  return async (place, limit, signal) => {
    const query = new URLSearchParams({ format: 'frames', limit: String(limit) })
    for (const [name, value] of Object.entries(place)) query.set(name, String(value))
    const response = await request(`/logs/${encodeURIComponent(attempt)}?${query}`, { signal })
    const header = (name: string) => Number(response.headers.get(`plumber-log-${name}`))
    return {
      data: new Uint8Array(await response.arrayBuffer()),
      offset: header('offset'),
      line: header('line'),
      end: header('end'),
      lines: header('lines'),
      complete: response.headers.get('plumber-log-complete') === 'true',
    }
  }
}

export interface Search {
  q: string
  regex?: boolean
  case?: boolean
  limit?: number
}
export interface Found {
  /** Lines that match. */
  count: number
  /** Numbers of the first of them. */
  hits: number[]
  truncated: boolean
  /** The log was complete when it was searched. */
  complete: boolean
}

/** Search an attempt's log; the server stops when `signal` aborts. */
export async function search(request: Request, attempt: string, wanted: Search, signal?: AbortSignal): Promise<Found> {
  const query = new URLSearchParams({ q: wanted.q })
  if (wanted.regex) query.set('regex', 'true')
  if (wanted.case) query.set('case', 'true')
  if (wanted.limit !== undefined) query.set('limit', String(wanted.limit))
  const response = await request(`/logs/${encodeURIComponent(attempt)}/search?${query}`, { signal })
  return (await response.json()) as Found
}
