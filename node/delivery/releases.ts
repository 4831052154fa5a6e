/**
 * Mailboxes that are needed no more, until each server that may hold one knows it (PROTOCOL 3, 6). A release is a row from
 * the step that gives the mailbox up, so a server that is away then, or a crash, only makes it late; it ends with the claim.
 */
import { concat, equal, toHex, utf8 } from '../crypto/bytes.ts'
import { describe } from '../errors.ts'
import { MAX_PENDING_RELEASES } from '../limits.ts'
import { type Clock, type Logger, type Random, type RowKey, type Store, TABLE, type Timer } from '../ports.ts'
import { hash32, peerIdBytes, seconds } from '../wire/records.ts'
import { bytes, decode, encode, type Infer, struct } from '../wire/schema.ts'
import { randomFraction } from './backoff.ts'
import type { Transaction } from './journal.ts'
import type { ConnectedServer } from './server-pool.ts'

const releaseRow = struct({
  /** Peer ID. */
  server: [1, peerIdBytes],
  /** Of the mailbox. */
  address: [2, hash32],
  readerSeed: [3, bytes(32)],
  /** From when on no claim is left that could be given up. */
  until: [4, seconds],
})
export type Release = Infer<typeof releaseRow>

const SCOPE = utf8('releases')
/** A claim that was made before the mailbox was given up ends by then; who writes there after that claims for itself. */
const CLAIM_SECONDS = 90 * 86_400
/** A mailbox is given up at a random moment of this time: at once it would tell the server which ended together. */
const WITHIN_MS = 60_000
/** A server that did not take a release over a link that lives is asked again after this. */
const RETRY_MS = 600_000

/** What is to be released, at all servers. */
export class Releases {
  readonly #store: Store
  readonly #protocolTime: () => number
  /** By row, oldest first. */
  readonly #pending = new Map<string, Release>()

  constructor({ store, protocolTime }: { store: Store; protocolTime: () => number }) {
    this.#store = store
    this.#protocolTime = protocolTime
  }

  async load(): Promise<void> {
    const rows = await this.#store.list({ table: TABLE.meta, scope: SCOPE })
    const all = rows.map(({ value }) => decode(releaseRow, value, 256)).toSorted((a, b) => a.until - b.until)
    const ended = all.filter(({ until }) => until <= this.#protocolTime())
    for (const release of all) this.#pending.set(nameOf(release), release)
    for (const release of ended) this.#pending.delete(nameOf(release))
    if (ended.length > 0) await this.#store.write(ended.map((one) => ({ key: this.#key(one), value: undefined })))
  }

  /** Writes that a mailbox is to be released at a server; above the bound the oldest is left to end with its claim. */
  add(tx: Transaction, mailbox: Omit<Release, 'until'>): void {
    const release = { ...mailbox, until: Math.floor(this.#protocolTime()) + CLAIM_SECONDS }
    const { table, scope, position } = this.#key(release)
    tx.put(table, scope, position, encode(releaseRow, release))
    const [oldest] = this.#pending.size >= MAX_PENDING_RELEASES ? this.#pending.values() : []
    if (oldest) tx.delete(table, scope, this.#key(oldest).position)
    tx.afterCommit(() => {
      if (oldest) this.#pending.delete(nameOf(oldest))
      this.#pending.set(nameOf(release), release)
    })
  }

  /** What is to be released at a server. */
  at(server: Uint8Array): Release[] {
    return [...this.#pending.values()].filter((release) => equal(release.server, server))
  }

  hasEnded({ until }: Release): boolean {
    return until <= this.#protocolTime()
  }

  /** The server knows, or does not need to any more; `claim` is the row that remembers the claim. */
  async done(release: Release, claim: RowKey): Promise<void> {
    this.#pending.delete(nameOf(release))
    await this.#store.write([this.#key(release), claim].map((key) => ({ key, value: undefined })))
  }

  #key({ server, address }: Release): RowKey {
    return { table: TABLE.meta, scope: SCOPE, position: this.#store.blind(concat(server, address)) }
  }
}

export interface ServerReleasesInit {
  releases: Releases
  clock: Clock
  random: Random
  logger: Logger
  /** Runs `work` when no claim at this server is under way: a claim must not come after the release. */
  inTurn: (work: () => Promise<void>) => Promise<void>
  /** The row that remembers a claim. */
  claimKey: (server: Uint8Array, address: Uint8Array) => RowKey
}

/** Releases mailboxes at one server while there is a link to it. */
export class ServerReleases {
  readonly #init: ServerReleasesInit
  readonly #timers = new Map<Release, Timer>()
  #server: ConnectedServer | undefined

  constructor(init: ServerReleasesInit) {
    this.#init = init
  }

  connected(server: ConnectedServer): void {
    this.#server = server
    this.schedule()
  }

  disconnected(): void {
    this.#server = undefined
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  /** Releases what has come to wait, each mailbox at a moment of its own. */
  schedule(): void {
    if (!this.#server) return
    for (const release of this.#init.releases.at(this.#server.peerId)) {
      if (!this.#timers.has(release)) this.#later(release, WITHIN_MS * randomFraction(this.#init.random))
    }
  }

  /** Releases all that waits, now. */
  async flush(): Promise<void> {
    await Promise.all([...this.#timers.keys()].map((release) => this.#release(release)))
  }

  #later(release: Release, delayMs: number): void {
    this.#timers.set(
      release,
      this.#init.clock.after(delayMs, () => void this.#release(release)),
    )
  }

  async #release(release: Release): Promise<void> {
    this.#timers.get(release)?.cancel()
    const server = this.#server
    try {
      await this.#init.inTurn(async () => {
        if (!server || this.#server !== server || !(await this.#isTold(server, release))) return
        await this.#init.releases.done(release, this.#init.claimKey(release.server, release.address))
        this.#timers.delete(release)
      })
    } catch (error) {
      this.#init.logger.debug('release failed', { problem: describe(error) })
    }
    // on another link it was scheduled anew
    if (this.#server === server && server && this.#timers.has(release)) this.#later(release, RETRY_MS)
  }

  async #isTold({ client }: ConnectedServer, release: Release): Promise<boolean> {
    if (this.#init.releases.hasEnded(release)) return true
    const { status } = await client.release(release)
    // every other refusal says that there is nothing to release
    return status !== 'busy' && status !== 'full' && status !== 'price'
  }
}

function nameOf({ server, address }: Release): string {
  return toHex(concat(server, address))
}
