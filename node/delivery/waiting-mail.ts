/**
 * What may leave for a friend now: the sealed entries of the outbox in sessions that may be written in, oldest first, as the
 * parcels that the courier puts at a relay.
 */
import { equal } from '../crypto/bytes.ts'
import type { Store } from '../ports.ts'
import { BEHIND, type Channel } from './channel.ts'
import type { Parcel } from './courier.ts'
import { isExpired, type OutboxEntry, readBody } from './outbox.ts'
import type { OutboxProgress } from './outbox-progress.ts'

const DAY = 86_400

/** An entry with its envelope. */
export interface WaitingEnvelope {
  entry: OutboxEntry
  bytes: Uint8Array
  /** Seconds: when a server may drop it. */
  expires: number
}

export interface WaitingMailInit {
  store: Store
  progress: OutboxProgress
  /** Seconds. */
  protocolTime: () => number
}

export class WaitingMail {
  readonly #store: Store
  readonly #progress: OutboxProgress
  readonly #protocolTime: () => number

  constructor({ store, progress, protocolTime }: WaitingMailInit) {
    this.#store = store
    this.#progress = progress
    this.#protocolTime = protocolTime
  }

  /** What a relay has not signed for, as `Consignment.pending`. */
  async parcels(channel: Channel, server: Uint8Array, limit: number): Promise<Parcel[]> {
    const isWanted = ({ number, receipts }: OutboxEntry): boolean =>
      !channel.direct.held.has(number) && !receipts.some((receipt) => equal(receipt.server, server))
    const waiting = await this.envelopes(channel, limit, isWanted)
    return waiting.map(({ entry, ...parcel }) => ({
      ...parcel,
      stored: (at, receipt) => this.#progress.stored(channel, entry, at, receipt),
      refused: (at, why, until) => this.#progress.refused(channel, entry, at, why, until),
    }))
  }

  /** What may leave for a friend now and fulfils `isWanted`, oldest first. */
  async envelopes(
    channel: Channel,
    limit: number,
    isWanted: (entry: OutboxEntry) => boolean,
  ): Promise<WaitingEnvelope[]> {
    const { writing } = channel.mailboxes
    // who reads this mailbox may not hold a session of which they never showed it, unless it is the one that brought it
    const lanes = channel.lanes.filter(
      ({ behind, session, id }) =>
        behind === BEHIND.no && (session.confirmed === 1 || (writing && equal(id, writing.session))),
    )
    const now = this.#protocolTime()
    // a server refuses what has expired, and what lies behind it would wait; it is sealed again within the hour
    const mayLeave = (entry: OutboxEntry): boolean =>
      !isExpired(entry, now) && lanes.some(({ id }) => entry.lane !== undefined && equal(id, entry.lane))
    const waiting = [...channel.entries.values()].filter((entry) => mayLeave(entry) && isWanted(entry))
    const found = await Promise.all(
      waiting.slice(0, limit).map(async (entry) => {
        const body = await readBody(this.#store, channel.friend, entry.number)
        return body?.envelope && { entry, bytes: body.envelope, expires: entry.expiryDay! * DAY }
      }),
    )
    return found.filter((one) => one !== undefined)
  }
}
