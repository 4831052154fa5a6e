/**
 * How messages get on (PROTOCOL 6): what relays, the friend's own node, gossip and the friend say of an entry of the outbox
 * becomes a durable step of it and, where it gets further, its state; and this is how an entry leaves the outbox.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { idToText } from '../identity/root.ts'
import type { Clock } from '../ports.ts'
import { putReceipt, signedBody } from '../wire/commands.ts'
import { PAYLOAD_TYPE } from '../wire/payload.ts'
import { decode } from '../wire/schema.ts'
import type { Auditor } from './auditor.ts'
import { type Channel, findEntry } from './channel.ts'
import type { Channels } from './channels.ts'
import type { PayloadHandler } from './contract.ts'
import type { Courier } from './courier.ts'
import { type Journal, Transaction } from './journal.ts'
import {
  deleteEntry,
  type EntryChange,
  isSameEnvelope,
  OUTBOX_STATES,
  type OutboxEntry,
  putEntry,
  walked,
} from './outbox.ts'
import type { ReceiptCount } from './receipt-count.ts'
import { encodeTrail } from './trail.ts'

export interface OutboxProgressInit {
  journal: Journal
  clock: Clock
  courier: Courier
  handler: PayloadHandler
  channels: Channels
  receipts: ReceiptCount
  /** When a receipt is asked about, as `Auditor.plan`. */
  plan: Auditor['plan']
}

export class OutboxProgress {
  readonly #init: OutboxProgressInit

  constructor(init: OutboxProgressInit) {
    this.#init = init
  }

  /** Changes entries that are still there, and says so when a state changed. */
  async change(
    channel: Channel,
    changes: ReadonlyMap<number, EntryChange>,
    more?: (tx: Transaction) => void,
  ): Promise<void> {
    await this.#init.channels.exclusively(channel.friend, async () => {
      const tx = new Transaction()
      for (const [number, change] of changes) {
        const old = channel.entries.get(number)
        if (old) this.#replace(tx, channel, old, change(old))
      }
      more?.(tx)
      await this.#init.journal.commit(tx)
    })
  }

  /** Neighbours on gossip took it. */
  async published(channel: Channel, number: number, recipients: number): Promise<void> {
    const published = (entry: OutboxEntry): OutboxEntry => {
      const at = this.#init.clock.now()
      return walked({ ...entry, published: at }, 'published', { at, detail: `to ${recipients} peers` })
    }
    await this.change(channel, new Map([[number, published]]))
  }

  /** A server signed for the envelope that `put` names. */
  async stored(channel: Channel, put: OutboxEntry, server: Uint8Array, receipt: Uint8Array): Promise<void> {
    const { clock, receipts } = this.#init
    // relays that left the friend's list stop counting
    if (receipts.addressOf(channel, server) === undefined) return
    const stored = (entry: OutboxEntry): OutboxEntry => {
      if (!isSameEnvelope(entry, put)) return entry
      const others = entry.receipts.filter(
        (known) => !equal(known.server, server) && receipts.addressOf(channel, known.server) !== undefined,
      )
      const isFetched = receipt.length === 0
      const at = clock.now()
      if (isFetched) return walked({ ...entry, receipts: [...others, { server, receipt }] }, 'fetched', { at, server })
      const { row, stored: hour, expires } = this.#init.plan(server, receipt)
      const what = { at, server, stored: hour * 1000, until: expires * 1000 }
      return walked({ ...entry, receipts: [...others, row] }, 'receipt', what)
    }
    await this.change(channel, new Map([[put.number, stored]]))
  }

  /** A server did not take it; it is asked again at `until`, milliseconds. */
  async refused(channel: Channel, put: OutboxEntry, server: Uint8Array, why: string, until: number): Promise<void> {
    const refused = (entry: OutboxEntry): OutboxEntry =>
      walked(entry, 'refused', { at: this.#init.clock.now(), server, detail: why, until })
    await this.change(channel, new Map([[put.number, refused]]))
  }

  /** The friend's own node has it. That is not yet the friend's word, and no custody. */
  async storedDirectly(channel: Channel, put: OutboxEntry, server: Uint8Array): Promise<void> {
    const stored = (entry: OutboxEntry): OutboxEntry => {
      if (!isSameEnvelope(entry, put)) return entry
      // a receipt is acknowledged by nobody: here its way ends
      const reached = entry.type === PAYLOAD_TYPE.receipt ? 'custody' : 'sent'
      const state = Math.max(entry.state, OUTBOX_STATES.indexOf(reached))
      const at = this.#init.clock.now()
      return walked({ ...entry, state }, 'receipt', { at, server, detail: "at the friend's own node" })
    }
    await this.change(channel, new Map([[put.number, stored]]))
  }

  /** The friend gave up a mailbox that is written here: what lay there is put again when there is a newer one. */
  async released(channel: Channel, server: Uint8Array, address: Uint8Array): Promise<void> {
    const released = (entry: OutboxEntry): OutboxEntry => {
      const receipts = entry.receipts.filter((known) => !equal(known.server, server) || !isFor(known.receipt, address))
      return receipts.length === entry.receipts.length
        ? entry
        : walked({ ...entry, receipts }, 'released', { at: this.#init.clock.now(), server })
    }
    await this.change(channel, new Map([...channel.entries.keys()].map((number) => [number, released])))
  }

  /** The friend has these on disk: they leave the outbox. */
  acknowledged(tx: Transaction, channel: Channel, ids: readonly Uint8Array[]): void {
    for (const id of ids) {
      const entry = findEntry(channel, id)
      if (!entry) continue
      this.settle(tx, channel, entry, 'delivered')
      tx.afterCommit(() => {
        channel.entries.delete(entry.number)
        // the friend reads: where a mailbox was full there is room again
        if (channel.entries.size > 0 && entry.lane) this.#init.courier.hurry(channel.key)
      })
    }
  }

  /** Takes a message out of the rows of the outbox, with how it ended; out of memory the caller takes it. */
  settle(
    tx: Transaction,
    channel: Channel,
    entry: OutboxEntry,
    state: 'delivered' | 'expired' | 'failed',
    reason?: string,
  ): void {
    const { clock, handler } = this.#init
    deleteEntry(tx, channel.friend, entry.number)
    const what = { at: clock.now(), ...(reason !== undefined && { detail: reason }) }
    const trail = encodeTrail(walked(entry, state, what).trail!)
    handler.settled(tx, channel.friend, { ...entry, trail }, state, reason)
  }

  #replace(tx: Transaction, channel: Channel, old: OutboxEntry, changed: OutboxEntry): void {
    if (changed === old) return
    const { receipts } = this.#init
    const entry = { ...changed, state: Math.max(changed.state, receipts.stateReached(channel, changed)) }
    if (entry.type === PAYLOAD_TYPE.receipt && entry.state === OUTBOX_STATES.indexOf('custody')) {
      deleteEntry(tx, channel.friend, entry.number)
      tx.afterCommit(() => channel.entries.delete(entry.number))
      return
    }
    putEntry(tx, channel.friend, entry)
    tx.afterCommit(() => channel.entries.set(entry.number, entry))
    if (entry.state === old.state || entry.type !== PAYLOAD_TYPE.text) return
    tx.event('state', {
      messageId: toHex(entry.messageId),
      to: idToText(channel.friend),
      state: OUTBOX_STATES[entry.state]!,
      receipts: receipts.counted(channel, entry),
    })
  }
}

/** Whether a kept receipt is one of this mailbox; an empty one says that the reader has the copy. */
function isFor(receipt: Uint8Array, address: Uint8Array): boolean {
  if (receipt.length === 0) return false
  const { body } = decode(signedBody, receipt, receipt.length)
  return equal(decode(putReceipt, body, body.length).address, address)
}
