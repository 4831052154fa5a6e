/**
 * Where mail of friends comes in: an envelope that the gossip gate let through, by its tag, or copies out of a mailbox. Either
 * way it is handed to the inbox in batches, while the friend's queue is held.
 */
import { describe } from '../errors.ts'
import * as limits from '../limits.ts'
import type { ReadMailbox } from '../mailbox/generations.ts'
import type { Logger } from '../ports.ts'
import type { Envelope } from '../wire/envelope.ts'
import type { Channel } from './channel.ts'
import type { ChannelMailboxes } from './channel-mailboxes.ts'
import type { Channels } from './channels.ts'
import type { Inbox, InboundMail } from './inbox.ts'
import type { Mail } from './mail-reader.ts'

export interface IncomingMailInit {
  logger: Logger
  channels: Channels
  inbox: Inbox
  mailboxes: ChannelMailboxes
}

export class IncomingMail {
  readonly #init: IncomingMailInit
  #gossipQueued = 0

  constructor(init: IncomingMailInit) {
    this.#init = init
  }

  /** An envelope that the gossip gate admitted: whose is it? Synchronous; what is nobody's is forgotten. */
  gossip(bytes: Uint8Array, envelope: Envelope): void {
    const { channels, logger } = this.#init
    for (const channel of channels.all()) {
      if (!channel.lanes.some(({ window }) => window.lookup(envelope.tag) !== undefined)) continue
      // the relays hold what is ignored here
      if (this.#gossipQueued >= limits.MAX_GOSSIP_QUEUE) return
      this.#gossipQueued++
      const mail: InboundMail = { bytes: bytes.slice(), via: 'gossip' }
      this.#receive(channel, [mail], () => true)
        .catch((error: unknown) => logger.warn('receiving failed', { problem: describe(error) }))
        .finally(() => this.#gossipQueued--)
      return
    }
  }

  /** Copies out of a mailbox of the friend's direction, as `MailWatch.receive`. */
  async copies(channel: Channel, box: ReadMailbox, copies: Mail[]): Promise<boolean[]> {
    const { inbox, mailboxes } = this.#init
    const opened = copies.map((copy) => inbox.openCopy(box, copy))
    const mail = opened.filter((one) => one !== undefined)
    const done = await this.#receive(channel, mail, () => mailboxes.isRead(channel, box))
    // a copy that does not open was not written by the friend: it goes
    return opened.map((one) => (one === undefined ? true : done[mail.indexOf(one)]!))
  }

  /** @param isWanted asked again while the friend's queue is held */
  async #receive(channel: Channel, mail: InboundMail[], isWanted: () => boolean): Promise<boolean[]> {
    const { channels, inbox } = this.#init
    const done: boolean[] = []
    for (let i = 0; i < mail.length; i += limits.MAX_BATCH_ENVELOPES) {
      const part = mail.slice(i, i + limits.MAX_BATCH_ENVELOPES)
      done.push(
        ...(await channels.exclusively(channel.friend, async () => {
          if (channels.isStopped || !channels.isOpen(channel) || !isWanted()) return part.map(() => false)
          return await inbox.receive(channel, part)
        })),
      )
    }
    return done
  }
}
