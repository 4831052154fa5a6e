/**
 * What is done by the hour: messages that outlived their lifetime are given up, envelopes that expired are sealed again,
 * mailboxes that ran dry and old marks of what was seen go, and servers that are away are noted.
 */
import { describe } from '../errors.ts'
import type { Clock, Logger, Network, Timer } from '../ports.ts'
import { PAYLOAD_TYPE } from '../wire/payload.ts'
import type { Channel } from './channel.ts'
import type { Channels } from './channels.ts'
import { isRelay } from './direct-links.ts'
import type { Inbox } from './inbox.ts'
import { type Journal, Transaction } from './journal.ts'
import type { MailboxReplacement } from './mailbox-replacement.ts'
import { deleteEntry, isExpired, type OutboxEntry } from './outbox.ts'
import type { OutboxProgress } from './outbox-progress.ts'
import type { OutgoingMail } from './outgoing-mail.ts'
import type { ReceiptCount } from './receipt-count.ts'
import type { RelayStanding } from './relay-standing.ts'
import type { ServerPool } from './server-pool.ts'

export interface HourlySweepInit {
  journal: Journal
  clock: Clock
  logger: Logger
  network: Network
  pool: ServerPool
  standing: RelayStanding
  channels: Channels
  inbox: Inbox
  progress: OutboxProgress
  outgoing: OutgoingMail
  replacement: MailboxReplacement
  receipts: ReceiptCount
  /** Seconds. */
  protocolTime: () => number
  /** A server came to be lost or found. */
  standingChanged: (server: Uint8Array) => void
}

const SWEEP_MS = 3_600_000
/** What has run dry while this node was away is given up when there was time to hear from the relays. */
const RETIRE_MS = 60_000
const DAY = 86_400

export class HourlySweep {
  readonly #init: HourlySweepInit
  #sweep: Timer | undefined
  #retirement: Timer | undefined

  constructor(init: HourlySweepInit) {
    this.#init = init
  }

  start(): void {
    const { clock, channels, replacement } = this.#init
    this.#retirement = clock.after(RETIRE_MS, () => {
      for (const channel of channels.all()) replacement.retire(channel)
    })
    this.#schedule()
  }

  stop(): void {
    this.#sweep?.cancel()
    this.#retirement?.cancel()
  }

  #schedule(): void {
    const { clock, channels, inbox, logger } = this.#init
    const failed = (error: unknown): void => logger.warn('sweeping failed', { problem: describe(error) })
    this.#sweep = clock.after(SWEEP_MS, () => {
      for (const channel of channels.all()) this.#sweepChannel(channel).catch(failed)
      this.#noteServers().catch(failed)
      inbox.sweep().catch(failed)
      this.#schedule()
    })
  }

  /** Seals again what expired unacknowledged; gives up what outlived its own lifetime. */
  async #sweepChannel(channel: Channel): Promise<void> {
    const { journal, channels, progress, outgoing, replacement, protocolTime } = this.#init
    const now = protocolTime()
    replacement.retire(channel)
    await channels.exclusively(channel.friend, async () => {
      for (const entry of channel.entries.values()) {
        if (entry.expires <= now) {
          const tx = new Transaction()
          progress.settle(tx, channel, entry, 'expired', 'it was not acknowledged in its lifetime')
          tx.afterCommit(() => channel.entries.delete(entry.number))
          await journal.commit(tx)
        } else if (isOldReceipt(entry, now)) {
          const tx = new Transaction()
          deleteEntry(tx, channel.friend, entry.number)
          tx.afterCommit(() => channel.entries.delete(entry.number))
          await journal.commit(tx)
        } else if (isExpired(entry, protocolTime())) {
          await outgoing.sealAgain(channel, entry, 'the envelope expired unacknowledged')
        }
      }
    })
  }

  /** Which servers that are needed now are away, although others are not. */
  async #noteServers(): Promise<void> {
    const { pool, network, receipts, standing, standingChanged } = this.#init
    const inUse = pool.inUse()
    const isOnline = inUse.some(({ connected }) => connected) || network.peerCount() > 0
    for (const { address, connected } of inUse) {
      if (!isRelay(address) || (!connected && !isOnline)) continue
      const server = receipts.serverId(address)
      if (await standing.note(server, connected)) standingChanged(server)
    }
  }
}

/** A receipt that a relay took is not kept for the others for ever; a lost one is asked for by the message coming again. */
function isOldReceipt({ type, receipts, published, created }: OutboxEntry, now: number): boolean {
  return type === PAYLOAD_TYPE.receipt && (receipts.length > 0 || published > 0) && created + DAY <= now
}
