/**
 * The reading end of mailboxes (PROTOCOL 6, reader): which mailboxes are read, at which relays, and which are given up. What
 * happens at each relay is `server-reader.ts`.
 */
import { mailboxAddress } from '../mailbox/keys.ts'
import type { Transaction } from './journal.ts'
import { Releases } from './releases.ts'
import { type MailReaderInit, type MailWatch, ServerReader } from './server-reader.ts'

export type { Mail, MailWatch } from './server-reader.ts'

export class MailReader {
  readonly #init: MailReaderInit
  readonly #watches = new Map<string, MailWatch>()
  readonly #servers = new Map<string, { reader: ServerReader; end: () => void }>()
  readonly #waiting = new Map<string, Set<(ready: boolean) => void>>()
  readonly #releases: Releases
  #waited: readonly string[] = []

  constructor(init: MailReaderInit) {
    this.#init = init
    this.#releases = new Releases(init)
  }

  /** Reads from the store which mailboxes no relay was told of when they were given up. */
  async load(): Promise<void> {
    await this.#releases.load()
  }

  /**
   * Replaces the set of servers at which mail is read.
   * @param own the one in this process, if there is one: nobody has to wait for it
   */
  setServers(relays: readonly string[], own?: string): void {
    const addresses = own === undefined ? relays : [...relays, own]
    this.#waited = relays.length > 0 ? relays : addresses
    for (const [address, server] of this.#servers) {
      if (addresses.includes(address)) continue
      server.end()
      this.#servers.delete(address)
    }
    for (const address of addresses) {
      if (this.#servers.has(address)) continue
      const reader = new ServerReader(this.#init, this.#watches, this.#releases, {
        isOwn: address === own,
        changed: () => this.#wake(),
      })
      this.#servers.set(address, { reader, end: this.#init.pool.use(address, reader) })
    }
  }

  watch(watch: MailWatch): void {
    this.#watches.set(watch.name, watch)
    for (const { reader } of this.#servers.values()) reader.open(watch)
  }

  /** Stops reading a mailbox that nobody need give up: its claim, if there is one, ends by itself. */
  drop(name: string): void {
    const watch = this.#watches.get(name)
    if (!watch) return
    this.#watches.delete(name)
    for (const { reader } of this.#servers.values()) reader.close(watch)
  }

  /** Stops reading a mailbox once the transaction is committed; the relays are told, now or when they are there again. */
  giveUp(tx: Transaction, name: string): void {
    const watch = this.#watches.get(name)
    if (!watch) return
    for (const server of this.#servers.keys()) {
      const peerId = this.#init.network.serverId(server)
      const { writer, reader } = watch.keysAt(peerId)
      const address = mailboxAddress(watch.kind, writer, reader.public)
      this.#releases.add(tx, { server: peerId, address, readerSeed: reader.seed })
    }
    tx.afterCommit(() => {
      // it may be watched anew since, but it is the same mailbox
      const last = this.#watches.get(name) ?? watch
      this.#watches.delete(name)
      for (const { reader } of this.#servers.values()) {
        reader.close(last)
        reader.releases.schedule()
      }
      for (const resolve of this.#waiting.get(name) ?? []) resolve(false)
      this.#waiting.delete(name)
    })
  }

  /**
   * Resolves with true once the mailbox is claimed and read at one relay at least (where there is none, at the own server),
   * with false when it is given up before.
   */
  async ready(name: string): Promise<boolean> {
    if (this.#isReady(name)) return true
    return await new Promise<boolean>((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set()
      waiting.add(resolve)
      this.#waiting.set(name, waiting)
    })
  }

  /** Sends the acknowledgements and releases that wait; what cannot be sent comes again next time. */
  async flush(): Promise<void> {
    await Promise.allSettled([...this.#servers.values()].map(({ reader }) => reader.flush()))
  }

  #isReady(name: string): boolean {
    return this.#waited.some((address) => this.#servers.get(address)?.reader.isReady(name))
  }

  #wake(): void {
    for (const [name, waiting] of this.#waiting) {
      if (!this.#isReady(name)) continue
      this.#waiting.delete(name)
      for (const resolve of waiting) resolve(true)
    }
  }
}
