/**
 * `up` and `relay`: the node that stays. The first line on standard output says that it is ready and how it is reached;
 * with `--json` it is a contract. A node goes on when nobody reads its output any more.
 */
import { type Command, Option } from 'commander'
import type { NodeReady, NodeRole, RunningNode } from '../../node/api/runtime.ts'
import { ApiServer } from '../../node/api/server.ts'
import { UsageError } from '../../node/errors.ts'
import { type ConfigFlags, configPath, loadConfig } from '../configuration.ts'
import { type Context, homeOf } from '../context.ts'
import { EventTeller } from '../event-lines.ts'
import { HomeSettings } from '../home-settings.ts'
import { EXIT, type ExitStatus, OutputClosedError } from '../exit-status.ts'
import { alreadyRunning, join, localClient, noIdentity, openWhenFree } from '../node-session.ts'
import { readPassphrase } from '../passphrase.ts'
import { sanitiseLine } from '../sanitise.ts'
import { collect, type Runner } from './command.ts'
import { addRelayOperatorCommands } from './relay.ts'

interface RunOptions {
  listen?: string[]
  announce?: string[]
  bootstrap?: string[]
  relay?: string[]
  network?: string
  profile?: string
  direct?: string
  trust?: string
  http?: string
  logLevel?: string
  config?: string
}

/** A command that is the node for a moment ends in this many times the usual wait. */
const PATIENCE = 4
/** Requests that are being answered when the node is told to stop. */
export const STOP_GRACE_MS = 1000

export function addRunCommands(program: Command, runner: Runner): void {
  const up = program.command('up').description('run your node until it is stopped')
  addNetworkOptions(up)
    .option('--relay <address>', 'a relay that keeps mail for you (repeatable)', collect)
    .addOption(new Option('--profile <profile>', 'how much is given away for speed').choices(PROFILES))
    .addOption(new Option('--direct <when>', 'when friends are told your addresses').choices(DIRECT))
    .addOption(
      new Option('--trust <mode>', 'when keys of a friend change: send nothing until you accept, or say so').choices(
        TRUST,
      ),
    )
    .option('--http <address>', 'answer the API over HTTP too, at 127.0.0.1:PORT or [::1]:PORT')
    .action(runner.action((context: Context, options: RunOptions) => run(context, 'node', options)))
  const relay = program.command('relay').description('run a relay, which keeps mail for people and needs no identity')
  addNetworkOptions(relay)
    .option('--http <address>', 'answer the API over HTTP too, at 127.0.0.1:PORT or [::1]:PORT')
    .action(runner.action((context: Context, options: RunOptions) => run(context, 'relay', options)))
  addRelayOperatorCommands(relay, runner)
}

const PROFILES = ['privacy', 'normal', 'light']
const DIRECT = ['lan', 'always', 'never']
const TRUST = ['pin', 'notify']

function addNetworkOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration instead of config.toml in the home')
    .option('--listen <address>', 'where to listen, for example /ip4/0.0.0.0/tcp/4301 (repeatable)', collect)
    .option('--announce <address>', 'address to tell others beside those found (repeatable)', collect)
    .option('--bootstrap <address>', 'a peer through which the network is found (repeatable)', collect)
    .addOption(new Option('--network <kind>', 'lan when every listen address is private').choices(['lan', 'public']))
    .option('--log-level <level>', 'error, warn, info, debug or trace')
}

/** `SIGTERM` and `SIGHUP` are the ordinary end of a node, `SIGINT` is an interruption. */
async function run(context: Context, role: NodeRole, options: RunOptions): Promise<ExitStatus> {
  const home = homeOf(context, role)
  await checkHome(context, home, role)
  const config = await loadConfig(context, role, flagsOf(options), options.config)
  for (const warning of config.warnings) context.out.note(`warning: ${warning}`)
  const opened = await openWhenFree(
    context,
    {
      home,
      role,
      config: config.values,
      ...(role === 'node' ? { passphrase: await readPassphrase(context) } : {}),
      ...(role === 'relay' ? { credentialsDirectory: context.env.CREDENTIALS_DIRECTORY } : {}),
    },
    // A command that is the node for a moment lets go; a node that runs does not.
    (holder) => (holder === undefined || holder.transient ? 'wait' : 'refuse'),
    context.lockWaitMs * PATIENCE,
  )
  const running = opened as RunningNode
  for (const warning of running.warnings ?? []) context.out.note(`warning: ${warning}`)
  const path = options.config ?? configPath(home)
  const settings = new HomeSettings({ path, role, flags: flagsOf(options), env: context.env })
  await serve(context, { home, settings, http: config.values.http }, running)
  return context.signal.reason === 'SIGINT' ? EXIT.interrupted : EXIT.done
}

async function checkHome(context: Context, home: string, role: NodeRole): Promise<void> {
  const identity = await context.runtime.hasIdentity(home)
  if (role === 'relay' && identity) {
    throw new UsageError('WRONG_ROLE', `${home} holds an identity, a relay has none`, {
      hint: 'give the relay a --home of its own',
    })
  }
  if (role === 'node' && !identity) throw noIdentity(home)
  const holder = await join(context, home)
  holder?.api.close()
  if (holder?.transient === false) throw alreadyRunning(home)
}

function flagsOf({ relay, ...options }: RunOptions): ConfigFlags {
  const { config: _, ...flags } = options
  return { ...flags, relays: relay }
}

/** Failures of the disk that a node does not outlive: there is nothing left to read, or another start may find it well. */
const ENDING = new Set(['STORE_GONE', 'STORE_READ_ONLY', 'STORE_FAILED'])

/** Serves until a signal, or until the disk is lost. */
async function serve(
  context: Context,
  { home, settings, http }: { home: string; settings: HomeSettings; http: string },
  running: RunningNode,
): Promise<void> {
  const { service, ready } = running
  const server = new ApiServer({ service, role: ready.role, settings, page: context.pageFolder })
  const since = running.service.lastCursor()
  try {
    await server.listen(home, context.env)
    const origin = http === 'off' ? undefined : await server.listenHttp(http)
    const telling = async (): Promise<void> => {
      await untilClosed(tellReady(context, ready, origin))
      await untilClosed(tellEvents(context, server, since))
      await aborted(context.signal)
    }
    await Promise.race([telling(), diskLost(running)])
  } finally {
    await server.close(STOP_GRACE_MS)
    await running.stop()
  }
}

/** @throws StoreError once the disk is lost; never resolves */
export async function diskLost({ failed }: RunningNode): Promise<never> {
  const error = await failed
  if (error !== undefined && ENDING.has(error.code)) throw error
  return await new Promise<never>(() => {})
}

export async function tellReady({ out }: Context, ready: NodeReady, http: string | undefined): Promise<void> {
  const { role, id, peerId, addresses } = ready
  if (out.json) {
    return out.object({
      event: 'ready',
      ...(id === undefined ? {} : { id }),
      peerId,
      addresses,
      role,
      ...(http !== undefined && { http }),
    })
  }
  const who = id === undefined ? `relay ${peerId}` : `your node, ${id}`
  await out.lines([
    `${out.style('green', 'ready')}: ${who}`,
    ...addresses.map((address) => `listening  ${sanitiseLine(address)}`),
    ...(http === undefined ? [] : [`http       ${http}`]),
  ])
}

async function tellEvents(context: Context, server: ApiServer, since: number): Promise<void> {
  const client = localClient(server)
  const teller = new EventTeller(context.out, client)
  try {
    for await (const told of client.events(since, context.signal)) {
      // The ready line has said so.
      if ('event' in told && told.event === 'ready') continue
      await teller.tell(told)
    }
  } finally {
    client.close()
  }
}

async function untilClosed(telling: Promise<void>): Promise<void> {
  try {
    await telling
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error
  }
}

/** Resolves at once when it has happened. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
