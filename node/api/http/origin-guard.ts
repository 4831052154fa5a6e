/**
 * What a request must look like before anybody asks who sent it (ATTACKS T46). The loopback is no boundary: any page in a
 * browser can send requests there, and a name that is rebound to 127.0.0.1 makes them look like its own.
 */
import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { Refusal } from './refusal.ts'

/** The names under which a browser or a program of this machine may call. */
const NAMES = ['127.0.0.1', 'localhost', '[::1]']

/** Refuses other names than this machine's own: a rebound name comes in the Host header. */
export function hostGuard(port: () => number): MiddlewareHandler<{ Bindings: HttpBindings }> {
  return async (c, next) => {
    const host = c.req.header('host')
    // A target that names a host itself is what proxies are sent.
    const isPath = c.env.incoming.url?.startsWith('/') === true
    if (!isPath || !NAMES.some((name) => host === `${name}:${port()}`)) {
      throw new Refusal(421, 'WRONG_HOST', 'this node answers to the names of this machine only')
    }
    await next()
  }
}

/** Refuses what a page of another origin sends; programs say nothing of where they come from. */
export const originGuard: MiddlewareHandler = async (c, next) => {
  const origin = c.req.header('origin')
  const site = c.req.header('sec-fetch-site')
  const isOwn = origin === undefined || origin === `http://${c.req.header('host')}`
  if (!isOwn || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    throw new Refusal(403, 'FOREIGN_ORIGIN', 'a page of another origin may not call')
  }
  await next()
}

/** Refuses what a form can send. */
export const jsonGuard: MiddlewareHandler = async (c, next) => {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new Refusal(415, 'NOT_JSON', 'the body of a request is application/json')
  }
  await next()
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "require-trusted-types-for 'script'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/** Says on every answer what a browser may do with it; nothing is stored unless the answer says so itself. */
export const answerHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value)
  if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store')
}
