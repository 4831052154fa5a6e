/**
 * The reply mailbox of a request (PROTOCOL 7): read until c3 opens for one of the legs whose one-time keys are kept. That
 * alone makes a friend; garbage in place of the answer burns no key.
 */
import { equal } from '../crypto/bytes.ts'
import { Transaction } from '../delivery/journal.ts'
import type { Mail } from '../delivery/mail-reader.ts'
import { ForgedError, PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import { friendMailbox, KIND, openCopy } from '../mailbox/keys.ts'
import { openLeg2 } from '../session/leg2.ts'
import type { OutgoingRequest } from '../session/pending-request.ts'
import { type Asked, type Contact, contactKey, MAX_EARLIER_LEGS, withReach } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import { type FriendshipInit, replyName } from './contract.ts'
import type { Freshness } from './freshness.ts'
import { behindAtFirst, isDeviceOf } from './key-changes.ts'
import type { Pins } from './pins.ts'

const DAY = 86_400

export interface ReplyMailboxInit extends FriendshipInit {
  book: ContactBook
  pins: Pins
  freshness: Freshness
  /** Both sides hold a session: writes the contact as a friend. */
  become: (tx: Transaction, contact: Contact) => void
}

export class ReplyMailboxes {
  readonly #init: ReplyMailboxInit
  #stopped = false

  constructor(init: ReplyMailboxInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
  }

  /** Reads the mailbox of this 32-byte secret, where the answer of the contact will lie. */
  watch(id: Uint8Array, secret: Uint8Array): void {
    this.#init.reader.watch({
      name: replyName(contactKey(id)),
      kind: KIND.friend,
      keysAt: (server) => {
        const { writer, reader } = friendMailbox(secret, server)
        return { writer: writer.public, reader }
      },
      receive: async (mail) => {
        const done: boolean[] = []
        for (const one of mail) done.push(await this.#receive(id, secret, one))
        return done
      },
    })
  }

  async #receive(id: Uint8Array, secret: Uint8Array, mail: Mail): Promise<boolean> {
    const { book, pins, freshness, journal, delivery, self, protocolTime, become, greet } = this.#init
    const friend = await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (this.#stopped) return 'later'
      if (!contact?.asked) return undefined
      // whoever took a device that is revoked has the keys to answer what was asked of it
      const legs = stillAnswerable(contact.asked, protocolTime()).filter((leg) => isDeviceOf(contact, leg.peerDevice))
      const opened = openReply(legs, secret, mail, self.identitySecrets)
      if (!opened || opened.accept.rekey > contact.rekey + limits.MAX_REKEY_STEP) return undefined
      const { accept, session, secrets, identitySecret } = opened
      const tx = new Transaction()
      const { relays, peerId, addresses } = accept
      const devices = { own: equal(identitySecret, self.identitySecret), theirs: true }
      const behind = behindAtFirst(this.#init, contact, devices)
      delivery.openChannel(tx, id, { session, secrets, relays, reach: { peerId, addresses }, behind })
      // the one-time keys go in the batch that makes the session
      const rekey = Math.max(contact.rekey, accept.rekey)
      become(tx, { ...contact, name: accept.name, rekey, reach: withReach(contact, secrets) })
      await journal.commit(tx)
      pins.follow(id, accept.head)
      freshness.heard(id, accept.head)
      return contact
    })
    if (friend === 'later') return false
    if (friend) await greet(id)
    return true
  }
}

/** The legs whose one-time keys are kept when a new one is built. */
export function stillAnswerable(asked: Asked, now: number): OutgoingRequest[] {
  const legs = asked.leg ? [asked.leg, ...asked.earlier] : asked.earlier
  return legs.filter((leg) => leg.created + limits.ONE_TIME_KEY_DAYS * DAY > now).slice(0, MAX_EARLIER_LEGS)
}

function openReply(legs: readonly OutgoingRequest[], secret: Uint8Array, mail: Mail, identitySecrets: Uint8Array[]) {
  for (const [outgoing, identitySecret] of legs.flatMap((leg) => identitySecrets.map((one) => [leg, one] as const))) {
    try {
      const leg = openCopy(friendMailbox(secret, mail.server).copyKey, mail.copy)
      return { ...openLeg2({ outgoing, leg, identitySecret }), identitySecret }
    } catch (error) {
      // garbage in place of the answer burns no key: the true one still opens
      if (!(error instanceof ForgedError) && !(error instanceof PeerError)) throw error
    }
  }
  return undefined
}
