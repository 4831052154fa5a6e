/**
 * The sending half of delivery (PROTOCOL 4 and 6): a draft becomes a payload, an envelope and an entry of the outbox in one
 * batch, and only then leaves; what was written before there was a session, or lies in one that will not do, is sealed again.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { describe, UsageError } from '../errors.ts'
import * as limits from '../limits.ts'
import { type Clock, type Logger, type Store, TABLE } from '../ports.ts'
import { type Channel, countUnacknowledged, sendingLane, standstill } from './channel.ts'
import type { Channels } from './channels.ts'
import type { Draft } from './contract.ts'
import type { Courier } from './courier.ts'
import type { Dispatch } from './dispatch.ts'
import { type Journal, Transaction } from './journal.ts'
import { isExpired, type OutboxEntry, putBody, putEntry, readBody, walked } from './outbox.ts'
import type { Sealer } from './sealer.ts'
import { follow } from './trail.ts'

export interface OutgoingMailInit {
  journal: Journal
  store: Store
  clock: Clock
  logger: Logger
  courier: Courier
  channels: Channels
  sealer: Sealer
  dispatch: Dispatch
  /** Seconds. */
  protocolTime: () => number
}

export class OutgoingMail {
  readonly #init: OutgoingMailInit

  constructor(init: OutgoingMailInit) {
    this.#init = init
  }

  /**
   * Makes a message durable and hands it to the network. The draft is made while the friend's queue is held.
   * @throws UsageError `TOO_MANY` above 1000 unacknowledged messages, `TOO_LONG`, `ROLLED_BACK` when every session may be an older one
   */
  async send(friend: Uint8Array, makeDraft: () => Draft): Promise<{ messageId: Uint8Array }> {
    const { channels } = this.#init
    return await channels.exclusively(friend, async () => {
      const channel = channels.get(friend)
      if (!channel) throw new UsageError('NOT_A_FRIEND', 'there is no session with this contact')
      const why = standstill(channel)
      // what waits for another session, or for the person's word, waits in the outbox
      if (why === 'home' || why === 'friend') throw rolledBack()
      if (countUnacknowledged(channel) >= limits.MAX_UNACKNOWLEDGED_PER_FRIEND) throw tooMany()
      return await this.sendDraft(channel, makeDraft())
    })
  }

  /** As `send`, by whoever holds the friend's queue. */
  async sendDraft(channel: Channel, draft: Draft): Promise<{ messageId: Uint8Array }> {
    const { journal, protocolTime, clock, store, sealer, dispatch } = this.#init
    const tx = new Transaction()
    const { messageId, encoded, riding } = sealer.payload(channel, draft)
    const number = channel.nextNumber++
    const created = Math.floor(protocolTime())
    let entry: OutboxEntry = {
      number,
      messageId,
      type: draft.type,
      created,
      expires: created + draft.lifetime,
      state: 0,
      published: 0,
      receipts: [],
      reference: draft.reference(messageId),
      trail: follow([], 'queued', { at: clock.now() }),
    }
    const lane = sendingLane(channel)
    let envelope: Uint8Array | undefined
    if (lane) {
      const sealed = await sealer.seal(tx, channel, lane, entry, encoded)
      entry = walked(sealed.entry, 'sealed', { at: clock.now() })
      envelope = sealed.envelope
    }
    putEntry(tx, channel.friend, entry)
    putBody(tx, channel.friend, number, encoded, envelope)
    for (const id of riding) tx.delete(TABLE.receiptDue, channel.friend, store.blind(id))
    draft.record(tx, messageId, encoded)
    tx.afterCommit(() => {
      channel.entries.set(number, entry)
      const gone = new Set(riding.map(toHex))
      channel.receiptsDue = channel.receiptsDue.filter((id) => !gone.has(toHex(id)))
    })
    await journal.commit(tx)
    if (envelope) dispatch.handOver(channel, entry, envelope)
    return { messageId }
  }

  /**
   * Messages that were written before there was a session are sealed in the first one; what lies in another session moves
   * to one that the friend is known to hold.
   */
  sealWaiting(channel: Channel): void {
    const { channels, logger, protocolTime } = this.#init
    channels
      .exclusively(channel.friend, async () => {
        for (const entry of channel.entries.values()) {
          const { lane } = entry
          const isSealed = lane !== undefined && channel.lanes.some((known) => equal(known.id, lane) && !known.behind)
          const sending = sendingLane(channel)
          const isBetter = sending?.session.confirmed === 1 && lane !== undefined && !equal(sending.id, lane)
          if (!isSealed || isBetter || isExpired(entry, protocolTime())) {
            await this.sealAgain(
              channel,
              entry,
              isSealed && isBetter ? 'in a session that the friend holds' : undefined,
            )
          }
        }
      })
      .catch((error: unknown) => logger.warn('sealing failed', { problem: describe(error) }))
  }

  /** Seals the payload of an entry anew under the same message ID; the caller holds the friend's queue. */
  async sealAgain(channel: Channel, old: OutboxEntry, why?: string): Promise<void> {
    const { store, clock, journal, courier, channels, sealer, dispatch } = this.#init
    const lane = sendingLane(channel)
    const body = await readBody(store, channel.friend, old.number)
    if (!lane || !body || channels.isStopped) return
    const tx = new Transaction()
    const sealed = await sealer.seal(tx, channel, lane, { ...old, receipts: [] }, body.payload)
    const { envelope } = sealed
    const entry = walked(sealed.entry, 'sealed', { at: clock.now(), ...(why !== undefined && { detail: why }) })
    putEntry(tx, channel.friend, entry)
    putBody(tx, channel.friend, entry.number, body.payload, envelope)
    tx.afterCommit(() => channel.entries.set(entry.number, entry))
    await journal.commit(tx)
    dispatch.handOver(channel, entry, envelope)
    // another envelope: what a relay said to the old one does not hold for it
    courier.hurry(channel.key)
  }
}

function rolledBack(): UsageError {
  return new UsageError('ROLLED_BACK', 'this home is a copy or an older one: sending to this friend has stopped', {
    hint: 'it goes on with a new session, which a running node makes by itself; `kith doctor` says more',
  })
}

function tooMany(): UsageError {
  return new UsageError('TOO_MANY', `${limits.MAX_UNACKNOWLEDGED_PER_FRIEND} messages wait for this friend already`, {
    hint: 'they are delivered when the friend comes back; send again then',
  })
}
