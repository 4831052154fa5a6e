/** What HTTP says when it refuses: a status, and the error in the form that it has in every answer of the API. */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { KithError, UsageError } from '../../errors.ts'
import { toRpcError } from '../rpc-error.ts'

/** Ends a request before it reaches a method. */
export class Refusal extends UsageError {
  readonly status: ContentfulStatusCode
  readonly headers: Record<string, string>

  constructor(status: ContentfulStatusCode, code: string, message: string, headers: Record<string, string> = {}) {
    super(code, message)
    this.status = status
    this.headers = headers
  }
}

/** Codes of errors that have a status of their own. */
const STATUS: Record<string, ContentfulStatusCode> = { FORBIDDEN: 403, TOO_FAST: 429, TOO_MANY: 429 }

export function answerRefusal(c: Context, error: unknown): Response {
  const body = { jsonrpc: '2.0', id: null, error: toRpcError(error) }
  if (error instanceof Refusal) return c.json(body, error.status, error.headers)
  if (!(error instanceof KithError)) return c.json(body, 500)
  const status = STATUS[error.code] ?? 400
  return c.json(body, status, status === 429 ? { 'Retry-After': '1' } : {})
}
