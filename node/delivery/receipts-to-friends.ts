/**
 * What friends are told of having arrived (PROTOCOL 6, end to end): a message's ID rides on the next text to its author, and
 * where none comes within a random time a receipt of its own carries it.
 */
import { describe } from '../errors.ts'
import { MAX_ENVELOPE_DAYS } from '../limits.ts'
import type { Clock, Logger, Random, Timer } from '../ports.ts'
import { PAYLOAD_TYPE } from '../wire/payload.ts'
import { randomFraction } from './backoff.ts'
import { type Channel, isBehind } from './channel.ts'
import type { Channels } from './channels.ts'
import type { Draft } from './contract.ts'
import type { OutgoingMail } from './outgoing-mail.ts'

export interface ReceiptsToFriendsInit {
  clock: Clock
  random: Random
  logger: Logger
  channels: Channels
  outgoing: OutgoingMail
  /** A receipt that finds no text to ride on leaves after a time drawn from this range. */
  receiptDelayMs: readonly [number, number]
}

/** The disk did not take one: nothing but the next message of the friend would bring another try. */
const RETRY_MS = 60_000
/** Receipts of one friend that wait for a relay at once. */
const MAX_WAITING = 32
const DAY = 86_400

export class ReceiptsToFriends {
  readonly #init: ReceiptsToFriendsInit
  readonly #timers = new Map<string, Timer>()

  constructor(init: ReceiptsToFriendsInit) {
    this.#init = init
  }

  /** Something is due to this friend: a receipt leaves within its time. */
  schedule(channel: Channel): void {
    const { random, receiptDelayMs } = this.#init
    const [low, high] = receiptDelayMs
    this.#sendAfter(channel, () => low + (high - low) * randomFraction(random))
  }

  /** The channel was ended. */
  forget(channel: Channel): void {
    this.#timers.get(channel.key)?.cancel()
    this.#timers.delete(channel.key)
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  #sendAfter(channel: Channel, delayMs: () => number): void {
    const { clock, logger, channels } = this.#init
    if (channels.isStopped || this.#timers.has(channel.key)) return
    const timer = clock.after(delayMs(), () => {
      this.#timers.delete(channel.key)
      this.#send(channel).catch((error: unknown) => {
        logger.warn('sending a receipt failed', { problem: describe(error) })
        this.#sendAfter(channel, () => RETRY_MS)
      })
    })
    this.#timers.set(channel.key, timer)
  }

  async #send(channel: Channel): Promise<void> {
    const { channels, outgoing } = this.#init
    await channels.exclusively(channel.friend, async () => {
      if (!channels.isOpen(channel) || channel.receiptsDue.length === 0) return
      // while they cannot leave, they gather: one envelope carries many
      const waiting = [...channel.entries.values()].filter(({ type }) => type === PAYLOAD_TYPE.receipt)
      if (waiting.length >= MAX_WAITING || isBehind(channel)) return
      await outgoing.sendDraft(channel, RECEIPT)
    })
    if (channel.receiptsDue.length > 0 && !isBehind(channel)) this.schedule(channel)
  }
}

/** Says nothing itself: what is due rides on it. */
const RECEIPT: Draft = {
  type: PAYLOAD_TYPE.receipt,
  conversation: new Uint8Array(16),
  lamport: 0,
  parents: [],
  body: new Uint8Array(0),
  lifetime: MAX_ENVELOPE_DAYS * DAY,
  reference: () => new Uint8Array(0),
  record: () => undefined,
}
