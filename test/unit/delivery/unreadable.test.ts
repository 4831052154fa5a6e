/** What of a friend's does not open: when it asks for a new session, and when it is forgotten. */
import { expect } from 'chai'
import { u64 } from '../../../node/crypto/bytes.ts'
import { Unreadable } from '../../../node/delivery/unreadable.ts'

const HOUR = 3_600_000
const eid = (n: number): Uint8Array => u64(n)

describe('what does not open', () => {
  it('is too much with the third, or when one has waited for an hour', () => {
    const unreadable = new Unreadable()
    expect(unreadable.isTooMuch(0)).to.equal(false)
    expect([1, 2, 2].map((n) => unreadable.add(eid(n), 0))).to.deep.equal([true, true, false])
    expect(unreadable.isTooMuch(HOUR - 1)).to.equal(false)
    expect(unreadable.isTooMuch(HOUR)).to.equal(true)
    unreadable.add(eid(3), 0)
    expect(unreadable.isTooMuch(0)).to.equal(true)
  })

  it('asks for nothing once it opened', () => {
    const unreadable = new Unreadable()
    unreadable.add(eid(1), 0)
    unreadable.opened(eid(1))
    expect(unreadable.isTooMuch(HOUR)).to.equal(false)
  })

  it('is given up by a session above those that were known when it was begun, and by no other', () => {
    const unreadable = new Unreadable()
    unreadable.add(eid(1), 0)
    unreadable.giveUp(4)
    unreadable.add(eid(2), 0)
    expect(unreadable.isGivenUp(eid(1), 4)).to.equal(false)
    expect(unreadable.settle(4)).to.equal(false)
    expect(unreadable.isTooMuch(HOUR)).to.equal(true)
    expect([5, 5].map((rekey) => unreadable.settle(rekey))).to.deep.equal([true, false])
    expect([1, 2].map((n) => unreadable.isGivenUp(eid(n), 5))).to.deep.equal([true, false])
    unreadable.opened(eid(2))
    expect(unreadable.isTooMuch(HOUR)).to.equal(false)
  })

  it('is remembered within bounds', () => {
    const unreadable = new Unreadable()
    const taken = Array.from({ length: 1000 }, (_, n) => unreadable.add(eid(n), 0)).filter(Boolean)
    expect(taken).to.have.lengthOf(256)
  })
})
