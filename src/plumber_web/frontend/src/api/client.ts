/** The one way to call the server: every operation by its name, typed by the OpenAPI document. */
import { noteAnswer } from './back'
import type { components, paths } from './schema'
import { ApiError, problemOf } from './errors'

export type Schemas = components['schemas']
export type OperationName = keyof paths extends `/api/${infer Name}` ? Name : never

type Post<Name extends OperationName> = `/api/${Name}` extends keyof paths
  ? paths[`/api/${Name}`] extends { post: infer Operation }
    ? Operation
    : never
  : never
type Body<Operation> = Operation extends { requestBody?: { content: { 'application/json': infer Value } } }
  ? Value
  : never
type Answer<Operation> = Operation extends { responses: { 200: { content: { 'application/json': infer Value } } } }
  ? Value
  : never

export type Arguments<Name extends OperationName> = Body<Post<Name>>
export type Result<Name extends OperationName> = Answer<Post<Name>>

/** Asks browsers for a preflight that the server never grants to other sites. */
const HEADERS = { 'content-type': 'application/json', 'x-plumber-request': '1' }

/** Return an address of this server, also when it is mounted under a path. */
export function address(path: string): string {
  return new URL(path.replace(/^\//, ''), document.baseURI).toString()
}

/** What a proxy says while the server behind it is away. */
const AWAY = new Set([502, 503, 504])

let sessionOver = (): void => undefined

/** Say what happens when the server no longer knows the session, whatever was asked. */
export function whenSessionEnds(run: () => void): void {
  sessionOver = run
}

/** Call any address of the server; a refusal is thrown as an `ApiError`. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    const headers = { ...HEADERS, 'accept-language': document.documentElement.lang, ...init.headers }
    response = await fetch(address(path), { credentials: 'same-origin', ...init, headers })
  } catch (error) {
    if (init.signal?.aborted) throw error
    noteAnswer(false)
    throw new ApiError(0, { code: 'unreachable_server', arguments: {}, detail: '', hint: '' })
  }
  noteAnswer(!AWAY.has(response.status))
  if (response.status === 401) sessionOver()
  if (!response.ok) throw new ApiError(response.status, await problemOf(response))
  return response
}

/** Call an operation. */
export async function call<Name extends OperationName>(
  name: Name,
  body?: Arguments<Name>,
  signal?: AbortSignal,
): Promise<Result<Name>> {
  const response = await request(`/api/${name}`, { method: 'POST', body: JSON.stringify(body ?? {}), signal })
  return (await response.json()) as Result<Name>
}
