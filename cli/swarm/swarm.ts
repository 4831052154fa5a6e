/**
 * A swarm: real processes on loopback that become friends and live through a schedule, with the fault proxy between them.
 * It watches from outside, through sockets and event logs, and gives what it recorded to metrics.ts.
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
import type { Recording, SentMessage, Strike } from './metrics.ts'
import { DIRECTORY_PREFIX, placeFile } from './running-swarm.ts'
import type { RateName, SwarmOptions } from './options.ts'
import type { Fault, Name, Schedule } from './schedule.ts'
import { SwarmProcess, swarmEnvironment } from './swarm-process.ts'
import { Waiting } from './waiting.ts'

const CODE_CACHE = process.env.NODE_COMPILE_CACHE || join(envPaths('kith', { suffix: '' }).cache, 'code')
const PASSPHRASE = 'the passphrase of a swarm'
/** Starts are mostly processor time: more at once only makes each later. */
const STARTS_AT_ONCE = Math.max(2, availableParallelism())
const FRIENDS_TIMEOUT_MS = 300_000
const SAMPLE_MS = 2000
const PAGE = 200
/** Until a message that was not taken is offered again. */
const HELD_MS = 200

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
  readonly #messages: SentMessage[] = []
  readonly #strikes: Strike[] = []
  readonly #accepted = new Set<string>()
  readonly #gone = new Set<Name>()
  /** Messages that had to wait, because so many waited for the friend. */
  readonly #held = new Set<SentMessage>()
  #isClosed = false
  readonly #seconds = { start: 0, friends: 0, settle: 0 }
  #phase: Progress['phase'] = 'start'
  #zero = 0
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
    const now = this.#now()
    return {
      phase: this.#phase,
      elapsed: this.#zero === 0 ? 0 : now,
      up: [...this.#processes.values()].filter(({ isUp }) => isUp).length,
      processes: this.#processes.size,
      accepted: this.#accepted.size,
      arrived: this.#memory.arrived.size,
      acknowledged: this.#memory.acknowledged.size,
      active: this.#strikes.filter(({ ended }) => ended === undefined).map(({ fault }) => fault),
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
    const { messages, faults } = this.#init.schedule
    this.#phase = 'run'
    this.#zero = Date.now()
    // in the order of their plan, whatever becomes of each
    this.#messages.push(
      ...messages.map(({ at, ...rest }): SentMessage => ({ ...rest, plannedAt: at, outcome: 'unsent' })),
    )
    // a conversation that has to wait holds up no other one
    const conversations = Map.groupBy(this.#messages, ({ from, to }) => `${from} ${to}`)
    const writers = [...conversations.values()].map((conversation) => this.#write(conversation))
    await this.#waiting.unlessFailed(Promise.all([...writers, ...faults.map((fault) => this.#strike(fault))]))
    await this.#settle()
    await Promise.all([...this.#processes.values()].map((each) => each.sample()))
    return await this.#record()
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
        this.#memory.hear(name, event, this.#zero)
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

  // ---- the run ----

  async #write(messages: readonly SentMessage[]): Promise<void> {
    for (const message of messages) {
      await this.#sleepUntil(message.plannedAt)
      const author = this.#process(message.from)
      do {
        // what should be written while its author is away is written when the author is back
        const isUp = await this.#waiting.until(() =>
          author.isUp ? true : this.#gone.has(message.from) ? false : undefined,
        )
        if (isUp !== true) return
      } while (!(await this.#send(author, message)))
    }
  }

  /** @returns whether that was that; false when so much waits for the friend that nothing more is taken now */
  async #send(author: SwarmProcess, message: SentMessage): Promise<boolean> {
    message.sentAt = this.#now()
    try {
      const { messageId } = await author.call('message.send', { who: message.to, text: message.text })
      message.outcome = 'accepted'
      message.messageId = messageId
      this.#accepted.add(messageId)
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      if (error.code === 'TOO_MANY' && !this.#gone.has(message.to)) {
        this.#held.add(message)
        await this.#waiting.until(() => undefined, HELD_MS)
        return false
      }
      message.outcome = error.code === 'NODE_GONE' ? 'unanswered' : 'refused'
      message.code = error.code
    }
    return true
  }

  async #strike(fault: Fault): Promise<void> {
    await this.#sleepUntil(fault.at)
    const strike: Strike = { fault, began: this.#now() }
    this.#strikes.push(strike)
    if (fault.groups !== undefined || fault.rate !== undefined) this.#proxy.strike(fault, fault)
    if (fault.who !== undefined) {
      if (fault.until === undefined) this.#gone.add(fault.who)
      await this.stop(fault.who, fault.signal!)
    }
    if (fault.until === undefined) return
    await this.#sleepUntil(fault.until)
    strike.ended = this.#now()
    this.heal(fault)
    if (fault.who !== undefined) await this.start(fault.who)
  }

  /** Faults are over: waits until everything that can arrive has arrived and its author knows it. */
  async #settle(): Promise<void> {
    this.#phase = 'settle'
    const begun = this.#now()
    const expected = this.#messages.filter(
      ({ outcome, from, to }) => outcome === 'accepted' && !this.#gone.has(from) && !this.#gone.has(to),
    )
    const { arrived, acknowledged } = this.#memory
    let done = 0
    // each is looked at until it is done, and not again: this is asked at every event
    const isDone = (): true | undefined => {
      while (done < expected.length && arrived.has(expected[done]!.messageId!)) {
        if (!acknowledged.has(expected[done]!.messageId!)) return undefined
        done += 1
      }
      return done === expected.length || undefined
    }
    await this.#waiting.until(isDone, this.#init.settle)
    this.#seconds.settle = (this.#now() - begun) / 1000
    this.#phase = 'done'
  }

  async #record(): Promise<Recording> {
    const histories: Recording['histories'] = {}
    const alive = this.#init.schedule.nodes.filter((name) => !this.#gone.has(name))
    for (const name of alive) {
      await this.#process(name).catchUp()
      histories[name] = {}
      for (const friend of this.#memory.friends.get(name)!) histories[name][friend] = await this.#history(name, friend)
    }
    return {
      messages: this.#messages,
      logs: Object.fromEntries(this.#memory.logs),
      histories,
      strikes: this.#strikes,
      relaysOf: this.#init.schedule.relaysOf,
      usage: Object.fromEntries([...this.#processes].map(([name, { usage }]) => [name, usage])),
      seconds: this.#seconds,
      held: this.#held.size,
      links: this.#proxy.counts,
    }
  }

  async #history(name: Name, friend: Name): Promise<string[]> {
    const ids: string[] = []
    for (;;) {
      const before = ids[0] === undefined ? {} : { before: ids[0] }
      const { messages, more } = await this.call(name, 'history.list', { who: friend, limit: PAGE, ...before })
      ids.unshift(...messages.map(({ messageId }) => messageId))
      if (!more || messages.length === 0) return ids
    }
  }

  #process(name: Name): SwarmProcess {
    const found = this.#processes.get(name)
    if (found === undefined) throw new UsageError('USAGE', `no node ${JSON.stringify(name)} in this swarm`)
    return found
  }

  #now(): number {
    return Date.now() - this.#zero
  }

  async #sleepUntil(at: number): Promise<void> {
    const rest = at - this.#now()
    if (rest > 0) await this.#waiting.until(() => undefined, rest)
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
