/**
 * Every way that a sealed envelope takes (PROTOCOL 6): the friend's own node alone while that is connected, else the friend's
 * relays and gossip; and what waits is tried again when the friend shows.
 */
import { equal } from '../crypto/bytes.ts'
import { describe } from '../errors.ts'
import { MAX_REPUBLISHED } from '../limits.ts'
import { topicOf } from '../mailbox/buckets.ts'
import type { Clock, Logger, Network, Store } from '../ports.ts'
import { BEHIND, type Channel } from './channel.ts'
import type { Channels } from './channels.ts'
import type { Courier } from './courier.ts'
import type { DirectDelivery } from './direct-delivery.ts'
import { type OutboxEntry, readBody } from './outbox.ts'
import type { OutboxProgress } from './outbox-progress.ts'

export interface DispatchInit {
  store: Store
  clock: Clock
  logger: Logger
  network: Network
  courier: Courier
  channels: Channels
  direct: DirectDelivery
  progress: OutboxProgress
  bucketBits: number
  /** False sends by relays and directly alone. */
  gossip: boolean
}

/** What is unacknowledged is published again when the friend is heard, once in this time. */
const REPUBLISH_MS = 600_000

export class Dispatch {
  readonly #init: DispatchInit
  /** When what waits for a friend was last published again, milliseconds. */
  readonly #republished = new Map<string, number>()

  constructor(init: DispatchInit) {
    this.#init = init
  }

  /** A new envelope: it is durable, and leaves. */
  handOver(channel: Channel, entry: OutboxEntry, envelope: Uint8Array): void {
    if (this.#init.direct.handOver(channel, entry)) return
    this.#init.courier.nudge(channel.key)
    this.#publish(channel, entry.number, envelope)
  }

  /** The direct way took too long, or is none any more. */
  goOtherWays(channel: Channel, number: number): void {
    this.#init.courier.nudge(channel.key)
    this.#publishAgain(channel, number)
  }

  /** What waits for this friend is put at once, and published again if that was not done lately. */
  hurry(channel: Channel): void {
    const { courier, direct, clock } = this.#init
    courier.hurry(channel.key)
    direct.hurry(channel)
    const now = clock.now()
    if (now - (this.#republished.get(channel.key) ?? 0) < REPUBLISH_MS) return
    this.#republished.set(channel.key, now)
    const stopped = channel.lanes.filter(({ behind }) => behind !== BEHIND.no)
    const due = [...channel.entries.values()].filter(
      ({ created, published, lane }) =>
        now - Math.max(published, created * 1000) >= REPUBLISH_MS &&
        !stopped.some(({ id }) => lane !== undefined && equal(id, lane)),
    )
    for (const { number } of due.slice(0, MAX_REPUBLISHED)) this.#publishAgain(channel, number)
  }

  /** The channel was ended. */
  forget(channel: Channel): void {
    this.#republished.delete(channel.key)
  }

  #publishAgain(channel: Channel, number: number): void {
    const { store, logger } = this.#init
    readBody(store, channel.friend, number)
      .then((body) => body?.envelope && this.#publish(channel, number, body.envelope))
      .catch((error: unknown) => logger.warn('publishing again failed', { problem: describe(error) }))
  }

  /** Best effort: a failure only means that the relays are the only way. */
  #publish(channel: Channel, number: number, envelope: Uint8Array): void {
    const { network, bucketBits, gossip, logger, channels, progress } = this.#init
    if (!gossip) return
    network
      .publish(topicOf(channel.friend, bucketBits), envelope)
      .then(async (recipients) => {
        if (recipients > 0 && !channels.isStopped) await progress.published(channel, number, recipients)
      })
      .catch((error: unknown) => logger.warn('recording a publication failed', { problem: describe(error) }))
  }
}
