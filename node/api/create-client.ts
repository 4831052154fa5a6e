/**
 * `kith/client`: calls of a running node for programs, typed by the method table alone. Over the socket of a home, for this
 * user's programs, or over HTTP with a token.
 */
import { ConfigError, NetworkError } from '../errors.ts'
import type { ApiClient, Told } from './client.ts'
import { connectToNode } from './client.ts'
import { HttpClient } from './http-client.ts'
import type { MethodName, MethodParams, MethodResult } from './methods.ts'

export { KithError } from '../errors.ts'
export type { Told } from './client.ts'
export type { MethodName, MethodParams, MethodResult } from './methods.ts'
export type { EventView } from './views.ts'

export interface KithClient {
  /** @throws KithError with the code that the node gave; `NODE_GONE` when it has gone */
  call<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>>
  /**
   * Events as they come, after a cursor, where a consumer is, or from now on; ends when `signal` is aborted or the loop is
   * left.
   * @throws KithError `NODE_GONE` when the node has gone: connect again, and a consumer goes on where it was
   */
  events(from?: MethodParams<'events.subscribe'>, signal?: AbortSignal): AsyncGenerator<Told, void>
  close(): void
}

export type ClientOptions =
  | {
      /** Data directory of a node that runs on this machine. */
      home: string
      /** @default process.env */
      env?: Record<string, string | undefined>
    }
  | {
      /** Origin of a node's HTTP, for example `http://127.0.0.1:4380`. */
      url: string
      /** As `token.create` showed it. */
      token: string
    }

/** @throws KithError `NO_NODE` when none runs on the home; `CONFIG` for a URL that is none */
export async function createClient(options: ClientOptions): Promise<KithClient> {
  if ('url' in options) return new HttpClient(originOf(options.url), options.token)
  const client = await connectToNode(options.home, options.env ?? process.env)
  if (client !== undefined) return overSocket(client)
  throw new NetworkError('NO_NODE', `no node runs on ${options.home}`, { hint: 'start it with `kith up`' })
}

function overSocket(client: ApiClient): KithClient {
  return {
    call: (method, params) => client.call(method, params),
    events: (from, signal) => client.events(from, signal),
    close: () => client.close(),
  }
}

function originOf(text: string): string {
  try {
    return new URL(text).origin
  } catch (cause) {
    throw new ConfigError('CONFIG', 'expected a URL such as http://127.0.0.1:4380', { cause })
  }
}
