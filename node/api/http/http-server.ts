/**
 * The API over HTTP on a loopback address (docs/HTTP.md): off until it is asked for. Others than this user reach the port
 * too, so that nothing is answered without a token; how many connections there are, and how long each may take, is bounded.
 */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { NetworkError } from '../../errors.ts'
import { MAX_HTTP_CONNECTIONS, MAX_HTTP_HEADER_BYTES } from '../../limits.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { Admission } from './admission.ts'
import { createApp } from './app.ts'
import { EventStreams } from './event-streams.ts'
import { readPageFiles } from './page-files.ts'

/** How long a connection may take, in milliseconds. */
export interface HttpPatience {
  /** From the connection, or the first byte of a request, to the end of its headers. */
  headers: number
  /** To the end of its body. */
  request: number
  /** Between two requests. */
  idle: number
  /** How often all that is looked at. */
  check: number
}

export interface HttpServerInit {
  dispatcher: Dispatcher
  /** Folder of the built page. @default no page is served */
  page?: string
  patience?: HttpPatience
}

const PATIENCE: HttpPatience = { headers: 10_000, request: 30_000, idle: 5000, check: 1000 }

const CLOSE_STEP_MS = 20

/** Where a listener shall be: the host as a socket takes it. */
export interface HttpAddress {
  host: '127.0.0.1' | '::1'
  port: number
}

/** `127.0.0.1:4380` or `[::1]:4380`, checked by the configuration. */
export function parseHttpAddress(text: string): HttpAddress {
  const host = text.startsWith('[::1]:') ? '::1' : '127.0.0.1'
  return { host, port: Number(text.slice(text.lastIndexOf(':') + 1)) }
}

/** A listener; `listen` starts it once. */
export class HttpServer {
  readonly #init: HttpServerInit
  readonly #admission: Admission
  readonly #streams: EventStreams
  #server: Server | undefined
  #port = 0
  #origin = ''

  constructor(init: HttpServerInit) {
    this.#init = init
    this.#admission = new Admission({ service: init.dispatcher.service, port: () => this.#port })
    this.#streams = new EventStreams(init.dispatcher)
  }

  /** @throws NetworkError `CANNOT_LISTEN` */
  async listen({ host, port }: HttpAddress): Promise<void> {
    const { dispatcher, page, patience = PATIENCE } = this.#init
    const files = page === undefined ? new Map() : await readPageFiles(page)
    const app = createApp({
      dispatcher,
      admission: this.#admission,
      streams: this.#streams,
      files,
      port: () => this.#port,
    })
    const server = createAdaptorServer({
      fetch: app.fetch,
      overrideGlobalObjects: false,
      serverOptions: {
        headersTimeout: patience.headers,
        requestTimeout: patience.request,
        keepAliveTimeout: patience.idle,
        connectionsCheckingInterval: patience.check,
        maxHeaderSize: MAX_HTTP_HEADER_BYTES,
      },
    }) as Server
    server.maxConnections = MAX_HTTP_CONNECTIONS
    server.listen(port, host)
    try {
      await once(server, 'listening')
    } catch (cause) {
      throw new NetworkError('CANNOT_LISTEN', `cannot listen on ${host}, port ${port}, for HTTP`, {
        hint: 'another process may hold the port; see `kith config set http`',
        cause,
      })
    }
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    this.#origin = `http://${host === '::1' ? '[::1]' : host}:${this.#port}`
  }

  /** For example `http://127.0.0.1:4380`; empty before it listens. */
  get origin(): string {
    return this.#origin
  }

  /** The address of the page with a key in its fragment, which no browser sends to anybody. */
  pageUrl(): string {
    return `${this.#origin}/#key=${this.#admission.keys.make()}`
  }

  /** Takes nothing new, ends the event streams, and lets calls end that are being answered. @param graceMs longest wait */
  async close(graceMs: number): Promise<void> {
    this.#streams.close()
    this.#admission.close()
    const server = this.#server
    if (server === undefined) return
    const closed = new Promise((resolve) => server.close(resolve))
    // A connection that was kept open for more is closed when its answer is out.
    const idle = setInterval(() => server.closeIdleConnections(), CLOSE_STEP_MS)
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    await closed
    clearInterval(idle)
    clearTimeout(cut)
  }
}
