/**
 * What a friend wrote into a mailbox and no session opens (PROTOCOL 8), of one friend and run: it lies at the relays still, and
 * comes again. Some of it opens when what it waits for has come; three, or one for an hour, ask for a new session.
 */
import { toHex } from '../crypto/bytes.ts'

const TOO_MANY = 3
const TOO_LONG_MS = 3_600_000
const SEEK_PAUSE_MS = 3_600_000
/** More than a mailbox holds at first; what comes above is not remembered, and asks for nothing that these do not. */
const MAX_KNOWN = 256

export class Unreadable {
  /** When each was seen first (milliseconds), by eid. */
  readonly #since = new Map<string, number>()
  /** What the friend has sealed again once they write in a session above this rekey number. */
  #givenUp: { eids: ReadonlySet<string>; rekey: number } = { eids: new Set(), rekey: 0 }
  #soughtAt = -Infinity

  /** @returns whether it is news */
  add(eid: Uint8Array, now: number): boolean {
    const name = toHex(eid)
    if (this.#since.has(name) || this.#since.size >= MAX_KNOWN) return false
    this.#since.set(name, now)
    return true
  }

  /** Whether tags may be sought above the windows, which costs much: once in an hour. @param now milliseconds */
  maySeek(now: number): boolean {
    // a clock that was put back makes it sooner
    if (now >= this.#soughtAt && now < this.#soughtAt + SEEK_PAUSE_MS) return false
    this.#soughtAt = now
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

  get isAny(): boolean {
    return this.#since.size > 0
  }

  /**
   * The friend writes: what was given up before a session that they write in asks for none any more, and can go.
   * @param rekey the highest number of a session in which the friend has written
   * @returns whether there is something that can go
   */
  settle(rekey: number): boolean {
    if (rekey <= this.#givenUp.rekey) return false
    return [...this.#givenUp.eids].filter((name) => this.#since.delete(name)).length > 0
  }

  /** @param rekey the highest number of a session in which the friend has written */
  isGivenUp(eid: Uint8Array, rekey: number): boolean {
    return rekey > this.#givenUp.rekey && this.#givenUp.eids.has(toHex(eid))
  }
}
