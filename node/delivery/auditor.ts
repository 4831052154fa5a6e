/**
 * The audit of relays by the sender (PROTOCOL 6): asks by STAT whether what was signed for is still held, ten minutes after
 * it was put, six hours later, then daily, and as soon as a server shows another store ID. A server that breaks its word is
 * caught with a proof; one that has a new disk, or whose reader has the mail already, is not.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { describe, PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import { writtenSecrets } from '../mailbox/generations.ts'
import { friendMailbox } from '../mailbox/keys.ts'
import type { Clock, Logger, Random, Timer } from '../ports.ts'
import { PAYLOAD_TYPE } from '../wire/payload.ts'
import { peerIdText } from '../wire/peer-id.ts'
import {
  dropped,
  fetched,
  proofOf,
  type Question,
  readReceipt,
  replaced,
  type StatAnswered,
  verdictOf,
} from './audit-verdict.ts'
import { Backoff, randomFraction } from './backoff.ts'
import type { Channel } from './channel.ts'
import type { Transaction } from './journal.ts'
import { type EntryChange, type ReceiptRow, walked } from './outbox.ts'
import { conclusiveFrom } from './relay-proof.ts'
import type { RelayStanding } from './relay-standing.ts'
import type { ConnectedServer, ServerPool } from './server-pool.ts'

/** Seconds from a receipt to the first question, from there to the second, and between all later ones. */
const INTERVALS = [600, 6 * 3600, 86_400] as const
/** A question may come this part of its interval earlier or later: so that the times of receipts do not show in it. */
const SPREAD = 0.1
/** What is due within this time is asked along, so that many messages become one question; by the interval it waited for. */
const ALONG_SECONDS = [120, 3600, 5 * 3600] as const
const SERVER_TIMEOUT_MS = 15_000
/** A server that is not reached is asked again: often enough to hear of a new store, seldom enough to cost nothing. */
const RETRY = { baseMs: 60_000, maxMs: 3_600_000 }
/** The clock may be corrected while a timer runs: none is longer than this. */
const LONGEST_TIMER_SECONDS = 6 * 3600

export interface AuditorInit {
  clock: Clock
  random: Random
  logger: Logger
  pool: ServerPool
  standing: RelayStanding
  /** Seconds. */
  protocolTime: () => number
  channels: () => Iterable<Channel>
  /** Where the friend's present list names a server; undefined when it does not. */
  addressOf: (channel: Channel, server: Uint8Array) => string | undefined
  /** Changes entries by number in one transaction; what is gone meanwhile is passed over. */
  change: (
    channel: Channel,
    changes: ReadonlyMap<number, EntryChange>,
    more?: (tx: Transaction) => void,
  ) => Promise<void>
  /** Something has to be put again. */
  unplaced: (channel: Channel) => void
  /** A server was caught; the proof is on the disk. */
  caught: (server: Uint8Array) => void
}

/** What is asked about one mailbox at one server. */
interface Inquiry {
  channel: Channel
  address: Uint8Array
  questions: Question[]
}

export class Auditor {
  readonly #init: AuditorInit
  #timer: Timer | undefined
  /** Seconds for which the timer is set. */
  #due = Number.POSITIVE_INFINITY
  #running = false
  #stopped = false
  /** Store that a server was last asked about in this run, and stores that were not asked about yet. */
  readonly #asked = new Map<string, string>()
  readonly #newStores = new Map<string, Uint8Array>()
  readonly #retries = new Map<string, { backoff: Backoff; notBefore: number }>()

  constructor(init: AuditorInit) {
    this.#init = init
  }

  /** Sets the timer by what lies in the outboxes. */
  start(): void {
    this.#setTimer(this.#earliest())
  }

  #earliest(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { channel, row } of this.#receipts()) earliest = Math.min(earliest, this.#dueOf(channel, row))
    return earliest
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** A new receipt, with the time of its first question; and the hour and the end that it names, in seconds. */
  plan(server: Uint8Array, receipt: Uint8Array): { row: ReceiptRow; stored: number; expires: number } {
    const row = { server, receipt, next: this.#next(0), audits: 0 }
    if (row.next < this.#due) this.#setTimer(row.next)
    const { stored, expires } = readReceipt(row)
    return { row, stored, expires }
  }

  /** A server said HELLO: with another store than the receipts name, what it holds is asked at once. */
  storeSeen(server: Uint8Array, storeId: Uint8Array): void {
    const name = toHex(server)
    if (this.#stopped || this.#asked.get(name) === toHex(storeId)) return
    const isOther = [...this.#receipts()].some(
      ({ row }) => equal(row.server, server) && !equal(readReceipt(row).storeId, storeId),
    )
    if (this.#asked.size >= limits.MAX_KNOWN_RELAYS) this.#asked.clear()
    this.#asked.set(name, toHex(storeId))
    if (!isOther) return
    this.#newStores.set(name, storeId)
    this.#retries.delete(name)
    this.#setTimer(0)
  }

  *#receipts(): Iterable<{ channel: Channel; number: number; row: ReceiptRow }> {
    for (const channel of this.#init.channels()) {
      for (const { number, type, receipts } of channel.entries.values()) {
        // receipts end to end are never retried
        if (type === PAYLOAD_TYPE.receipt) continue
        for (const row of receipts) if (row.receipt.length > 0) yield { channel, number, row }
      }
    }
  }

  /** Seconds when this receipt is to be asked about; never for servers that do not count. */
  #dueOf(channel: Channel, { server, next = 0, receipt }: ReceiptRow): number {
    const { standing, addressOf } = this.#init
    if (standing.isCaught(server) || addressOf(channel, server) === undefined) return Number.POSITIVE_INFINITY
    const name = toHex(server)
    const store = this.#newStores.get(name)
    const isOther = store && !equal(readReceipt({ receipt }).storeId, store)
    return Math.max(isOther ? 0 : next, this.#retries.get(name)?.notBefore ?? 0)
  }

  #setTimer(due: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#due = due
    if (due === Number.POSITIVE_INFINITY || this.#stopped || this.#running) return
    const { clock, protocolTime } = this.#init
    const seconds = Math.min(Math.max(due - protocolTime(), 0.1), LONGEST_TIMER_SECONDS)
    this.#timer = clock.after(seconds * 1000, () => {
      this.#running = true
      this.#round()
        .catch((error: unknown) => this.#init.logger.warn('auditing failed', { problem: describe(error) }))
        .finally(() => {
          this.#running = false
          this.start()
        })
    })
  }

  async #round(): Promise<void> {
    const now = this.#init.protocolTime()
    // what the timer was set for may be delivered, or the clock corrected
    if (this.#earliest() > now + 1) return
    const servers = new Map<string, Map<string, Inquiry>>()
    for (const { channel, number, row } of this.#receipts()) {
      if (this.#dueOf(channel, row) > now + byAudits(ALONG_SECONDS, row.audits ?? 0)) continue
      const receipt = readReceipt(row)
      const where = this.#init.addressOf(channel, row.server)!
      const inquiries = servers.get(where) ?? new Map<string, Inquiry>()
      servers.set(where, inquiries)
      const mailbox = toHex(receipt.address)
      const inquiry = inquiries.get(mailbox) ?? { channel, address: receipt.address, questions: [] }
      inquiries.set(mailbox, inquiry)
      inquiry.questions.push({ number, row, receipt })
    }
    await Promise.all([...servers].map(([where, inquiries]) => this.#askServer(where, [...inquiries.values()])))
  }

  async #askServer(where: string, inquiries: Inquiry[]): Promise<void> {
    const { pool, standing, logger } = this.#init
    const { server: id } = inquiries[0]!.questions[0]!.row
    const name = toHex(id)
    try {
      await pool.withServer(where, SERVER_TIMEOUT_MS, async (server) => {
        for (const inquiry of inquiries) await this.#ask(server, inquiry)
        if (equal(this.#newStores.get(name) ?? server.storeId, server.storeId)) this.#newStores.delete(name)
      })
      this.#retries.delete(name)
      await standing.note(id, true)
    } catch (error) {
      logger.debug('relay not audited', { problem: describe(error) })
      const { backoff } = this.#retries.get(name) ?? { backoff: new Backoff({ random: this.#init.random, ...RETRY }) }
      this.#retries.set(name, { backoff, notBefore: this.#init.protocolTime() + backoff.next() / 1000 })
    }
  }

  async #ask(server: ConnectedServer, { channel, address, questions }: Inquiry): Promise<void> {
    // the reader's key, for its own words: of whichever mailbox this is
    const mailbox = writtenSecrets(channel.mailboxes)
      .map((secret) => friendMailbox(secret, server.peerId))
      .find((one) => equal(one.address, address))
    for (let i = 0; i < questions.length; i += limits.MAX_STAT_CIDS) {
      const part = questions.slice(i, i + limits.MAX_STAT_CIDS)
      if (!mailbox) {
        // of one that is long out of use; what is in it is sealed anew when it expires
        await this.#apply(channel, part, (question) => this.#held(question, 0))
        continue
      }
      const cids = part.map(({ receipt }) => receipt.cid)
      try {
        const said = await server.client.stat({ address, cids, reader: mailbox.reader.public })
        if (said.status !== 'ok') throw new PeerError('REFUSED', `the relay answered stat with ${said.status}`)
        await this.#judge(channel, part, said)
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
        // what it says and cannot show is worth nothing: the mail is put again
        this.#init.logger.warn('an answer of a relay proves nothing', { code: error.code })
        await this.#apply(channel, part, (question) => dropped(question, this.#at(), 'unshown'))
        this.#init.unplaced(channel)
      }
    }
  }

  async #judge(channel: Channel, questions: Question[], said: StatAnswered): Promise<void> {
    const verdicts = questions.map((question, i) => verdictOf(question, said.states[i]!, said))
    const guilty = verdicts.indexOf('caught')
    const server = questions[0]!.row.server
    const proof = guilty < 0 ? undefined : proofOf(questions[guilty]!, said)
    const changes = (question: Question, i: number): EntryChange => {
      // nobody is called what cannot be shown
      const verdict = verdicts[i] === 'caught' && !proof ? 'over' : verdicts[i]!
      if (verdict === 'held') return this.#held(question, said.time)
      if (verdict === 'later') return this.#askLater(question, said.time)
      if (verdict === 'fetched') return fetched(question, this.#at())
      return dropped(question, this.#at(), verdict, said.states[i] === 'held')
    }
    await this.#apply(channel, questions, changes, (tx) => {
      if (proof) this.#condemn(tx, server, proof)
    })
    if (proof) this.#init.caught(server)
    if (verdicts.some((verdict) => verdict !== 'held' && verdict !== 'fetched' && verdict !== 'later')) {
      this.#init.unplaced(channel)
    }
  }

  #condemn(tx: Transaction, server: Uint8Array, proof: Uint8Array): void {
    const { standing, protocolTime, logger } = this.#init
    logger.warn('a relay dropped mail that it had signed for', { server: toHex(server).slice(-8) })
    standing.condemn(tx, server, proof, protocolTime())
    tx.event('relay', { peerId: peerIdText(server), state: 'caught' })
  }

  async #apply(
    channel: Channel,
    questions: Question[],
    change: (question: Question, i: number) => EntryChange,
    more?: (tx: Transaction) => void,
  ): Promise<void> {
    const changes = new Map<number, EntryChange>()
    for (const [i, question] of questions.entries()) {
      const apply = change(question, i)
      changes.set(question.number, (entry) => {
        const isSame = entry.receipts.some((row) => equal(row.receipt, question.row.receipt))
        return isSame ? apply(entry) : entry
      })
    }
    await this.#init.change(channel, changes, more)
  }

  #held({ row }: Question, time: number): EntryChange {
    const audits = (row.audits ?? 0) + 1
    const changed = { ...row, audits, next: this.#next(audits) }
    return (entry) => {
      const kept = replaced(entry, row, changed)
      return time === 0 ? kept : walked(kept, 'held', { at: this.#at(), server: row.server })
    }
  }

  /** Nothing is proven before the hour of the receipt is over. */
  #askLater({ row, receipt }: Question, time: number): EntryChange {
    const wait = Math.max(60, conclusiveFrom(receipt) - time) + 60 * randomFraction(this.#init.random)
    const audits = (row.audits ?? 0) + 1
    const next = Math.ceil(this.#init.protocolTime() + wait)
    return (entry) =>
      walked(replaced(entry, row, { ...row, audits, next }), 'missing', { at: this.#at(), server: row.server })
  }

  #next(audits: number): number {
    const interval = byAudits(INTERVALS, audits)
    const spread = interval * SPREAD * (2 * randomFraction(this.#init.random) - 1)
    return Math.ceil(this.#init.protocolTime() + interval + (audits === 0 ? Math.abs(spread) : spread))
  }

  #at(): number {
    return this.#init.clock.now()
  }
}

function byAudits(values: readonly number[], audits: number): number {
  return values[Math.min(audits, values.length - 1)]!
}
