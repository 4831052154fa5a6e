/** Whose word a record of a friend is held against: the friend's own, unless a root key was replaced since. */
import { expect } from 'chai'
import type { ContactBook } from '../../../node/friendship/contact-book.ts'
import type { FriendshipInit } from '../../../node/friendship/contract.ts'
import { Witness } from '../../../node/friendship/witness.ts'
import type { Head } from '../../../node/wire/records.ts'

const SEQ = 1_790_000_000
const HOURS_LATER = (SEQ + 7200) * 1000
const head = (events: number, seq: number): Head => ({ events, seq, hash: new Uint8Array(32).fill(seq % 251) })

/** Kinds of alarms after a friend wrote that their record is `mine`, while `seen` lies in the directory. */
function raisedBy(mine: Head, seen: Head): string[] {
  const raised: string[] = []
  const alarms = { raise: (kind: string) => void raised.push(kind) } as unknown as FriendshipInit['alarms']
  const directory = { seen: () => seen } as unknown as FriendshipInit['directory']
  const self = { signed: () => true } as unknown as FriendshipInit['self']
  const witness = new Witness({ self, directory, alarms, book: {} as ContactBook })
  witness.heard(new Uint8Array(32), { mine, yours: undefined, sentAt: HOURS_LATER })
  return raised
}

describe('what a message says of a record', () => {
  it('is held against a higher one that the friend did not name an hour later', () => {
    expect(raisedBy(head(1, SEQ - 1), head(1, SEQ))).to.deep.equal(['not-theirs'])
    expect(raisedBy(head(1, SEQ), head(1, SEQ))).to.deep.equal([])
  })

  it('says nothing against a root key that was replaced: a thief of the old one may have written it', () => {
    expect(raisedBy(head(0, SEQ + 9), head(1, SEQ))).to.deep.equal([])
  })
})
