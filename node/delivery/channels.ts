/**
 * The channels of this run by friend, and the queue of each: whoever reads and changes one friend's sessions, mailboxes or
 * outbox does so alone.
 */
import { toHex } from '../crypto/bytes.ts'
import { describe } from '../errors.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import type { Logger } from '../ports.ts'
import type { Channel } from './channel.ts'

export class Channels {
  readonly #logger: Logger
  readonly #queue = new KeyedQueue()
  readonly #channels = new Map<string, Channel>()
  #stopped = false

  constructor({ logger }: { logger: Logger }) {
    this.#logger = logger
  }

  get(friend: Uint8Array): Channel | undefined {
    return this.#channels.get(toHex(friend))
  }

  all(): Iterable<Channel> {
    return this.#channels.values()
  }

  add(channel: Channel): void {
    this.#channels.set(channel.key, channel)
  }

  remove(channel: Channel): void {
    this.#channels.delete(channel.key)
  }

  /** Whether it was not ended, nor replaced by a later one with the same friend. */
  isOpen(channel: Channel): boolean {
    return this.#channels.get(channel.key) === channel
  }

  /** Whether the node ends: nothing new is begun. */
  get isStopped(): boolean {
    return this.#stopped
  }

  stop(): void {
    this.#stopped = true
  }

  /** Runs `work` while nothing else of this friend is worked on; the friend need not have a channel. */
  async exclusively<T>(friend: Uint8Array, work: () => Promise<T>): Promise<T> {
    return await this.#queue.run(toHex(friend), work)
  }

  /** As `exclusively`, for work that nobody waits for: left out when the channel was ended meanwhile. */
  alone(channel: Channel, work: () => Promise<void>): void {
    this.exclusively(channel.friend, async () => {
      if (!this.#stopped && this.isOpen(channel)) await work()
    }).catch((error: unknown) => this.#logger.warn('work for a friend failed', { problem: describe(error) }))
  }

  /** Waits for all that was begun before. */
  async settle(): Promise<void> {
    await Promise.all([...this.all()].map(async ({ friend }) => await this.exclusively(friend, noWork)))
  }
}

async function noWork(): Promise<void> {
  // whoever waits for it waits for what stands before it in the queue
}
