/**
 * One stream of the mailbox protocol, serving end (PROTOCOL 6): frames to verbs, what it is subscribed to, and the PULL
 * that waits for mail. Nothing that comes in makes it throw.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { KithError, PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import type { LinkServer, Logger } from '../ports.ts'
import * as wire from '../wire/commands.ts'
import { decode, encode } from '../wire/schema.ts'
import { itemBytes, type Mailboxes, type ReadOutcome } from './mailboxes.ts'
import type { RateLimit } from './rates.ts'
import type { ServerKeys } from './server-keys.ts'
import { type Asker, no, ok, type Verbs } from './verbs.ts'
import type { Watchers } from './watchers.ts'

const { STATUS, VERB } = wire
/** After a failure of our own: the store may be back. */
const FAILED_RETRY_SECONDS = 60
/** Items in one window; small ones could otherwise be more than an answer may list. */
const MAX_ITEMS = 1024

interface Subscription {
  address: Uint8Array
  after: number
  /** R signed for it. */
  proved: boolean
}

export interface ServerStreamInit {
  asker: Asker
  keys: ServerKeys
  mailboxes: Mailboxes
  verbs: Verbs
  watchers: Watchers
  /** For every frame. */
  frameRate: RateLimit
  logger: Logger
  onClose: (stream: ServerStream) => void
}

/** Addresses of FETCH and SUBSCRIBE that cost as much as a frame. */
const ENTRIES_PER_TOKEN = 8

export class ServerStream implements LinkServer {
  readonly #init: ServerStreamInit
  readonly #subscriptions = new Map<string, Subscription>()
  /** Subscriptions that may have mail, in the order in which they are looked at. */
  readonly #due = new Set<string>()
  #outstanding = 0
  #pulling = false
  #closed = false
  #wake: (() => void) | undefined

  constructor(init: ServerStreamInit) {
    this.#init = init
  }

  /** Source prefix of who asks. */
  get source(): string {
    return this.#init.asker.source
  }

  async handle(frame: Uint8Array): Promise<Uint8Array> {
    if (this.#closed || this.#outstanding >= limits.MAX_PIPELINED_REQUESTS)
      return encode(wire.answer, no(STATUS.busy, 1))
    this.#outstanding++
    try {
      return encode(wire.answer, await this.#serve(frame))
    } catch (error) {
      return encode(wire.answer, this.#failure(error))
    } finally {
      this.#outstanding--
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const { address } of this.#subscriptions.values()) this.#init.watchers.remove(address, this)
    this.#subscriptions.clear()
    this.#wake?.()
    this.#init.onClose(this)
  }

  /** Mail came for an address that this stream watches. */
  arrived(address: Uint8Array): void {
    this.#due.add(toHex(address))
    this.#wake?.()
  }

  async #serve(frame: Uint8Array): Promise<wire.Answer> {
    const { asker, verbs, frameRate } = this.#init
    const { verb, args } = decode(wire.request, frame, limits.MAX_FRAME_BYTES)
    const wait = asker.local ? 0 : frameRate.take(asker.source)
    if (wait > 0) return no(STATUS.busy, wait)
    switch (verb) {
      case VERB.hello:
        return verbs.hello(args, asker)
      case VERB.claim:
        return verbs.claim(args, asker)
      case VERB.put:
        return verbs.put(args)
      case VERB.stat:
        return verbs.stat(args)
      case VERB.fetch:
        return this.#fetch(args)
      case VERB.subscribe:
        return this.#subscribe(args)
      case VERB.pull:
        return this.#pull(args)
      case VERB.acknowledge:
        return verbs.acknowledge(args)
      case VERB.release:
        return verbs.release(args)
      case VERB.request:
        return verbs.request(args, asker)
      case VERB.record:
        return verbs.record(args, asker)
      default:
        return no(STATUS.unsupported)
    }
  }

  #failure(error: unknown): wire.Answer {
    if (error instanceof PeerError) return no(STATUS.malformed)
    const code = error instanceof KithError ? error.code : undefined
    if (code === 'STORE_FULL') return no(STATUS.full, FAILED_RETRY_SECONDS)
    if (code?.startsWith('STORE_')) this.#init.logger.warn('mailbox server: store failed', { code })
    else this.#init.logger.error('mailbox server: unexpected failure', { error: String(error) })
    return no(STATUS.busy, FAILED_RETRY_SECONDS)
  }

  // ---- reading ----

  async #fetch(args: Uint8Array): Promise<wire.Answer> {
    const asked = await this.#entries(VERB.fetch, args)
    if ('status' in asked) return asked
    const window = new Window()
    for (const { address, after, proved } of asked.entries) {
      if (window.full) break
      window.add(await this.#init.mailboxes.read(address, after, window.left, proved))
    }
    return this.#window(window.items, window.full)
  }

  async #subscribe(args: Uint8Array): Promise<wire.Answer> {
    const asked = await this.#entries(VERB.subscribe, args)
    if ('status' in asked) return asked
    for (const address of asked.remove) this.#unsubscribe(address)
    for (const entry of asked.entries) {
      if (this.#closed || !this.#watch(entry)) return no(STATUS.full, FAILED_RETRY_SECONDS)
    }
    this.#wake?.()
    return this.#window([], this.#due.size > 0)
  }

  #watch(entry: Subscription): boolean {
    const name = toHex(entry.address)
    if (!this.#subscriptions.has(name)) {
      if (this.#subscriptions.size >= limits.MAX_SUBSCRIBE_ADDRESSES) return false
      if (!this.#init.watchers.add(entry.address, this)) return false
    }
    this.#subscriptions.set(name, entry)
    this.#due.add(name)
    return true
  }

  #unsubscribe(address: Uint8Array): void {
    const name = toHex(address)
    if (this.#subscriptions.delete(name)) this.#init.watchers.remove(address, this)
    this.#due.delete(name)
  }

  /** What a read asks for, cursors set right; an answer when it may not. */
  async #entries(
    verb: wire.Verb,
    args: Uint8Array,
  ): Promise<{ entries: Subscription[]; remove: Uint8Array[] } | wire.Answer> {
    const { keys, mailboxes, verbs } = this.#init
    const asked = decode(wire.readArgs, args, limits.MAX_FRAME_BYTES)
    const { challenge } = asked
    const stale = verbs.staleChallenge(challenge)
    if (stale) return stale
    // Positions of another store say nothing here: from the start then, nothing is missed.
    const names = new Set(asked.entries.map(({ address }) => toHex(address)))
    if (names.size !== asked.entries.length) return no(STATUS.malformed)
    // each entry costs a look at the disk, and some a signature check: a frame is not a frame
    const { asker, frameRate } = this.#init
    const wait = asker.local ? 0 : frameRate.take(asker.source, Math.ceil(asked.entries.length / ENTRIES_PER_TOKEN))
    if (wait > 0) return no(STATUS.busy, wait)
    const ours = asked.storeId !== undefined && equal(asked.storeId, keys.storeId)
    const entries: Subscription[] = []
    for (const { address, after, signature } of asked.entries) {
      let proved = false
      const allowed = await mailboxes.readable(address, verb, (key) => {
        proved = !!challenge && !!signature && verbs.readerOf(verb, address, challenge, signature)(key)
        return proved
      })
      if (!allowed) return no(STATUS.refused)
      entries.push({ address, after: ours ? after : 0, proved })
    }
    return { entries, remove: asked.remove ?? [] }
  }

  async #pull(args: Uint8Array): Promise<wire.Answer> {
    if (args.length > 0) return no(STATUS.malformed)
    if (this.#pulling) return no(STATUS.busy, 1)
    this.#pulling = true
    try {
      for (;;) {
        const window = await this.#collect()
        if (window.items.length > 0) return this.#window(window.items, this.#due.size > 0)
        if (this.#closed) return no(STATUS.busy, 1)
        if (this.#due.size === 0) await this.#mail()
      }
    } finally {
      this.#pulling = false
    }
  }

  async #collect(): Promise<Window> {
    const window = new Window()
    for (const name of Array.from(this.#due)) {
      if (window.full || this.#closed) break
      // Taken off before reading: what arrives while we read puts it on again.
      this.#due.delete(name)
      const subscription = this.#subscriptions.get(name)
      if (!subscription) continue
      const { address, after, proved } = subscription
      const found = await this.#readOrDue(name, address, after, window.left, proved)
      const taken = window.add(found)
      if (taken < found.items.length || found.more) this.#due.add(name)
      const last = found.items[taken - 1]
      // A SUBSCRIBE meanwhile may have put another cursor in its place: that one counts, this one is forgotten.
      if (last) subscription.after = last.position
    }
    return window
  }

  async #readOrDue(name: string, address: Uint8Array, after: number, budget: number, proved: boolean) {
    try {
      return await this.#init.mailboxes.read(address, after, budget, proved)
    } catch (error) {
      this.#due.add(name)
      throw error
    }
  }

  async #mail(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }

  #window(items: ReadOutcome['items'], more: boolean): wire.Answer {
    return ok(wire.readAnswer, { storeId: this.#init.keys.storeId, items, more: more ? 1 : 0 })
  }
}

/** Copies for one answer. */
class Window {
  readonly items: ReadOutcome['items'] = []
  left = limits.WINDOW_BYTES
  full = false

  /** @returns how many of the items it took */
  add(found: ReadOutcome): number {
    let taken = 0
    for (const item of found.items) {
      const bytes = itemBytes(item.copy)
      const fits = bytes <= this.left || this.items.length === 0
      if (!fits || this.items.length >= MAX_ITEMS) break
      this.items.push(item)
      this.left -= bytes
      taken++
    }
    if (found.more || taken < found.items.length) this.full = true
    return taken
  }
}
