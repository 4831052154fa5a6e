/**
 * Reach mailboxes at work (PROTOCOL 3): where the legs of a rekey lie. Each friendship has one for each direction and quarter
 * of a year, from its first handshake, whatever became of the sessions since. Most are never used: whoever writes claims.
 */
import { concat, toHex } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Parcel } from '../delivery/courier.ts'
import type { Mail } from '../delivery/mail-reader.ts'
import { ForgedError } from '../errors.ts'
import * as limits from '../limits.ts'
import { type FriendMailbox, KIND, openCopy, quartersRead, reachMailbox, reachQuarter } from '../mailbox/keys.ts'
import { LEG1_INNER_BYTES } from '../wire/legs.ts'
import { type Contact, contactKey, type ReachSecrets } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'

const DAY = 86_400
/** A leg is left again while it is needed: so that a friend who is away finds a few at most. */
const LEG_LIES_DAYS = 7
/** A leg 1 fills what a leg has. */
const LEG1_FILLING = new Uint8Array(limits.LEG_BYTES - LEG1_INNER_BYTES)

interface ReachMailboxesInit
  extends Pick<FriendshipInit, 'reader' | 'courier' | 'delivery' | 'relays' | 'protocolTime'> {
  book: ContactBook
  /** Legs of 8192 bytes that a friend wrote, all that lay together; true for each that is on the disk or can never count. */
  onLegs: (id: Uint8Array, legs: Uint8Array[]) => Promise<boolean[]>
}

export class ReachMailboxes {
  readonly #init: ReachMailboxesInit
  /** What is read of each contact, and what is put for them: names of watches and consignments. */
  readonly #reading = new Map<string, Set<string>>()
  readonly #writing = new Map<string, Set<string>>()
  /** Legs that lie at a server, as far as this run knows. */
  readonly #placed = new Set<string>()

  constructor(init: ReachMailboxesInit) {
    this.#init = init
  }

  /** Reads the mailboxes of this quarter, and puts what is to be put. */
  open(contact: Contact): void {
    this.#read(contact, false)
    this.dispatch(contact)
  }

  /** Reads what lies there once more. */
  readAgain(id: Uint8Array): void {
    const contact = this.#init.book.get(id)
    if (contact) this.#read(contact, true)
  }

  /** Stops reading and writing. */
  close(id: Uint8Array): void {
    const key = contactKey(id)
    for (const name of this.#reading.get(key) ?? []) this.#init.reader.drop(name)
    for (const name of this.#writing.get(key) ?? []) this.#init.courier.remove(name)
    this.#reading.delete(key)
    this.#writing.delete(key)
  }

  #read({ id, reach = [] }: Contact, again: boolean): void {
    const { reader, protocolTime } = this.#init
    const key = contactKey(id)
    const before = this.#reading.get(key) ?? new Set()
    const names = new Set<string>()
    for (const secrets of reach) {
      for (const quarter of quartersRead(protocolTime())) {
        const name = `reach/${key}/${nameOf(secrets)}/${quarter}`
        names.add(name)
        if (!again && before.has(name)) continue
        const boxAt = (server: Uint8Array): FriendMailbox => reachMailbox(secrets.in, server, quarter)
        reader.watch({
          name,
          kind: KIND.reach,
          isClaimedByWriter: true,
          keysAt: (server) => ({ writer: boxAt(server).writer.public, reader: boxAt(server).reader }),
          receive: (mail) => this.#receive(id, mail, boxAt),
        })
      }
    }
    for (const name of before) if (!names.has(name)) reader.drop(name)
    this.#reading.set(key, names)
  }

  async #receive(id: Uint8Array, mail: Mail[], boxAt: (server: Uint8Array) => FriendMailbox): Promise<boolean[]> {
    const legs = mail.map(({ copy, server }) => openedCopy(boxAt(server).copyKey, copy))
    const written = legs.filter((leg) => leg !== undefined)
    const done = await this.#init.onLegs(id, written)
    // a copy that does not open was not written by the friend: it goes
    return legs.map((leg) => leg === undefined || done[written.indexOf(leg)]!)
  }

  /** Puts the legs of this contact, in place of former ones. */
  dispatch({ id, reach = [] }: Contact): void {
    const { courier, delivery, relays, protocolTime } = this.#init
    const key = contactKey(id)
    for (const name of this.#writing.get(key) ?? []) courier.remove(name)
    this.#writing.delete(key)
    if (this.#legsOf(id).length === 0) return
    const known = delivery.status.serversOf(id)
    const names = new Set<string>()
    for (const secrets of reach) {
      const name = `reach/${key}/${nameOf(secrets)}`
      names.add(name)
      courier.set({
        name,
        kind: KIND.reach,
        // of a friend whose relays are forgotten nothing is better known than that friends often read at the same ones
        servers: known.length > 0 ? known : relays().slice(0, limits.MAX_CUSTODY_RELAYS),
        keysAt: (server) => reachMailbox(secrets.out, server, reachQuarter(protocolTime())),
        pending: async (server) => this.#pending(id, concat(secrets.out, server)),
      })
    }
    this.#writing.set(key, names)
  }

  /** Leaves every leg once more: one that lies at a relay may have expired or got lost there. */
  dispatchAgain(): void {
    this.#placed.clear()
    for (const names of this.#writing.values()) for (const name of names) this.#init.courier.nudge(name)
  }

  #pending(id: Uint8Array, place: Uint8Array): Parcel[] {
    const now = Math.floor(this.#init.protocolTime())
    return this.#legsOf(id).flatMap((bytes) => {
      const placed = toHex(sha256(place, bytes))
      if (this.#placed.has(placed)) return []
      const stored = async (): Promise<void> => void this.#placed.add(placed)
      return [{ bytes, expires: now + LEG_LIES_DAYS * DAY, stored }]
    })
  }

  /** What waits for this contact, oldest thing last: a leg 1, an answer, or both. */
  #legsOf(id: Uint8Array): Uint8Array[] {
    const { leg, settled, answer } = this.#init.book.get(id)?.rekeying ?? {}
    const isAsked = leg !== undefined && !settled && leg.expires > this.#init.protocolTime()
    return [...(isAsked ? [concat(leg.leg, LEG1_FILLING)] : []), ...(answer ? [answer] : [])]
  }
}

/** Tells the secrets of one contact apart, in memory alone. */
function nameOf(secrets: ReachSecrets): string {
  return toHex(sha256(secrets.in, secrets.out).subarray(0, 4))
}

function openedCopy(copyKey: Uint8Array, copy: Uint8Array): Uint8Array | undefined {
  try {
    return openCopy(copyKey, copy)
  } catch (error) {
    if (error instanceof ForgedError) return undefined
    throw error
  }
}
