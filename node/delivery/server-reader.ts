/**
 * Reading at one server (PROTOCOL 6, reader): claims the mailboxes that are watched, subscribes, pulls windows of copies, hands
 * them to whoever watches the mailbox, and acknowledges what is safely on the disk.
 */
import { compare, concat, equal, toHex, utf8 } from '../crypto/bytes.ts'
import type { Ed25519KeyPair } from '../crypto/ed25519.ts'
import { describe, KithError, NetworkError } from '../errors.ts'
import { MAX_ACK_CIDS } from '../limits.ts'
import { type Kind, KIND, mailboxAddress } from '../mailbox/keys.ts'
import {
  type Clock,
  type Logger,
  type Network,
  type Random,
  type RowKey,
  type Store,
  TABLE,
  type Timer,
} from '../ports.ts'
import { copyId } from '../wire/commands.ts'
import { bytes, decode, encode, struct, uint } from '../wire/schema.ts'
import { Backoff, randomFraction } from './backoff.ts'
import { type Releases, ServerReleases } from './releases.ts'
import type { ConnectedServer, ServerPool } from './server-pool.ts'

/** A copy as it lay in a mailbox. */
export interface Mail {
  copy: Uint8Array
  /** Peer ID of the server that handed it out. */
  server: Uint8Array
}

/** A mailbox that is read at every own relay. */
export interface MailWatch {
  /** Unique among the watches of a node. */
  name: string
  kind: Kind
  /** Whoever writes first claims it, except at the own server: most mailboxes of this kind are never used. */
  isClaimedByWriter?: true
  keysAt(server: Uint8Array): { writer: Uint8Array; reader: Ed25519KeyPair }
  /** Resolves when what is true in the answer is on the disk and may be deleted at the server. */
  receive(mail: Mail[]): Promise<boolean[]>
}

export interface MailReaderInit {
  pool: ServerPool
  network: Pick<Network, 'serverId'>
  store: Store
  clock: Clock
  random: Random
  logger: Logger
  /** Seconds. */
  protocolTime: () => number
  /** Acknowledgements wait for a random part of this, so that their times tell less. */
  acknowledgeWithinMs: number
}

const DAY = 86_400
const CLAIM_DAYS = 90
/** A claim is renewed when less than this is left of it. */
const CLAIM_RENEW_DAYS = 60
const RETRY_MS = 5000
/** A mailbox is read from its start when it is opened anew: while the own disk is full, say, not again and again. */
const REOPEN = { baseMs: RETRY_MS, maxMs: 300_000 }
const claimRow = struct({ storeId: [1, bytes(16)], until: [2, uint()] })
const CLAIMS = utf8('claims')

interface Box {
  watch: MailWatch
  address: Uint8Array
  reader: Ed25519KeyPair
}

interface DueAck {
  box: Box
  cids: Uint8Array[]
  timer: Timer | undefined
}

/** What is read at one server. */
export class ServerReader {
  readonly #init: MailReaderInit
  readonly #boxes = new Map<string, Box>()
  readonly #due = new Map<string, DueAck>()
  readonly #ready = new Set<string>()
  readonly #watches: Map<string, MailWatch>
  readonly #isOwn: boolean
  readonly #changed: () => void
  /** Of mailboxes that could not be opened, read or acknowledged, by the name of the watch. */
  readonly #backoffs = new Map<string, Backoff>()
  readonly releases: ServerReleases
  #server: ConnectedServer | undefined
  #opening: Promise<void> = Promise.resolve()

  /** @param isOwn whether it is the server in this process, where nobody else may claim */
  constructor(
    init: MailReaderInit,
    watches: Map<string, MailWatch>,
    releases: Releases,
    { isOwn, changed }: { isOwn: boolean; changed: () => void },
  ) {
    this.#init = init
    this.#isOwn = isOwn
    this.#watches = watches
    this.#changed = changed
    this.releases = new ServerReleases({
      ...init,
      releases,
      inTurn: (work) => this.#inTurn(work),
      claimKey: (server, address) => claimKey(init.store, server, address),
    })
  }

  connected(server: ConnectedServer): void {
    this.#server = server
    this.#boxes.clear()
    this.#backoffs.clear()
    this.#ready.clear()
    for (const watch of this.#watches.values()) this.open(watch)
    this.releases.connected(server)
    this.#pull(server).catch((error: unknown) => this.#failed(server, error))
  }

  disconnected(): void {
    this.#server = undefined
    this.releases.disconnected()
    this.#ready.clear()
    for (const due of this.#due.values()) due.timer?.cancel()
    this.#due.clear()
  }

  isReady(name: string): boolean {
    return this.#ready.has(name)
  }

  /** Claims and subscribes, one mailbox after the other: each claim costs postage. */
  open(watch: MailWatch): void {
    const server = this.#server
    if (!server) return
    this.#inTurn(async () => {
      if (this.#server !== server || this.#watches.get(watch.name) !== watch) return
      const { writer, reader } = watch.keysAt(server.peerId)
      const box = { watch, address: mailboxAddress(watch.kind, writer, reader.public), reader }
      if (this.#isOwn || !watch.isClaimedByWriter) await this.#claim(server, box, writer)
      if (this.#watches.get(watch.name) !== watch) return
      this.#boxes.set(toHex(box.address), box)
      await this.#subscribe(server, box)
      if (this.#server !== server || this.#watches.get(watch.name) !== watch) return
      this.#ready.add(watch.name)
      this.#changed()
    }).catch((error: unknown) => this.#openFailed(server, watch, error))
  }

  /** One claim, subscription or release after the other. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#opening.then(work)
    this.#opening = mine.catch(() => undefined)
    await mine
  }

  /** Stops reading a mailbox. */
  close(watch: MailWatch): void {
    this.#ready.delete(watch.name)
    this.#backoffs.delete(watch.name)
    for (const [address, box] of this.#boxes) if (box.watch === watch) this.#boxes.delete(address)
  }

  /** One mailbox that cannot be opened must not keep the others from being read. */
  #openFailed(server: ConnectedServer, watch: MailWatch, error: unknown): void {
    if (this.#server !== server) return
    this.#init.logger.warn('a mailbox cannot be opened', { problem: describe(error) })
    if (error instanceof KithError && error.code === 'RELEASED') return
    this.#openLater(server, watch)
  }

  #openLater(server: ConnectedServer, watch: MailWatch): void {
    if (this.#server !== server) return
    const backoff = this.#backoffs.get(watch.name) ?? new Backoff({ random: this.#init.random, ...REOPEN })
    this.#backoffs.set(watch.name, backoff)
    this.#init.clock.after(backoff.next(), () => {
      if (this.#server === server && this.#watches.get(watch.name) === watch) this.open(watch)
    })
  }

  /** Sends every acknowledgement and every release that waits. */
  async flush(): Promise<void> {
    await Promise.allSettled([...[...this.#due.values()].map((due) => this.#acknowledge(due)), this.releases.flush()])
  }

  #failed(server: ConnectedServer, error: unknown): void {
    if (this.#server !== server) return
    this.#init.logger.debug('reading at a server ended', { problem: describe(error) })
    // the link may be fine and the server only busy: begin again on a new one after a while
    this.#init.clock.after(RETRY_MS, () => {
      if (this.#server === server) server.client.close()
    })
  }

  async #claim(server: ConnectedServer, box: Box, writer: Uint8Array): Promise<void> {
    const now = this.#init.protocolTime()
    const key = claimKey(this.#init.store, server.peerId, box.address)
    const row = await this.#init.store.get(key)
    if (row) {
      const known = decode(claimRow, row, 64)
      if (equal(known.storeId, server.storeId) && known.until > now + CLAIM_RENEW_DAYS * DAY) return
    }
    const claimed = await server.client.claim({
      kind: box.watch.kind,
      writer: { public: writer },
      reader: box.reader,
      until: Math.floor(now) + CLAIM_DAYS * DAY,
    })
    if (claimed.status !== 'claimed') throw refused('claim', claimed.status)
    const value = encode(claimRow, { storeId: server.storeId, until: claimed.until })
    await this.#init.store.write([{ key, value }])
  }

  async #subscribe(server: ConnectedServer, box: Box): Promise<void> {
    // only these kinds are read by R alone; a signature elsewhere would tell the server more than it needs
    const needsReader = box.watch.kind === KIND.invite || box.watch.kind === KIND.box
    const entry = { address: box.address, after: 0, ...(needsReader && { readerSeed: box.reader.seed }) }
    const answer = await server.client.subscribe({ entries: [entry] })
    if (answer.status !== 'ok') throw refused('subscribe', answer.status)
  }

  async #pull(server: ConnectedServer): Promise<void> {
    while (this.#server === server) {
      const answer = await server.client.pull()
      if (answer.status !== 'ok') throw refused('pull', answer.status)
      const { items } = answer
      const byBox = new Map<Box, Uint8Array[]>()
      for (const item of items) {
        const box = this.#boxes.get(toHex(item.address))
        if (!box) continue
        const copies = byBox.get(box)
        if (copies) copies.push(item.copy)
        else byBox.set(box, [item.copy])
      }
      await Promise.all([...byBox].map(([box, copies]) => this.#deliver(server, box, copies)))
    }
  }

  async #deliver(server: ConnectedServer, box: Box, copies: Uint8Array[]): Promise<void> {
    let done: boolean[]
    try {
      done = await box.watch.receive(copies.map((copy) => ({ copy, server: server.peerId })))
    } catch (error) {
      // it lies at the server still, and comes again when the mailbox is opened anew
      this.#init.logger.warn('mail cannot be received', { problem: describe(error) })
      this.#openLater(server, box.watch)
      return
    }
    if (this.#server !== server) return
    const cids = copies.filter((_, i) => done[i]).map((copy) => copyId(copy))
    if (cids.length === 0) return
    const name = toHex(box.address)
    const due = this.#due.get(name) ?? { box, cids: [], timer: undefined }
    due.cids.push(...cids)
    this.#due.set(name, due)
    if (due.cids.length >= MAX_ACK_CIDS / 2) {
      this.#acknowledgeQuietly(due)
    } else {
      const delay = this.#init.acknowledgeWithinMs * randomFraction(this.#init.random)
      due.timer ??= this.#init.clock.after(delay, () => this.#acknowledgeQuietly(due))
    }
  }

  #acknowledgeQuietly(due: DueAck): void {
    const server = this.#server
    // what is not acknowledged comes again when the mailbox is opened anew, and is known by then
    this.#acknowledge(due).catch(() => server && this.#openLater(server, due.box.watch))
  }

  async #acknowledge(due: DueAck): Promise<void> {
    due.timer?.cancel()
    due.timer = undefined
    // the order in which mail came is nobody's business
    const cids = due.cids.splice(0).toSorted(compare)
    this.#due.delete(toHex(due.box.address))
    for (let i = 0; i < cids.length && this.#server; i += MAX_ACK_CIDS) {
      const { address, reader } = due.box
      const part = cids.slice(i, i + MAX_ACK_CIDS)
      const { status } = await this.#server.client.acknowledge({ address, readerSeed: reader.seed, cids: part })
      if (status !== 'ok') throw refused('acknowledge', status)
    }
    this.#backoffs.delete(due.box.watch.name)
  }
}

function claimKey(store: Store, server: Uint8Array, address: Uint8Array): RowKey {
  return { table: TABLE.meta, scope: CLAIMS, position: store.blind(concat(server, address)) }
}

function refused(what: string, status: string): NetworkError {
  return new NetworkError(status === 'released' ? 'RELEASED' : 'REFUSED', `the server answered ${what} with ${status}`)
}
