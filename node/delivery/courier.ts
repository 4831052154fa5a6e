/**
 * The writing end of mailboxes (PROTOCOL 6, sender): puts what waits for one mailbox at each of its servers, oldest first,
 * the same bytes at every try, until the server has signed for it. Each mailbox and server has its own back-off, so a
 * friend whose mailbox is full holds up nobody else.
 */
import type { Ed25519KeyPair } from '../crypto/ed25519.ts'
import { hmacSha256, sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { describe } from '../errors.ts'
import { type Kind, mailboxAddress, sealCopy } from '../mailbox/keys.ts'
import type { Clock, Logger, Random, Timer } from '../ports.ts'
import { signedBody } from '../wire/commands.ts'
import { encode } from '../wire/schema.ts'
import { MAX_PUTS_IN_FLIGHT } from '../limits.ts'
import { Backoff } from './backoff.ts'
import { FairTurns } from './fair-turns.ts'
import type { ClaimResult, PutResult } from './mailbox-client.ts'
import type { ConnectedServer, ServerPool } from './server-pool.ts'

/** Something to put: an envelope or a leg. */
export interface Parcel {
  bytes: Uint8Array
  /** Seconds: when the server may drop it. */
  expires: number
  /**
   * The server signed for these bytes (`receipt` is an encoded `signedBody`, empty when the reader has them already);
   * resolves when that is on the disk.
   */
  stored(server: Uint8Array, receipt: Uint8Array): Promise<void>
  /** The server did not take it; it is asked again at `until` (milliseconds), or when there is better news. */
  refused?(server: Uint8Array, why: string, until: number): Promise<void>
}

/** How a consignment stands at one of its servers. */
export interface RouteStatus {
  address: string
  connected: boolean
  /** What the last failure was; absent when there is none to tell of. */
  problem: string | undefined
  /** Milliseconds: nothing is tried before, unless there is better news. */
  until: number | undefined
}

/** A mailbox of somebody else's that this node may write to. */
export interface Consignment {
  /** Unique among the consignments of a node. */
  name: string
  kind: Kind
  servers: readonly string[]
  keysAt(server: Uint8Array): { writer: Ed25519KeyPair; reader: Ed25519KeyPair; copyKey: Uint8Array }
  /** What this server has not signed for, oldest first, at most `limit`. */
  pending(server: Uint8Array, limit: number): Promise<Parcel[]>
  /** The reader gave the mailbox up at this server; resolves when that is on the disk. */
  released?(server: Uint8Array): Promise<void>
}

export interface CourierInit {
  pool: ServerPool
  clock: Clock
  random: Random
  logger: Logger
  /** Seconds. */
  protocolTime: () => number
}

/** Puts of one mailbox on the way at once: a lower figure waits for round trips, a higher one repeats more after a broken link. */
const PIPELINE = 16
/** After a refusal one parcel asks for all. */
const PROBE = 1
const RETRY = { baseMs: 2000, maxMs: 600_000 }
/** A link to somebody else's relay is kept this long after the last parcel. */
const IDLE_MS = 60_000
const DAY = 86_400
/** A mailbox that the server will not let us write to any more (released, say) is asked again after this time. */
const REFUSED_MS = DAY * 1000
const NO_RECEIPT = new Uint8Array(0)

/** One mailbox at one server. */
class Route {
  readonly #init: CourierInit
  readonly #consignment: Consignment
  readonly #address: string
  readonly #backoff: Backoff
  #server: ConnectedServer | undefined
  #end: (() => void) | undefined
  #running = false
  #again = false
  #closed = false
  /** The server said when to come again: nothing is tried before, unless there is better news. */
  #held = false
  #timer: Timer | undefined
  #until: number | undefined
  #problem: string | undefined
  #window = PIPELINE
  #claiming: Promise<ClaimResult> | undefined
  readonly #turns: FairTurns

  constructor(init: CourierInit, consignment: Consignment, address: string, turns: FairTurns) {
    this.#init = init
    this.#turns = turns
    this.#consignment = consignment
    this.#address = address
    this.#backoff = new Backoff({ random: init.random, ...RETRY })
  }

  /** There may be something to put. */
  nudge(): void {
    if (this.#closed) return
    this.#again = true
    if (this.#held) return
    if (this.#end) this.#run()
    else this.#connect()
  }

  /** The friend or the server was heard of: waiting makes no sense any more. */
  hurry(): void {
    this.#backoff.reset()
    this.#held = false
    this.nudge()
  }

  /** The friend was heard, and nothing may be waiting: what comes next waits for nothing. */
  relieve(): void {
    if (this.#held) this.hurry()
  }

  status(): RouteStatus {
    const server = this.#init.pool.status(this.#address)
    return {
      address: this.#address,
      connected: server.connected,
      problem: this.#problem ?? (server.connected ? undefined : server.problem),
      until: this.#until,
    }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#end?.()
    this.#end = undefined
  }

  #connect(): void {
    this.#timer?.cancel()
    this.#end = this.#init.pool.use(this.#address, {
      connected: (server) => {
        this.#server = server
        this.#backoff.reset()
        this.#held = false
        this.#again = true
        // `use` may call before it returned what ends it
        this.#run()
      },
      disconnected: () => {
        this.#server = undefined
      },
    })
  }

  #run(): void {
    if (this.#running || this.#closed || !this.#server) return
    this.#running = true
    this.#drain()
      .catch((error: unknown) => {
        this.#problem = describe(error)
        this.#init.logger.debug('put failed', { problem: this.#problem })
        return this.#backoff.next()
      })
      .then((waitMs) => {
        this.#running = false
        this.#timer?.cancel()
        this.#until = waitMs === undefined ? undefined : this.#init.clock.now() + waitMs
        if (this.#closed) return
        if (waitMs !== undefined) this.#timer = this.#init.clock.after(waitMs, () => this.#retry())
        else if (this.#again) this.#run()
        else this.#timer = this.#init.clock.after(IDLE_MS, () => this.#disconnectIdle())
      }, noFailure)
  }

  #retry(): void {
    this.#held = false
    this.nudge()
  }

  #disconnectIdle(): void {
    if (this.#running || this.#again) return
    this.#end?.()
    this.#end = undefined
    this.#server = undefined
  }

  /** Puts until nothing is left; the answer is how long to wait when the server has no room. */
  async #drain(): Promise<number | undefined> {
    while (this.#server && !this.#closed) {
      this.#again = false
      const server = this.#server
      const parcels = await this.#consignment.pending(server.peerId, this.#window)
      if (parcels.length === 0) return undefined
      const { name } = this.#consignment
      const waits = await Promise.all(parcels.map((parcel) => this.#turns.run(name, () => this.#put(server, parcel))))
      const wait = Math.max(...waits.map((ms) => ms ?? 0))
      if (wait > 0) {
        this.#held = true
        this.#window = PROBE
        // the oldest tells for all: what lies behind it waits for the same
        const first = parcels[waits.findIndex((ms) => ms !== undefined)]
        await first?.refused?.(server.peerId, this.#problem ?? '', this.#init.clock.now() + wait)
        return wait
      }
      this.#window = Math.min(PIPELINE, this.#window * 4)
      this.#problem = undefined
      this.#backoff.reset()
    }
    // the link broke on the way: what is left goes on the next one
    this.#again = true
    return undefined
  }

  async #put(server: ConnectedServer, parcel: Parcel): Promise<number | undefined> {
    const { kind } = this.#consignment
    const { writer, reader, copyKey } = this.#consignment.keysAt(server.peerId)
    // one nonce for one plaintext: a retry is the same copy, and needs no row of its own
    const nonce = hmacSha256(copyKey, L('copy'), sha256(parcel.bytes)).subarray(0, 24)
    const copy = sealCopy(copyKey, nonce, parcel.bytes)
    const address = mailboxAddress(kind, writer.public, reader.public)
    const put = { address, writerSeed: writer.seed, copy, expires: parcel.expires, reader: reader.public }
    let result = await server.client.put(put)
    if (result.status === 'unclaimed') {
      const until = Math.floor(this.#init.protocolTime()) + 90 * DAY
      // a claim costs postage: one for all parcels that found nobody
      this.#claiming ??= server.client.claim({ kind, writer, reader, until }).finally(() => {
        this.#claiming = undefined
      })
      const claimed = await this.#claiming
      if (claimed.status !== 'claimed') this.#problem = `claiming a mailbox is answered with ${claimed.status}`
      if (claimed.status === 'full' || claimed.status === 'busy') return this.#wait(claimed.retryAfterSeconds)
      if (claimed.status !== 'claimed' && claimed.status !== 'released') return this.#backoff.next()
      result = await server.client.put(put)
    }
    if (result.status === 'stored') {
      await parcel.stored(server.peerId, encode(signedBody, result.signed))
      return undefined
    }
    if (result.status === 'acknowledged') {
      // the reader has it, as its own signature shows; the receipt end to end will come
      await parcel.stored(server.peerId, NO_RECEIPT)
      return undefined
    }
    this.#problem = REFUSALS[result.status] ?? `the relay answers ${result.status}`
    if (result.status === 'full' || result.status === 'busy') return this.#wait(result.retryAfterSeconds)
    if (result.status === 'released') await this.#consignment.released?.(server.peerId)
    this.#init.logger.debug('put refused', { status: result.status })
    return result.status === 'unclaimed' ? this.#backoff.next() : REFUSED_MS
  }

  /** Milliseconds until the next try at a server that said when to come again. */
  #wait(retryAfterSeconds: number): number {
    return Math.max(this.#backoff.next(), retryAfterSeconds * 1000)
  }
}

const REFUSALS: Partial<Record<PutResult['status'], string>> = {
  full: 'the mailbox is full',
  busy: 'the relay is busy',
  released: 'the friend gave this mailbox up',
}

function noFailure(): void {
  // #drain's failures are handled before; nothing else can reject
}

export class Courier {
  readonly #init: CourierInit
  readonly #routes = new Map<string, Route[]>()
  /** By address: all that is put at one server takes turns. */
  readonly #turns = new Map<string, FairTurns>()

  constructor(init: CourierInit) {
    this.#init = init
  }

  /** Adds a consignment or replaces the one of that name, and puts what waits. */
  set(consignment: Consignment): void {
    this.remove(consignment.name)
    const routes = consignment.servers.map(
      (address) => new Route(this.#init, consignment, address, this.#turnsAt(address)),
    )
    this.#routes.set(consignment.name, routes)
    for (const route of routes) route.nudge()
  }

  remove(name: string): void {
    for (const route of this.#routes.get(name) ?? []) route.close()
    this.#routes.delete(name)
  }

  nudge(name: string): void {
    for (const route of this.#routes.get(name) ?? []) route.nudge()
  }

  hurry(name: string): void {
    for (const route of this.#routes.get(name) ?? []) route.hurry()
  }

  /** As `hurry`, and connects to nothing where nothing was refused. */
  relieve(name: string): void {
    for (const route of this.#routes.get(name) ?? []) route.relieve()
  }

  status(name: string): RouteStatus[] {
    return (this.#routes.get(name) ?? []).map((route) => route.status())
  }

  #turnsAt(address: string): FairTurns {
    const known = this.#turns.get(address) ?? new FairTurns(MAX_PUTS_IN_FLIGHT)
    this.#turns.set(address, known)
    return known
  }

  stop(): void {
    for (const name of this.#routes.keys()) this.remove(name)
  }
}
