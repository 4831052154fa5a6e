/**
 * When a friend was last there: to the moment in this run, to the day on the disk, which decides whether a friend is sought
 * elsewhere (PROTOCOL 9).
 */
import type { Clock } from '../ports.ts'
import { type Channel, putChannel } from './channel.ts'
import type { Channels } from './channels.ts'
import { type Journal, Transaction } from './journal.ts'

export interface PresenceInit {
  journal: Journal
  clock: Clock
  channels: Channels
  /** Seconds. */
  protocolTime: () => number
}

/** A friend of whom something authentic came within this time is called online. */
const ONLINE_MS = 300_000
const DAY = 86_400

export class Presence {
  readonly #init: PresenceInit

  constructor(init: PresenceInit) {
    this.#init = init
  }

  /** Something authentic of the friend's came. */
  heard(channel: Channel): void {
    channel.lastHeard = this.#init.clock.now()
    this.#noteDay(channel)
  }

  isOnline({ lastHeard }: Channel): boolean {
    return lastHeard > 0 && this.#init.clock.now() - lastHeard < ONLINE_MS
  }

  /** First second of the day. */
  today(): number {
    return Math.floor(this.#init.protocolTime() / DAY) * DAY
  }

  #noteDay(channel: Channel): void {
    const heardAt = this.today()
    if (heardAt <= channel.heardAt) return
    this.#init.channels.alone(channel, async () => {
      const tx = new Transaction()
      putChannel(tx, channel.friend, { ...channel, heardAt })
      tx.afterCommit(() => {
        channel.heardAt = heardAt
      })
      await this.#init.journal.commit(tx)
    })
  }
}
