/**
 * A swarm: real processes on loopback that become friends, with the fault proxy between them. It watches from outside, through
 * sockets and event logs. How it lives through a schedule is swarm-run.ts; what was recorded goes to metrics.ts.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import type { MethodName, MethodParams, MethodResult } from '../../node/api/methods.ts'
import type { NodeRuntime } from '../../node/api/runtime.ts'
import { InternalError, KithError, NetworkError, UsageError } from '../../node/errors.ts'
import { EventMemory } from './event-memory.ts'
import { FaultProxy } from './fault-proxy.ts'
import { Loopback } from './loopback.ts'
import type { Recording } from './metrics.ts'
import { DIRECTORY_PREFIX, placeFile } from './running-swarm.ts'
import type { RateName, SwarmOptions } from './options.ts'
import type { Fault, Name, Schedule } from './schedule.ts'
import { SwarmProcess, swarmEnvironment } from './swarm-process.ts'
import { SwarmRun } from './swarm-run.ts'
import { Waiting } from './waiting.ts'

const CODE_CACHE = process.env.NODE_COMPILE_CACHE || join(envPaths('kith', { suffix: '' }).cache, 'code')
const PASSPHRASE = 'the passphrase of a swarm'
/** Starts are mostly processor time: more at once only makes each later. */
const STARTS_AT_ONCE = Math.max(2, availableParallelism())
const FRIENDS_TIMEOUT_MS = 300_000
const SAMPLE_MS = 2000

export interface SwarmInit {
  schedule: Schedule
  /** What links of the proxy draw from, and how long every chunk of bytes takes on them. */
  options: Pick<SwarmOptions, 'seed' | 'delayMs'>
  /** Where homes and logs lie and stay; else in a temporary directory that is removed. */
  keep?: string
  /** How long may be waited, after the schedule, for what has not arrived, in milliseconds. */
  settle: number
  /** 127.S.0.0/16 and the one above it; else a free one. */
  subnet?: number
  runtime: Pick<NodeRuntime, 'createIdentity'>
  /** Ends everything. */
  signal?: AbortSignal
  /** Says what happens, for people. */
  onNote?: (text: string) => void
}

/** How far a run is. */
export interface Progress {
  phase: 'start' | 'friends' | 'run' | 'settle' | 'done'
  /** Milliseconds since the schedule began. */
  elapsed: number
  up: number
  processes: number
  accepted: number
  arrived: number
  acknowledged: number
  /** Faults that hold now. */
  active: Fault[]
}

export class Swarm {
  readonly directory: string
  readonly #init: SwarmInit
  readonly #loopback: Loopback
  readonly #proxy: FaultProxy
  readonly #processes = new Map<Name, SwarmProcess>()
  readonly #memory = new EventMemory()
  readonly #waiting = new Waiting()
  #isClosed = false
  readonly #seconds = { start: 0, friends: 0 }
  #phase: 'start' | 'friends' = 'start'
  #run: SwarmRun | undefined
  #sampler: NodeJS.Timeout | undefined

  private constructor(init: SwarmInit, directory: string, loopback: Loopback) {
    this.#init = init
    this.directory = directory
    this.#loopback = loopback
    this.#proxy = new FaultProxy({ loopback, ...init.options })
    const interrupt = (): void => this.#waiting.fail(new KithError('INTERRUPTED', 'interrupted'))
    if (init.signal?.aborted === true) interrupt()
    init.signal?.addEventListener('abort', interrupt, { once: true })
  }

  /**
   * Starts all processes and makes the friendships; when that fails, nothing is left.
   * @throws NetworkError `SWARM_TAKEN`, `NO_FRIENDS`; KithError `NODE_DIED`, `INTERRUPTED`
   */
  static async create(init: SwarmInit): Promise<Swarm> {
    const loopback = await Loopback.take(init.subnet)
    let swarm: Swarm | undefined
    try {
      swarm = new Swarm(init, await directoryFor(init.keep), loopback)
      await swarm.#begin()
      return swarm
    } catch (error) {
      await (swarm === undefined ? loopback.close() : swarm.close())
      throw error
    }
  }

  get progress(): Progress {
    const run = this.#run
    return {
      phase: run?.phase ?? this.#phase,
      elapsed: run?.now() ?? 0,
      up: [...this.#processes.values()].filter(({ isUp }) => isUp).length,
      processes: this.#processes.size,
      accepted: run?.accepted ?? 0,
      arrived: this.#memory.arrived.size,
      acknowledged: this.#memory.acknowledged.size,
      active: run?.active ?? [],
    }
  }

  /** Process IDs of what runs. */
  get pids(): number[] {
    return [...this.#processes.values()].flatMap(({ pid }) => pid ?? [])
  }

  /** Asks a node over its socket. @throws KithError as the node says; NetworkError `NODE_GONE` when it is not up */
  async call<M extends MethodName>(name: Name, method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    return await this.#process(name).call(method, params)
  }

  /** Ends a process. */
  async stop(name: Name, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#process(name).stop(signal)
    this.#waiting.tell()
  }

  /** Starts a process again; resolves when it answers. */
  async start(name: Name): Promise<void> {
    await this.#process(name).start()
    this.#waiting.tell()
  }

  /** Cuts a group off from all others, until the key is healed; silently: connections stay, what is sent is swallowed. */
  cut(key: object, group: Name[], silent = false): void {
    this.#proxy.strike(key, { kind: 'partition', groups: [group, []], silent })
  }

  /** Makes all links bad, until the key is healed. @param rate of chunks, 0 to 1 */
  disturb(key: object, kind: RateName, rate: number): void {
    this.#proxy.strike(key, { kind, rate })
  }

  heal(key: object): void {
    this.#proxy.heal(key)
  }

  /**
   * Lives through the schedule, waits until all has arrived or the time for it is over, and reads the histories.
   * @throws KithError `NODE_DIED` when a process ends that nobody ended, `INTERRUPTED`
   */
  async run(): Promise<Recording> {
    const { schedule, settle } = this.#init
    const run = new SwarmRun({
      schedule,
      settle,
      process: (name) => this.#process(name),
      stop: (name, signal) => this.stop(name, signal),
      start: (name) => this.start(name),
      proxy: this.#proxy,
      memory: this.#memory,
      waiting: this.#waiting,
    })
    this.#run = run
    await run.live()
    await Promise.all([...this.#processes.values()].map((each) => each.sample()))
    return {
      ...(await run.record()),
      usage: Object.fromEntries([...this.#processes].map(([name, { usage }]) => [name, usage])),
      seconds: { ...this.#seconds, settle: run.settleSeconds },
      links: this.#proxy.counts,
    }
  }

  /** Ends every process and gives everything back; may be called at any time, and again. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sampler)
    this.#waiting.fail(new NetworkError('SWARM_CLOSED', 'the swarm was closed'))
    await Promise.all([...this.#processes.values()].map((each) => each.close()))
    // a home that is being made is made before it is removed
    await this.#waiting.idle()
    await this.#proxy.close()
    await this.#loopback.close()
    const rest = this.#init.keep === undefined ? this.directory : placeFile(this.directory)
    await rm(rest, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- the beginning ----

  async #begin(): Promise<void> {
    const { nodes, relays } = this.#init.schedule
    const begun = Date.now()
    await writeFile(join(this.directory, 'passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 })
    await Promise.all([...nodes, ...relays].map((name) => this.#proxy.open(name)))
    this.#sampler = setInterval(() => {
      for (const each of this.#processes.values()) void each.sample()
    }, SAMPLE_MS)
    const [first, ...others] = relays
    enableCompileCache(CODE_CACHE)
    await this.#waiting.unlessFailed(this.#startRelay(first!))
    this.#process(first!).keepCode()
    await this.#waiting.unlessFailed(atOnce(STARTS_AT_ONCE, others, (name) => this.#startRelay(name)))
    this.#init.onNote?.(`relays are up, ${nodes.length} nodes start`)
    await this.#waiting.unlessFailed(atOnce(STARTS_AT_ONCE, nodes, (name) => this.#startNode(name)))
    await this.#publish()
    this.#seconds.start = (Date.now() - begun) / 1000
    this.#init.onNote?.(
      `${nodes.length} nodes and ${relays.length} relays are up after ${this.#seconds.start.toFixed(1)} s`,
    )
    this.#phase = 'friends'
    await this.#waiting.unlessFailed(this.#befriend())
    if (this.#proxy.counts.opened === 0) throw new InternalError('NOT_PROXIED', 'the processes do not dial the proxy')
    this.#seconds.friends = (Date.now() - begun) / 1000 - this.#seconds.start
    const pairs = this.#init.schedule.friendships.length
    this.#init.onNote?.(`${pairs} friendships were made in ${this.#seconds.friends.toFixed(1)} s`)
  }

  async #startRelay(name: Name): Promise<void> {
    const first = this.#init.schedule.relays[0]!
    const bootstrap = name === first ? [] : ['--bootstrap', this.#process(first).address]
    await this.#add(name, ['--json', 'relay', '--listen', this.#loopback.multiaddr(name), ...bootstrap]).start()
  }

  async #startNode(name: Name): Promise<void> {
    const { id } = await this.#init.runtime.createIdentity({
      home: join(this.directory, name),
      name,
      passphrase: PASSPHRASE,
      relays: this.#init.schedule.relaysOf[name]!.map((relay) => this.#process(relay).address),
      bootstrap: [],
      // the passphrase stands above
      unsafeCheapVault: true,
    })
    this.#memory.add(name, id)
    const passphrase = ['--passphrase-file', join(this.directory, 'passphrase')]
    await this.#add(name, [...passphrase, '--json', 'up', '--listen', this.#loopback.multiaddr(name)]).start()
  }

  #add(name: Name, args: string[]): SwarmProcess {
    if (this.#isClosed) throw this.#waiting.failure!
    const added = new SwarmProcess({
      name,
      args,
      address: this.#loopback.address(name),
      home: join(this.directory, name),
      environment: swarmEnvironment(this.directory, CODE_CACHE),
      onDeath: (error) => this.#waiting.fail(error),
      onEvent: (event) => {
        this.#memory.hear(name, event, this.#run?.began ?? 0)
        this.#waiting.tell()
      },
    })
    this.#processes.set(name, added)
    return added
  }

  /** Where `kith swarm shell` finds the swarm. */
  async #publish(): Promise<void> {
    const homes = Object.fromEntries([...this.#processes].map(([name, { home }]) => [name, home]))
    const place = { v: 1, pid: process.pid, homes, runtime: join(this.directory, 'run') }
    await writeFile(placeFile(this.directory), `${JSON.stringify(place, null, 2)}\n`, { mode: 0o600 })
  }

  /** By real invites and requests, like people: the first invites, the second asks, the first accepts. */
  async #befriend(): Promise<void> {
    const { friendships } = this.#init.schedule
    const inviters = [...new Set(friendships.map(([inviter]) => inviter))]
    await Promise.all(
      inviters.map(async (inviter) => {
        const guests = friendships.filter(([one]) => one === inviter).map(([, guest]) => guest)
        const { invite } = await this.call(inviter, 'invite.create', { uses: guests.length })
        await Promise.all(guests.map((guest) => this.call(guest, 'friend.add', { target: invite, petname: inviter })))
        const asked = this.#memory.requests.get(inviter)!
        const accepted = new Set<string>()
        while (accepted.size < guests.length) {
          const fresh = await this.#waiting.until(() => [...asked].find((id) => !accepted.has(id)), FRIENDS_TIMEOUT_MS)
          if (fresh === undefined) throw noFriends(inviter, accepted.size, guests.length)
          accepted.add(fresh)
          await this.call(inviter, 'request.accept', { who: fresh, petname: this.#memory.nameOf(fresh) })
        }
      }),
    )
    const missing = (): [Name, Name] | undefined =>
      friendships.find(([a, b]) => !this.#memory.friends.get(a)!.has(b) || !this.#memory.friends.get(b)!.has(a))
    const all = await this.#waiting.until(() => (missing() === undefined ? true : undefined), FRIENDS_TIMEOUT_MS)
    if (all !== true) throw new NetworkError('NO_FRIENDS', `${missing()!.join(' and ')} did not become friends`)
  }

  #process(name: Name): SwarmProcess {
    const found = this.#processes.get(name)
    if (found === undefined) throw new UsageError('USAGE', `no node ${JSON.stringify(name)} in this swarm`)
    return found
  }
}

async function directoryFor(keep: string | undefined): Promise<string> {
  if (keep === undefined) return await mkdtemp(join(tmpdir(), DIRECTORY_PREFIX))
  const directory = resolve(keep)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if ((await readdir(directory)).length > 0) {
    throw new UsageError('USAGE', `${directory} is not empty`, { hint: 'name a new directory for --keep' })
  }
  return directory
}

function noFriends(inviter: Name, asked: number, guests: number): NetworkError {
  return new NetworkError('NO_FRIENDS', `${asked} of ${guests} requests reached ${inviter}`)
}

/** Runs work for each item, so many at a time. */
async function atOnce<T>(limit: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items]
  const worker = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
}
