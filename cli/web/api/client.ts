/**
 * Calls to the node that serves this page: JSON-RPC over `POST /rpc` on the same origin, with the session's cookie. The
 * one-time key of the address becomes that cookie once and leaves the address bar.
 */
import type { PageMethod, PageParams, PageResult } from './table.ts'

/** `NODE_GONE`: nobody answers. `NO_SESSION`: the node does not know this page (any more). */
export class PageError extends Error {
  readonly code: string
  readonly hint: string | undefined

  constructor(code: string, message: string, hint?: string) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

interface RpcAnswer {
  result?: unknown
  error?: { code: number; message: string; data?: { code?: string; hint?: string } }
}

/** What this page proves itself with, beside the cookie: another origin of this machine gets the cookie, and not this. */
const PROOF = 'kith.proof'
let nextId = 1

/** The headers of every request: a form, an image or a page from elsewhere cannot send them. */
export function pageHeaders(): Record<string, string> {
  return { 'x-kith': localStorage.getItem(PROOF) ?? '1' }
}

/** @throws PageError with the code of the node's error; `NODE_GONE`, `NO_SESSION` */
export async function call<M extends PageMethod>(method: M, params: PageParams<M>): Promise<PageResult<M>> {
  const response = await post('/rpc', { jsonrpc: '2.0', id: nextId++, method, params })
  const answer = (await response.json().catch(() => ({}))) as RpcAnswer
  const { error } = answer
  if (error !== undefined) {
    throw new PageError(error.data?.code ?? String(error.code), error.message, error.data?.hint)
  }
  if (!response.ok) throw new PageError(`HTTP_${response.status}`, `the node answered ${response.status}`)
  return answer.result as PageResult<M>
}

/** Changes the one-time key of an address into the session's cookie. @throws PageError `NO_SESSION` when it is over */
export async function openSession(key: string): Promise<void> {
  const response = await post('/session', { key })
  if (!response.ok) throw noSession()
  const { proof } = (await response.json()) as { proof: string }
  localStorage.setItem(PROOF, proof)
}

/** Ends the session on this browser. */
export async function closeSession(): Promise<void> {
  await fetchOrGone('/session', { method: 'DELETE', headers: pageHeaders() })
  localStorage.removeItem(PROOF)
}

async function post(path: string, body: unknown): Promise<Response> {
  const response = await fetchOrGone(path, {
    method: 'POST',
    headers: { ...pageHeaders(), 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (response.status === 401 || response.status === 403) throw noSession()
  return response
}

/** A request on this origin. @throws PageError `NODE_GONE` */
export async function fetchOrGone(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...init })
  } catch {
    throw new PageError('NODE_GONE', 'the node does not answer', 'it is looked for all the time')
  }
}

export function noSession(): PageError {
  return new PageError('NO_SESSION', 'the node does not know this page', 'open it again with `kith ui`')
}
