/**
 * What a friend wrote into a mailbox and no session opens (PROTOCOL 8), of one friend and run: it lies at the relays still, and
 * comes again. Some of it opens when what it waits for has come; three, or one for an hour, ask for a new session.
 */
import { toHex } from '../crypto/bytes.ts'

const TOO_MANY = 3
const TOO_LONG_MS = 3_600_000
/** More than a mailbox holds at first; what comes above is not remembered, and asks for nothing that these do not. */
const MAX_KNOWN = 256

export class Unreadable {
  /** When each was seen first (milliseconds), by eid. */
  readonly #since = new Map<string, number>()
  /** What the friend seals again once there is a session above this rekey number. */
  #givenUp: { eids: ReadonlySet<string>; rekey: number } = { eids: new Set(), rekey: 0 }

  /** @returns whether it is news */
  add(eid: Uint8Array, now: number): boolean {
    const name = toHex(eid)
    if (this.#since.has(name) || this.#since.size >= MAX_KNOWN) return false
    this.#since.set(name, now)
    return true
  }

  /** It opened after all. */
  opened(eid: Uint8Array): void {
    this.#since.delete(toHex(eid))
  }

  /** Whether it is enough for a new session. @param now milliseconds */
  isTooMuch(now: number): boolean {
    const [oldest] = this.#since.values()
    return this.#since.size >= TOO_MANY || (oldest !== undefined && now - oldest >= TOO_LONG_MS)
  }

  /** A session is going to be made. @param rekey the highest number that is known */
  giveUp(rekey: number): void {
    this.#givenUp = { eids: new Set(this.#since.keys()), rekey }
  }

  /** A session was made: what was given up before asks for none any more. @returns whether there is something to read again */
  settle(rekey: number): boolean {
    const before = this.#since.size
    if (rekey > this.#givenUp.rekey) for (const name of this.#givenUp.eids) this.#since.delete(name)
    return before > 0
  }

  /** @param rekey the highest number that is known */
  isGivenUp(eid: Uint8Array, rekey: number): boolean {
    return rekey > this.#givenUp.rekey && this.#givenUp.eids.has(toHex(eid))
  }
}
