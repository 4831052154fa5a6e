/**
 * What messages say of records (PROTOCOL 2): the own head, and the friend's as it was seen here, go with each; a friend is
 * told of a record that contradicts the believed one, for only its owner knows who signed it. What a friend never signed
 * shows by the friend's own word.
 */
import { equal } from '../crypto/bytes.ts'
import { compareHeads, equivocates } from '../identity/records.ts'
import { MAX_RECORD_AHEAD_SECONDS } from '../limits.ts'
import type { Head } from '../wire/records.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'

type WitnessInit = Pick<FriendshipInit, 'self' | 'directory' | 'alarms' | 'protocolTime'> & { book: ContactBook }

export class Witness {
  readonly #init: WitnessInit

  constructor(init: WitnessInit) {
    this.#init = init
  }

  /** The own head, and the friend's: the believed one, or what was seen above it or beside it. */
  headsFor(friend: Uint8Array): { mine: Head; yours: Head | undefined } {
    const { self, book, directory, alarms } = this.#init
    const pin = book.get(friend)?.pin
    const seen = directory.seen(friend)
    const highest = pin && seen && compareHeads(seen, pin) > 0 ? seen : pin
    return { mine: self.head, yours: alarms.contradicting(friend) ?? highest }
  }

  /**
   * A friend's message came. The record of an hour and more before it is theirs, or the friend would have named it.
   * @param sentAt by the friend's clock, which may be wrong: nothing was written after it came; milliseconds
   */
  heard(friend: Uint8Array, { mine, yours, sentAt }: { mine: Head; yours: Head | undefined; sentAt: number }): void {
    const { self, directory, alarms, protocolTime } = this.#init
    alarms.owned(friend, mine.hash)
    if (yours && !self.signed(yours)) alarms.raise('unknown-head', friend, { head: yours })
    const seen = directory.seen(friend)
    if (!seen || compareHeads(seen, mine) <= 0 || equivocates(seen, mine)) return
    // only the words make a key event: whoever took the keys of before can say nothing against it
    if (seen.events > mine.events) return
    const writtenBy = Math.min(sentAt / 1000, protocolTime())
    if (writtenBy <= seen.seq + MAX_RECORD_AHEAD_SECONDS) return
    const known = directory.known(friend)?.identity
    const record = known && equal(known.hash, seen.hash) ? known.bytes : undefined
    alarms.raise('not-theirs', friend, { head: seen, ...(record && { record }) })
  }
}
