/**
 * Healing (PROTOCOL 8): a session that was lost, is older than the friend's memory, or opens nothing any more is replaced by
 * a new one, without the person. The handshake is that of a request, run in the reach mailboxes, between friends and the IDs
 * that they pinned alone. When one is begun, and how often, is decided here; `rekey.ts` runs it.
 */
import type { Ailment } from '../delivery/delivery-status.ts'
import { describe } from '../errors.ts'
import type { Transaction } from '../delivery/journal.ts'
import type { Timer } from '../ports.ts'
import { type Contact, isFriend } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'
import { Drives, type StepResult } from './drives.ts'
import { isDeviceOf } from './key-changes.ts'
import type { Pins } from './pins.ts'
import { ReachMailboxes } from './reach-mailboxes.ts'
import { Rekey } from './rekey.ts'
import { pauseBefore } from './rekey-pace.ts'

const HOUR = 3600
const DAY = 24 * HOUR
/** A message that a friend who writes leaves unacknowledged for so long did not open there. */
const SILENT_SECONDS = 3 * DAY
/** A command that does one thing heals nothing. */
const FIRST_MS = 60_000
const TEND_MS = HOUR * 1000
/** A home that was only moved, or is a copy that runs for a moment, is left to its owner for so long. */
const CHANGED_HOME_MS = 600_000

interface HealingInit extends FriendshipInit {
  book: ContactBook
  pins: Pins
  /** Both sides hold a session: writes the contact as a friend. */
  become: (tx: Transaction, contact: Contact) => void
}

export class Healing {
  readonly #init: HealingInit
  readonly #drives: Drives
  readonly #reach: ReachMailboxes
  readonly #rekey: Rekey
  #timer: Timer | undefined
  #startedAt = 0

  constructor(init: HealingInit) {
    this.#init = init
    this.#drives = new Drives({ ...init, step: (id) => this.#step(id) })
    this.#reach = new ReachMailboxes({ ...init, onLegs: (id, legs) => this.#rekey.receive(id, legs) })
    this.#rekey = new Rekey({ ...init, reach: this.#reach })
  }

  start(): void {
    const { clock } = this.#init
    this.#startedAt = clock.now()
    this.#timer = clock.after(FIRST_MS, () => this.#tend())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#drives.stop()
    this.#rekey.stop()
  }

  /** Something may be wrong with the session of this friend. */
  look(id: Uint8Array): void {
    this.#drives.go(id)
  }

  /** Leaves every leg once more. */
  dispatchAgain(): void {
    this.#reach.dispatchAgain()
  }

  /** The friendship was ended. */
  forget(id: Uint8Array): void {
    this.#reach.close(id)
  }

  readonly confirmed: Rekey['confirmed'] = (tx, contact) => this.#rekey.confirmed(tx, contact)

  #tend(): void {
    const { book, clock, logger } = this.#init
    this.#timer = clock.after(TEND_MS, () => this.#tend())
    this.#open(book.all().filter(isFriend)).catch((error: unknown) =>
      logger.warn('reach mailboxes cannot be read', { problem: describe(error) }),
    )
  }

  async #open(friends: readonly Contact[]): Promise<void> {
    for (const { id } of friends) {
      const contact = await this.#rekey.withReach(id)
      if (!contact) continue
      this.#reach.open(contact)
      if (this.#ailment(contact)) this.#drives.go(id)
    }
  }

  #ailment({ id, since = 0, rekeying }: Contact): Ailment | undefined {
    const { status } = this.#init.delivery
    const waiting = status.waitingSince(id)
    // what was sealed in a new session waits anew
    const from = waiting && Math.max(waiting.since, since, rekeying?.started ?? 0)
    const isSilent =
      from !== undefined && waiting!.heardAt >= from + DAY && this.#init.protocolTime() >= from + SILENT_SECONDS
    return status.ailment(id) ?? (isSilent ? 'silent' : undefined)
  }

  async #step(id: Uint8Array): Promise<StepResult> {
    const { book, clock, protocolTime } = this.#init
    const contact = book.get(id)
    const ailment = contact && isFriend(contact) ? this.#ailment(contact) : undefined
    if (!contact || ailment === undefined) return 'done'
    const sinceStart = clock.now() - this.#startedAt
    const grace = ailment === 'home' ? CHANGED_HOME_MS : FIRST_MS
    if (sinceStart < grace) return { ms: grace - sinceStart }
    // a leg that was made for a device which is gone by now is answered by nobody
    const leg = contact.rekeying?.leg
    const isInVain = leg !== undefined && !isDeviceOf(contact, leg.peerDevice)
    const wait = isInVain ? 0 : pauseBefore(contact.rekeying, protocolTime())
    if (wait > 0) return { ms: wait * 1000 }
    return (await this.#rekey.begin(id, (one) => this.#ailment(one))) ? { ms: HOUR * 1000 } : 'again'
  }
}
