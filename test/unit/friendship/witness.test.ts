/** Whose word a record of a friend is held against: the friend's own, unless a root key was replaced since. */
import { expect } from 'chai'
import { equal } from '../../../node/crypto/bytes.ts'
import type { ContactBook } from '../../../node/friendship/contact-book.ts'
import type { FriendshipInit } from '../../../node/friendship/contract.ts'
import { Witness } from '../../../node/friendship/witness.ts'
import type { Head } from '../../../node/wire/records.ts'

const SEQ = 1_790_000_000
const HOURS_LATER = (SEQ + 7200) * 1000
const head = (events: number, seq: number): Head => ({ events, seq, hash: new Uint8Array(32).fill(seq % 251) })

interface Word {
  mine: Head
  /** Lies in the directory. */
  seen: Head
  /** Milliseconds. */
  sentAt?: number
  /** Seconds: when it came. */
  now?: number
}

/** What is said to the alarms when a friend wrote that their record is `mine`. */
function saidOf({ mine, seen, sentAt = HOURS_LATER, now = SEQ + 7300 }: Word): string[] {
  const said: string[] = []
  const alarms = {
    raise: (kind: string, _: Uint8Array, { record }: { record?: Uint8Array }) =>
      void said.push(record ? `${kind} with its proof` : kind),
    owned: (_: Uint8Array, hash: Uint8Array) => {
      if (equal(hash, seen.hash)) said.push('owned')
    },
  } as unknown as FriendshipInit['alarms']
  const known = () => ({ identity: { hash: seen.hash, bytes: new Uint8Array(1) } })
  const directory = { seen: () => seen, known } as unknown as FriendshipInit['directory']
  const self = { signed: () => true } as unknown as FriendshipInit['self']
  const witness = new Witness({ self, directory, alarms, book: {} as ContactBook, protocolTime: () => now })
  witness.heard(new Uint8Array(32), { mine, yours: undefined, sentAt })
  return said
}

describe('what a message says of a record', () => {
  it('is held against a higher one that the friend did not name an hour later', () => {
    const seen = head(1, SEQ)
    expect(saidOf({ mine: head(1, SEQ - 1), seen })).to.deep.equal(['not-theirs with its proof'])
  })

  it('is their word for a record that they name', () => {
    expect(saidOf({ mine: head(1, SEQ), seen: head(1, SEQ) })).to.deep.equal(['owned'])
  })

  it('was written before it came, however far ahead the clock of its writer is', () => {
    const [mine, seen] = [head(1, SEQ - 1), head(1, SEQ)]
    expect(saidOf({ mine, seen, now: SEQ + 3600 })).to.deep.equal([])
    expect(saidOf({ mine, seen, now: SEQ + 3601 })).to.have.lengthOf(1)
    expect(saidOf({ mine, seen, sentAt: (SEQ + 3600) * 1000 })).to.deep.equal([])
  })

  it('says nothing against a root key that was replaced: a thief of the old one may have written it', () => {
    expect(saidOf({ mine: head(0, SEQ + 9), seen: head(1, SEQ) })).to.deep.equal([])
  })
})
