/** How many messages are missing in front of one, from what it refers to and how many it counts. */
import { expect } from 'chai'
import { u64 } from '../../../node/crypto/bytes.ts'
import { missingBefore, type Placed } from '../../../node/conversation/gaps.ts'

const message = (lamport: number, id: number, ...parents: number[]): Placed => ({
  lamport,
  messageId: u64(id),
  parents: parents.map(u64),
})
const gaps = async (messages: Placed[], known: number[] = [], before = 0): Promise<number[]> => {
  const ids = known.map((id) => u64(id).join())
  return await missingBefore(messages, async (id) => ids.includes(id.join()), before)
}

describe('what is missing in a history', () => {
  it('is nothing where every message refers to what is here, beside it or further back', async () => {
    expect(await gaps([message(1, 1), message(2, 2, 1), message(3, 3, 2, 1)])).to.deep.equal([0, 0, 0])
    expect(await gaps([message(8, 8, 7)], [7], 7)).to.deep.equal([0])
    expect(await gaps([])).to.deep.equal([])
  })

  it('is as much as the count between shows', async () => {
    expect(await gaps([message(1, 1), message(6, 6, 5), message(7, 7, 6)])).to.deep.equal([0, 4, 0])
    expect(await gaps([message(6, 6, 5)], [], 2)).to.deep.equal([3])
  })

  it('is as much as is referred to where the count shows less', async () => {
    expect(await gaps([message(4, 4), message(4, 5, 2, 3)])).to.deep.equal([0, 2])
  })

  it('is told once, in front of the first that refers to it', async () => {
    expect(await gaps([message(1, 1), message(3, 3, 2), message(3, 4, 2)])).to.deep.equal([0, 1, 0])
  })

  it('is nothing where the count alone leaves something out', async () => {
    expect(await gaps([message(1, 1), message(9, 9, 1)])).to.deep.equal([0, 0])
  })
})
