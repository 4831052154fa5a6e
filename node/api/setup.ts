/**
 * The API of a home whose node does not run yet: nobody has an identity there, or its vault is closed. A small table of its
 * own, served to the page where the node will be. Pages that sign in meanwhile stay signed in.
 */
import { z } from 'zod'
import { UsageError } from '../errors.ts'
import { MAX_NAME_BYTES, MAX_PASSPHRASE_BYTES, MAX_RELAYS } from '../limits.ts'
import { Dispatcher } from './dispatcher.ts'
import type { Method } from './methods.ts'
import type { KnownToken, NewToken, NodeService, TokenView } from './service.ts'

export const SETUP_STATES = ['new', 'locked', 'starting', 'ready'] as const

export interface SetupState {
  state: (typeof SETUP_STATES)[number]
  /** Of the person, once it is known. */
  name?: string
}

/** Who can make an identity and start its node. */
export interface SetupHost {
  state(): Promise<SetupState>
  /** @returns the ID, and the 24 words with single spaces between. @throws UsageError `WRONG_STATE`, `WEAK_PASSPHRASE` */
  create(options: { name: string; passphrase: string; relays: string[] }): Promise<{ id: string; words: string }>
  /** Starts the node of an identity that was just made: its words are safe. @throws UsageError `WRONG_STATE` */
  confirm(): Promise<void>
  /** Opens the vault and starts the node. @throws UsageError `WRONG_STATE`, StoreError `WRONG_PASSPHRASE` */
  unlock(passphrase: string): Promise<void>
}

const text = z.string().refine((value) => value.isWellFormed(), 'expected well-formed Unicode')
const passphrase = text.min(1).max(MAX_PASSPHRASE_BYTES)
const nothing = z.strictObject({})

/** As in the table of a node, without the service of one. */
interface SetupMethod<P extends z.ZodType, R extends z.ZodType>
  extends Pick<Method<P, R>, 'summary' | 'params' | 'result'> {
  run(params: z.output<P>): Promise<z.input<R>>
}

function method<P extends z.ZodType, R extends z.ZodType>(
  definition: SetupMethod<P, R>,
  example: z.input<P>,
): Method<P, R> {
  return { ...definition, needs: 'both', scope: 'admin', example, run: (_, params) => definition.run(params) }
}

function setupMethods(host: SetupHost): Record<string, Method> {
  return {
    'setup.state': method(
      {
        summary: 'How far this home is.',
        params: nothing,
        result: z.object({ state: z.enum(SETUP_STATES), name: z.string().optional() }),
        run: () => host.state(),
      },
      {},
    ),
    'setup.create': method(
      {
        summary: 'Makes an identity; its 24 words are told this once.',
        params: z.strictObject({
          name: text.min(1).max(MAX_NAME_BYTES),
          passphrase,
          relays: z.array(text.max(200)).max(MAX_RELAYS).default([]),
        }),
        result: z.object({ id: z.string(), words: z.string() }),
        run: (params) => host.create(params),
      },
      { name: 'alice', passphrase: 'correct horse battery' },
    ),
    'setup.confirm': method(
      {
        summary: 'Says that the words are kept, and starts the node; answered when it runs.',
        params: nothing,
        result: nothing,
        run: async () => {
          await host.confirm()
          return {}
        },
      },
      {},
    ),
    'setup.unlock': method(
      {
        summary: 'Opens the vault and starts the node; answered when it runs.',
        params: z.strictObject({ passphrase }),
        result: nothing,
        run: async (params) => {
          await host.unlock(params.passphrase)
          return {}
        },
      },
      { passphrase: 'correct horse battery' },
    ),
  }
}

/** What stands where a node will be. */
export class LockedNode {
  readonly dispatcher: Dispatcher
  readonly #pages = new Map<string, { token: NewToken; view: TokenView }>()

  constructor(host: SetupHost, onBug?: (error: unknown) => void) {
    const methods = setupMethods(host)
    this.dispatcher = new Dispatcher({
      service: this.#service(),
      role: 'node',
      methods: (name) => (Object.hasOwn(methods, name) ? methods[name] : undefined),
      ...(onBug && { onBug }),
    })
  }

  /** Signs the pages in at the node that runs now. */
  async handOver(service: NodeService): Promise<void> {
    for (const [secret, { token }] of this.#pages) await service.createToken(token, secret)
  }

  /** Knows the pages; whatever else is asked of it is locked. */
  #service(): NodeService {
    const open: Partial<NodeService> = {
      createToken: async (token, secret) => this.#add(token, secret),
      tokens: async () => [...this.#pages.values()].map(({ view }) => view),
      revokeToken: async (tokenId) => {
        for (const [secret, { view }] of this.#pages) if (view.tokenId === tokenId) this.#pages.delete(secret)
      },
      callerOf: (secret): KnownToken | undefined => {
        const view = this.#pages.get(secret)?.view
        return view && { tokenId: view.tokenId, scopes: new Set(view.scopes) }
      },
      onTokenEnd: () => () => undefined,
      lastCursor: () => 0,
      eventsSince: async () => [],
      onEvent: () => () => undefined,
    }
    return new Proxy(open as NodeService, {
      get: (target, name) => (Object.hasOwn(target, name) ? target[name as keyof NodeService] : locked),
    })
  }

  #add(token: NewToken, secret: string): TokenView {
    // A page for each key, and a key for each call of a person: few.
    const { name, scopes } = token
    const view = { tokenId: `${this.#pages.size}`, name, scopes: [...scopes], createdAt: 0, isPage: true }
    this.#pages.set(secret, { token, view })
    return view
  }
}

async function locked(): Promise<never> {
  throw new UsageError('LOCKED', 'the node does not run yet', { hint: 'unlock it' })
}
