/**
 * When mailboxes of friends come and go (PROTOCOL 3): a new session brings its own, a secret that has served its time is
 * replaced by an update to the friend, and what has run dry is given up. Which they are is `mailbox/generations.ts`.
 */
import {
  isReplacementDue,
  type Mailboxes,
  newestOf,
  openedSession,
  replaceSecret,
  retireMailboxes,
} from '../mailbox/generations.ts'
import type { Random } from '../ports.ts'
import { mailboxUpdateBody, PAYLOAD_TYPE } from '../wire/payload.ts'
import { encode } from '../wire/schema.ts'
import { type Channel, deleteLane, handshakeOf, heardOf, isBehind, type Lane, sendingLane } from './channel.ts'
import type { ChannelMailboxes } from './channel-mailboxes.ts'
import type { Channels } from './channels.ts'
import { type Journal, Transaction } from './journal.ts'
import { deleteEntry } from './outbox.ts'
import type { OutgoingMail } from './outgoing-mail.ts'

export interface MailboxReplacementInit {
  journal: Journal
  random: Random
  channels: Channels
  mailboxes: ChannelMailboxes
  outgoing: OutgoingMail
  /** Seconds. */
  protocolTime: () => number
}

/** Seconds: an update of a mailbox is sealed again until the friend has it, like a text. */
const UPDATE_LIFETIME = 365 * 86_400

export class MailboxReplacement {
  readonly #init: MailboxReplacementInit

  constructor(init: MailboxReplacementInit) {
    this.#init = init
  }

  /** Adds the mailboxes of a session that is opened in this transaction. */
  opened(tx: Transaction, channel: Channel, lane: Lane): void {
    const after = openedSession(channel.mailboxes, handshakeOf(lane), this.#moment(channel))
    // an update that is still on its way may stand below what the session brings
    if (newestOf(after) !== newestOf(channel.mailboxes)) strikeUpdates(tx, channel)
    this.#init.mailboxes.change(tx, channel, after)
  }

  /** Gives up what has run dry, and the sessions that nothing can come in any more. */
  retire(channel: Channel): void {
    const { channels, journal, mailboxes, protocolTime } = this.#init
    const now = Math.floor(protocolTime())
    const next = (): Mailboxes => retireMailboxes(channel.mailboxes, now)
    if (next() === channel.mailboxes && endedLanes(channel, next()).length === 0) return
    channels.alone(channel, async () => {
      const tx = new Transaction()
      const after = next()
      const ended = endedLanes(channel, after)
      mailboxes.change(tx, channel, after)
      for (const lane of ended) deleteLane(tx, channel.friend, lane)
      tx.afterCommit(() => {
        channel.lanes = channel.lanes.filter((lane) => !ended.includes(lane))
      })
      await journal.commit(tx)
    })
  }

  /** Replaces a secret that has served its time. Only when the friend is heard: one who is away changes nothing. */
  replaceIfDue(channel: Channel): void {
    if (!isReplacementDue(channel.mailboxes, this.#moment(channel))) return
    this.#init.channels.alone(channel, async () => {
      if (isBehind(channel) || !isReplacementDue(channel.mailboxes, this.#moment(channel))) return
      await this.#replace(channel)
    })
  }

  /** Draws a new secret for what is read of the friend. It is read from the batch on in which the update becomes durable. */
  async #replace(channel: Channel): Promise<void> {
    const { random, mailboxes, outgoing } = this.#init
    const secret = random.bytes(32)
    const { after, box } = replaceSecret(channel.mailboxes, secret, this.#moment(channel))
    const { rekey, replacement } = box
    await outgoing.sendDraft(channel, {
      type: PAYLOAD_TYPE.mailboxUpdate,
      conversation: new Uint8Array(16),
      lamport: 0,
      parents: [],
      body: encode(mailboxUpdateBody, { rekey, replacement, secret }),
      lifetime: UPDATE_LIFETIME,
      reference: () => new Uint8Array(0),
      record: (tx) => {
        strikeUpdates(tx, channel)
        mailboxes.change(tx, channel, after)
      },
    })
  }

  #moment(channel: Channel): { now: number; heard: number } {
    return { now: Math.floor(this.#init.protocolTime()), heard: heardOf(channel.lanes) }
  }
}

/** Sessions below every mailbox that is read: all that was sealed in them has expired. */
function endedLanes(channel: Channel, { reading }: Mailboxes): Lane[] {
  const sending = sendingLane(channel)
  const lowest = Math.min(...reading.map(({ rekey }) => rekey), sending?.session.rekey ?? 0)
  return channel.lanes.filter(({ session }) => session.rekey < lowest)
}

/** One update is outstanding at a time: an older one is never sealed again. */
function strikeUpdates(tx: Transaction, channel: Channel): void {
  for (const { number, type } of channel.entries.values()) {
    if (type !== PAYLOAD_TYPE.mailboxUpdate) continue
    deleteEntry(tx, channel.friend, number)
    tx.afterCommit(() => channel.entries.delete(number))
  }
}
