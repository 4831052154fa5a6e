/**
 * The own relays at work (PROTOCOL 6, reader): looked at by the hour and when the standing of a server changes. Mail is read
 * where it may lie, and friends are told where to write when that is news. Which relays they are is `OwnRelays`.
 */
import { OWN_SERVER } from '../delivery/direct-links.ts'
import { Transaction } from '../delivery/journal.ts'
import { describe } from '../errors.ts'
import type { Ports, Timer } from '../ports.ts'
import { peerIdText } from '../wire/peer-id.ts'
import type { Parts } from './parts.ts'

export interface RelayReviewInit {
  ports: Pick<Ports, 'clock' | 'logger'>
  parts: Pick<Parts, 'ownRelays' | 'reader' | 'custody' | 'friendship' | 'standing' | 'journal'>
  isRunning: () => boolean
  /** The own relays are others than friends were told. */
  onNews: () => void
}

const REVIEW_MS = 3_600_000

export class RelayReview {
  readonly #init: RelayReviewInit
  #timer: Timer | undefined
  #reviewing: Promise<void> = Promise.resolve()

  constructor(init: RelayReviewInit) {
    this.#init = init
  }

  start(): void {
    this.#timer = this.#init.ports.clock.after(REVIEW_MS, () => {
      this.#review()
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Mail is read where it may lie now. */
  readAtServers(): void {
    const { reader, ownRelays, custody } = this.#init.parts
    reader.setServers(ownRelays.read, custody && OWN_SERVER)
  }

  /** Mail is read where it may lie now, and friends are told when that is news. */
  async tell(): Promise<void> {
    const { ownRelays, friendship } = this.#init.parts
    this.readAtServers()
    if (ownRelays.isNews) {
      this.#init.onNews()
      await friendship.greetAll()
    }
    await ownRelays.remember()
  }

  /** A server was caught, lost or found again. */
  standingChanged(server: Uint8Array): void {
    const { parts, ports } = this.#init
    const { standing, journal } = parts
    if (!standing.isCaught(server)) {
      const tx = new Transaction()
      const endsAt = standing.leaves(server)
      const state = endsAt !== undefined ? 'leaving' : standing.isLost(server) ? 'lost' : 'back'
      tx.event('relay', { peerId: peerIdText(server), state, ...(endsAt !== undefined && { endsAt: endsAt * 1000 }) })
      journal
        .commit(tx)
        .catch((error: unknown) => ports.logger.warn('telling of a relay failed', { problem: describe(error) }))
    }
    this.#review()
  }

  #review(): void {
    const { parts, ports, isRunning } = this.#init
    const { ownRelays } = parts
    if (!isRunning() || ownRelays.configured.length === 0) return
    this.#reviewing = this.#reviewing
      .then(async () => {
        await ownRelays.review()
        if (isRunning()) await this.tell()
      })
      .catch((error: unknown) => ports.logger.warn('reviewing relays failed', { problem: describe(error) }))
  }
}
