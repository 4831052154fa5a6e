/**
 * Who calls over HTTP: a program by its token, or the page by its cookie and the proof that belongs to it. Cookies do not
 * tell ports apart, so that a server on another port is sent them too; the proof lies where only this origin reads it.
 */
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { HTTP_FAILURE_BURST, HTTP_FAILURES_PER_SECOND, PAGE_SESSION_DAYS } from '../../limits.ts'
import { SCOPES } from '../caller.ts'
import { newSecret } from '../secret.ts'
import type { KnownToken, TokenService } from '../service.ts'
import { Allowance, Bucket } from './allowance.ts'
import type { PageKeys } from './page-keys.ts'
import { isOwnUser } from './peer-user.ts'
import { Refusal } from './refusal.ts'

/** Carries the proof of a page, and says of a request that a script of the page made it. */
export const PAGE_HEADER = 'x-kith'

export interface AdmissionInit {
  service: TokenService
  keys: PageKeys
  /** The port that is listened on: pages of two nodes have two cookies. */
  port: () => number
}

export class Admission {
  readonly #init: AdmissionInit
  readonly #failures = new Bucket({ burst: HTTP_FAILURE_BURST, perSecond: HTTP_FAILURES_PER_SECOND })
  readonly #allowances = new Map<string, Allowance>()
  readonly #unlisten: () => void

  constructor(init: AdmissionInit) {
    this.#init = init
    this.#unlisten = init.service.onTokenEnd((tokenId) => this.#allowances.delete(tokenId))
  }

  close(): void {
    this.#unlisten()
  }

  /** @throws Refusal 401, or 429 after too many */
  callerOf(c: Context): KnownToken {
    const caller = this.#bySecret(c)
    if (caller === undefined) throw this.#failed('UNAUTHORIZED', 'a token is needed, and this is none')
    return caller
  }

  allowanceOf({ tokenId }: KnownToken): Allowance {
    const known = this.#allowances.get(tokenId) ?? new Allowance()
    this.#allowances.set(tokenId, known)
    return known
  }

  /**
   * Changes a key into the cookie of a page.
   * @returns the proof that the page sends with each request
   * @throws Refusal 401 when the key was used, is too old, or never was
   */
  async signIn(c: Context<{ Bindings: HttpBindings }>, key: string): Promise<string> {
    const { localPort: other = 0, remotePort: own = 0 } = c.env.incoming.socket
    if (!this.#init.keys.use(key, await isOwnUser({ own, other })))
      throw this.#failed('BAD_KEY', 'this key was used, is too old, or never was')
    const [cookie, proof] = [newSecret(), newSecret()]
    await this.#init.service.createToken({ name: 'page', scopes: SCOPES, isPage: true }, pageSecret(cookie, proof))
    const maxAge = PAGE_SESSION_DAYS * 86_400
    setCookie(c, this.#cookieName(), cookie, { path: '/', httpOnly: true, sameSite: 'Strict', maxAge })
    return proof
  }

  /** Ends the page's session. */
  async signOut(c: Context, { tokenId }: KnownToken): Promise<void> {
    deleteCookie(c, this.#cookieName(), { path: '/' })
    await this.#init.service.revokeToken(tokenId)
  }

  #bySecret(c: Context): KnownToken | undefined {
    const { service } = this.#init
    const authorization = c.req.header('authorization')
    if (authorization !== undefined) {
      const token = /^Bearer (kith_[\w-]{43})$/i.exec(authorization)?.[1]
      return token === undefined ? undefined : service.callerOf(token)
    }
    const cookie = getCookie(c, this.#cookieName())
    const proof = c.req.header(PAGE_HEADER)
    return cookie === undefined || proof === undefined ? undefined : service.callerOf(pageSecret(cookie, proof))
  }

  #failed(code: string, message: string): Refusal {
    // A right token is never kept waiting by wrong ones: it is looked at first.
    if (this.#failures.take(1)) return new Refusal(401, code, message, { 'WWW-Authenticate': 'Bearer' })
    return new Refusal(429, 'TOO_FAST', 'too many wrong tokens', { 'Retry-After': '10', Connection: 'close' })
  }

  #cookieName(): string {
    return `kith-${this.#init.port()}`
  }
}

function pageSecret(cookie: string, proof: string): string {
  return `${cookie}.${proof}`
}
