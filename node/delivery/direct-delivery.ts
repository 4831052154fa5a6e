/**
 * Direct delivery (PROTOCOL 6, the writer): a PUT at the friend's own node by the same protocol as at a relay. While that
 * node is connected an envelope goes there alone, for as long as it takes to hear that it came; in every other case, and
 * whenever it takes longer, it goes the other ways as well.
 */
import { KIND, friendMailbox } from '../mailbox/keys.ts'
import type { Clock } from '../ports.ts'
import type { Channel } from './channel.ts'
import type { Courier } from './courier.ts'
import type { OutboxEntry } from './outbox.ts'
import type { OutboxProgress } from './outbox-progress.ts'
import type { WaitingMail } from './waiting-mail.ts'

/** How long a friend's node may take for its receipt, and then for the friend's own word. */
const RECEIPT_MS = 2000
const ACKNOWLEDGED_MS = 10_000

export interface DirectDeliveryInit {
  courier: Courier
  clock: Clock
  /** Whether there is a link to this server now. */
  isConnected: (server: string) => boolean
  waiting: WaitingMail
  progress: OutboxProgress
  /** An entry goes every way from now on. */
  onReleased: (channel: Channel, number: number) => void
}

export class DirectDelivery {
  readonly #init: DirectDeliveryInit

  constructor(init: DirectDeliveryInit) {
    this.#init = init
  }

  /** Puts what waits at the friend's node of now, in the mailbox of now. */
  consign(channel: Channel): void {
    const { courier } = this.#init
    const { direct, mailboxes } = channel
    const { writing } = mailboxes
    if (!writing || direct.server === undefined) return courier.remove(nameOf(channel))
    direct.put.clear()
    courier.set({
      name: nameOf(channel),
      kind: KIND.friend,
      servers: [direct.server],
      keysAt: (server) => friendMailbox(writing.secret, server),
      pending: async (_server, limit) => {
        for (const number of direct.put.keys()) if (!channel.entries.has(number)) direct.put.delete(number)
        const isWanted = (entry: OutboxEntry): boolean => direct.put.get(entry.number) !== placeOf(entry)
        const envelopes = await this.#init.waiting.envelopes(channel, limit, isWanted)
        return envelopes.map(({ entry, ...parcel }) => ({
          ...parcel,
          stored: async (server) => await this.#stored(channel, entry, server),
        }))
      },
    })
  }

  /** Gives the direct way to a friend up. */
  close(channel: Channel): void {
    this.#init.courier.remove(nameOf(channel))
    for (const timer of channel.direct.held.values()) timer.cancel()
    channel.direct.held.clear()
  }

  /** The friend was heard: waiting makes no sense any more. */
  hurry(channel: Channel): void {
    this.#init.courier.hurry(nameOf(channel))
  }

  /** @returns whether a new envelope goes this way alone for now */
  handOver(channel: Channel, { number }: OutboxEntry): boolean {
    const { direct } = channel
    if (direct.server === undefined) return false
    const isAlone = this.#init.isConnected(direct.server)
    if (isAlone) this.#hold(channel, number, RECEIPT_MS)
    this.#init.courier.nudge(nameOf(channel))
    return isAlone
  }

  /** Lets everything that is held for a friend go the other ways. @returns whether there was anything */
  release(channel: Channel): boolean {
    const numbers = [...channel.direct.held.keys()]
    for (const number of numbers) this.#release(channel, number)
    return numbers.length > 0
  }

  #hold(channel: Channel, number: number, ms: number): void {
    const { held } = channel.direct
    held.get(number)?.cancel()
    held.set(
      number,
      this.#init.clock.after(ms, () => this.#release(channel, number)),
    )
  }

  #release(channel: Channel, number: number): void {
    const { held } = channel.direct
    held.get(number)?.cancel()
    held.delete(number)
    if (channel.entries.has(number)) this.#init.onReleased(channel, number)
  }

  async #stored(channel: Channel, entry: OutboxEntry, server: Uint8Array): Promise<void> {
    channel.direct.put.set(entry.number, placeOf(entry))
    if (channel.direct.held.has(entry.number)) this.#hold(channel, entry.number, ACKNOWLEDGED_MS)
    await this.#init.progress.storedDirectly(channel, entry, server)
  }
}

function nameOf(channel: Channel): string {
  return `${channel.key}/direct`
}

/** Names the envelope of an entry: sealed again it is another. */
function placeOf({ lane, chain, count }: OutboxEntry): string {
  return `${lane?.join() ?? ''}/${chain}/${count}`
}
