/**
 * The mailboxes of friends at work (PROTOCOL 3): those that are read are watched, the one that is written gets what waits
 * for the friend. Which they are is decided by `mailbox/generations.ts`; here their changes are written in the batch of the
 * event that caused them, and take effect when it is on the disk.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { MAX_CUSTODY_RELAYS } from '../limits.ts'
import {
  compareGenerations,
  type Generation,
  goneFrom,
  type Mailboxes,
  type ReadMailbox,
} from '../mailbox/generations.ts'
import { friendMailbox, KIND } from '../mailbox/keys.ts'
import { type Channel, putMailboxes } from './channel.ts'
import type { Courier } from './courier.ts'
import type { DirectDelivery } from './direct-delivery.ts'
import type { Transaction } from './journal.ts'
import type { Mail, MailReader } from './mail-reader.ts'
import type { OutboxProgress } from './outbox-progress.ts'
import type { RelayStanding } from './relay-standing.ts'
import type { WaitingMail } from './waiting-mail.ts'

export interface ChannelMailboxesInit {
  reader: MailReader
  courier: Courier
  standing: RelayStanding
  /** Mail that lay in a mailbox of the friend's direction; as `MailWatch.receive`. */
  receive: (channel: Channel, box: ReadMailbox, mail: Mail[]) => Promise<boolean[]>
  waiting: WaitingMail
  progress: OutboxProgress
  direct: DirectDelivery
}

export class ChannelMailboxes {
  readonly #init: ChannelMailboxesInit

  constructor(init: ChannelMailboxesInit) {
    this.#init = init
  }

  /** Begins to read and to write. */
  open(channel: Channel): void {
    for (const box of channel.mailboxes.reading) this.#watch(channel, box)
    this.consign(channel)
  }

  /** Reads once more what still lies in what is read. */
  readAgain(channel: Channel): void {
    for (const box of channel.mailboxes.reading) this.#watch(channel, box)
  }

  /** Gives up everything with a friend, at the relays too, once the transaction is committed. */
  close(tx: Transaction, channel: Channel): void {
    for (const box of channel.mailboxes.reading) this.#init.reader.giveUp(tx, watchName(channel, box))
    tx.afterCommit(() => {
      this.#init.courier.remove(channel.key)
      this.#init.direct.close(channel)
    })
  }

  /** Writes the mailboxes as they are after the transaction; they are read and written once it is committed. */
  change(tx: Transaction, channel: Channel, after: Mailboxes): void {
    if (after === channel.mailboxes) return
    putMailboxes(tx, channel.friend, after)
    for (const box of goneFrom(channel.mailboxes, after)) this.#init.reader.giveUp(tx, watchName(channel, box))
    tx.afterCommit(() => {
      const before = channel.mailboxes
      channel.mailboxes = after
      for (const box of goneFrom(after, before)) this.#watch(channel, box)
      const isMoved = !before.writing || !after.writing || compareGenerations(before.writing, after.writing) !== 0
      if (isMoved) this.consign(channel)
    })
  }

  /** Puts what waits at the friend's relays and node of now, in the mailbox of now. */
  consign(channel: Channel): void {
    const { direct, courier, standing, waiting, progress } = this.#init
    const { writing } = channel.mailboxes
    direct.consign(channel)
    if (!writing) return
    courier.set({
      name: channel.key,
      kind: KIND.friend,
      servers: standing.choose(channel.relays, MAX_CUSTODY_RELAYS),
      keysAt: (server) => friendMailbox(writing.secret, server),
      pending: async (server, limit) => await waiting.parcels(channel, server, limit),
      released: async (server) =>
        await progress.released(channel, server, friendMailbox(writing.secret, server).address),
    })
  }

  /** Whether a mailbox is read still. */
  isRead(channel: Channel, { secret }: ReadMailbox): boolean {
    return channel.mailboxes.reading.some((box) => equal(box.secret, secret))
  }

  #watch(channel: Channel, box: ReadMailbox): void {
    this.#init.reader.watch({
      name: watchName(channel, box),
      kind: KIND.friend,
      keysAt: (server) => {
        const { writer, reader } = friendMailbox(box.secret, server)
        return { writer: writer.public, reader }
      },
      receive: async (mail) => await this.#init.receive(channel, box, mail),
    })
  }
}

function watchName(channel: Channel, { rekey, replacement, session }: Generation): string {
  return `${channel.key}/${rekey}/${replacement}/${toHex(session)}`
}
