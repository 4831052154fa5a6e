/** What is unread: the mark, what comes late in front of it, and that no more than a bound of that is kept. */
import { expect } from 'chai'
import { type Reading, withArrived, withRead } from '../../../node/conversation/reading.ts'
import { compare, u64 } from '../../../node/crypto/bytes.ts'
import { MAX_LATE_UNREAD } from '../../../node/limits.ts'

const NOTHING: Reading = { read: new Uint8Array(0), late: [], unread: 0 }

function arrive(reading: Reading, ...places: number[]): Reading {
  return places.reduce((so, place) => withArrived(so, u64(place)), reading)
}

/** Reads up to a place, of a conversation in which the friend wrote at `places`. */
async function read(reading: Reading, to: number, places: number[]): Promise<Reading> {
  return await withRead(reading, u64(to), async (after, upTo) => {
    return places.map(u64).filter((place) => compare(place, after) > 0 && compare(place, upTo) <= 0).length
  })
}

describe('what is unread', () => {
  it('is what came behind the mark', async () => {
    const five = arrive(NOTHING, 1, 2, 3, 5, 8)
    const three = await read(five, 3, [1, 2, 3, 5, 8])
    expect(three.unread).to.equal(2)
    expect((await read(three, 8, [1, 2, 3, 5, 8])).unread).to.equal(0)
  })

  it('never grows by reading what was read', async () => {
    const reading = await read(arrive(NOTHING, 1, 2, 3), 2, [1, 2, 3])
    expect(await read(reading, 1, [1, 2, 3])).to.deep.equal(reading)
  })

  it('holds what came late, in front of what was read', async () => {
    const all = [2, 4, 6, 8]
    const seen = await read(arrive(NOTHING, 4, 8), 8, [4, 8])
    const late = arrive(seen, 6, 2)
    expect([late.unread, late.late]).to.deep.equal([2, [u64(2), u64(6)]])
    const first = await read(late, 2, all)
    expect([first.unread, first.late]).to.deep.equal([1, [u64(6)]])
    expect((await read(first, 8, all)).unread).to.equal(0)
  })

  it('counts the first of too many late ones as read', async () => {
    const seen = await read(arrive(NOTHING, 1000), 1000, [1000])
    const late = arrive(seen, ...Array.from({ length: MAX_LATE_UNREAD + 3 }, (_, i) => i))
    expect([late.unread, late.late.length]).to.deep.equal([MAX_LATE_UNREAD, MAX_LATE_UNREAD])
    expect(late.late[0]).to.deep.equal(u64(3))
  })
})
