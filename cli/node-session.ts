/**
 * How a command gets a node: it joins the one that runs on the home, over its socket; when none runs it becomes the node
 * for as long as it lasts. A node that needs the network serves the same socket, so that the next command joins it; one
 * that only reads holds the data directory for a moment. Who loses the race for the directory tries again for a while.
 */
import { type Duplex, duplexPair } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiClient, connectToNode, openNodeSocket } from '../node/api/client.ts'
import type { OpenNodeOptions, RunningNode } from '../node/api/runtime.ts'
import { ApiServer } from '../node/api/server.ts'
import { KithError, StoreError, UsageError } from '../node/errors.ts'
import { configPath, loadConfig } from './configuration.ts'
import { type Context, homeOf } from './context.ts'
import { HomeSettings } from './home-settings.ts'
import { InterruptedError } from './exit-status.ts'
import { readPassphrase } from './passphrase.ts'

export interface NodeNeeds {
  /** The command talks to others; without it a node of its own stays offline. */
  network: boolean
  /** After the command, what can leave now still leaves. @default false */
  settle?: boolean
}

export interface NodeSession {
  readonly api: ApiClient
  /** The node ends with a command: this one, or the one that was joined. */
  readonly transient: boolean
}

const RETRY_MS = 100
/** A command that is the node for a moment lets others end their requests for this long. */
const GRACE_MS = 10_000
const INTERRUPTED_GRACE_MS = 500
const SETTLE_MS = 10_000

/** Runs `use` with a node and gives the node back after it. */
export async function withNode<T>(
  context: Context,
  needs: NodeNeeds,
  use: (session: NodeSession) => Promise<T>,
): Promise<T> {
  const joined = await join(context, homeOf(context))
  if (joined !== undefined) return useClient(context, joined, use)
  const home = homeOf(context)
  if (!(await context.runtime.hasIdentity(home))) throw noIdentity(home)
  const passphrase = await readPassphrase(context)
  const { values: config } = await loadConfig(context, 'node')
  const got = await openOrJoin(context, { home, role: 'node', passphrase, config, offline: !needs.network })
  if ('api' in got) return useClient(context, got, use)
  return useOwn(context, got, needs, use)
}

/**
 * Runs `use` with a connection to the node itself, for whoever speaks the protocol on it; the node is the one that runs, or
 * this process for as long as it lasts.
 */
export async function withNodeStream<T>(context: Context, use: (stream: Duplex) => Promise<T>): Promise<T> {
  const home = homeOf(context)
  const socket = await openNodeSocket(home, context.env)
  if (socket !== undefined) return await use(socket)
  if (!(await context.runtime.hasIdentity(home))) throw noIdentity(home)
  const passphrase = await readPassphrase(context)
  const { values: config } = await loadConfig(context, 'node')
  const got = await openOrJoin(context, { home, role: 'node', passphrase, config })
  if ('api' in got) {
    got.api.close()
    return await withNodeStream(context, use)
  }
  return await serveOwn(context, got, { network: true, settle: true }, (server) => use(localStream(server)))
}

/** The error of a home where `kith init` has not been run. */
export function noIdentity(home: string): UsageError {
  return new UsageError('NO_IDENTITY', `no identity in ${home}`, {
    hint: 'create one with `kith init --name YOU`, or name another --home',
  })
}

/**
 * Joins the node that runs on a home.
 * @returns undefined when none runs
 */
export async function join(context: Context, home: string): Promise<NodeSession | undefined> {
  const api = await connectToNode(home, context.env)
  if (api === undefined) return undefined
  try {
    const { transient } = await api.call('rpc.hello', {})
    return { api, transient }
  } catch (error) {
    api.close()
    // It was just ending: as if it had not been there.
    if (error instanceof KithError && error.code === 'NODE_GONE') return undefined
    throw error
  }
}

/** Rejects with InterruptedError as soon as a signal comes; what runs is left to its end. */
export async function interruptible<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(new InterruptedError())
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop)
  work.catch(() => undefined)
  try {
    return await Promise.race([promise, work])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/**
 * Opens the node of a home once whoever holds it has let go.
 * @param onHeld says what to do about the holder; it is undefined when nobody answers
 * @throws StoreError `HOME_IN_USE`
 */
export async function openWhenFree(
  context: Context,
  options: OpenNodeOptions,
  onHeld: (holder: NodeSession | undefined) => 'wait' | 'refuse' | 'join',
  waitMs = context.lockWaitMs,
): Promise<RunningNode | NodeSession> {
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      return await interruptible(context.signal, context.runtime.openNode(options))
    } catch (error) {
      if (!(error instanceof KithError) || error.code !== 'HOME_IN_USE') throw error
    }
    const holder = await join(context, options.home)
    const verdict = onHeld(holder)
    if (verdict === 'join' && holder !== undefined) return holder
    holder?.api.close()
    if (verdict === 'refuse') throw alreadyRunning(options.home)
    if (performance.now() > deadline) {
      throw new StoreError('HOME_IN_USE', `${options.home} is in use, and the process that holds it does not answer`, {
        hint: 'wait for it to end, or stop it',
      })
    }
    await interruptible(context.signal, sleep(RETRY_MS))
  }
}

/** The error of `up` and `relay` when a node runs there that stays. */
export function alreadyRunning(home: string): StoreError {
  return new StoreError('HOME_IN_USE', `a node is running on ${home} already`, {
    hint: 'it answers every command; stop it to start another',
  })
}

/** A client of a node in the same process. */
export function localClient(server: ApiServer): ApiClient {
  return new ApiClient(localStream(server))
}

function localStream(server: ApiServer): Duplex {
  const [ours, theirs] = duplexPair()
  // Unlike a socket's, the ends of a pair do not learn of each other's end.
  ours.on('close', () => theirs.destroy())
  server.accept(theirs)
  return ours
}

function openOrJoin(context: Context, options: OpenNodeOptions): Promise<RunningNode | NodeSession> {
  return openWhenFree(context, options, (holder) => (holder === undefined ? 'wait' : 'join'))
}

async function useClient<T>(
  context: Context,
  session: NodeSession,
  use: (session: NodeSession) => Promise<T>,
): Promise<T> {
  try {
    return await interruptible(context.signal, use(session))
  } finally {
    session.api.close()
  }
}

async function useOwn<T>(
  context: Context,
  running: RunningNode,
  needs: NodeNeeds,
  use: (session: NodeSession) => Promise<T>,
): Promise<T> {
  return await serveOwn(context, running, needs, (server) =>
    useClient(context, { api: localClient(server), transient: true }, use),
  )
}

async function serveOwn<T>(
  context: Context,
  running: RunningNode,
  needs: NodeNeeds,
  use: (server: ApiServer) => Promise<T>,
): Promise<T> {
  const settings = new HomeSettings({ path: configPath(homeOf(context)), env: context.env })
  const server = new ApiServer({ service: running.service, role: 'node', transient: true, settings })
  try {
    if (needs.network) await server.listen(homeOf(context), context.env)
    const result = await use(server)
    if (needs.settle === true && running.settle !== undefined) {
      await interruptible(context.signal, running.settle(SETTLE_MS))
    }
    return result
  } finally {
    await server.close(context.signal.aborted ? INTERRUPTED_GRACE_MS : GRACE_MS)
    await running.stop()
  }
}
