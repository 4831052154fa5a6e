/** Why nothing is sent in a session, within one transaction: what was decided first in it counts for what follows. */
import { expect } from 'chai'
import { BEHIND, newChannel, newLane, setBehind } from '../../../node/delivery/channel.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { Talk } from '../../support/ratchet-talk.ts'

const SECRET = new Uint8Array(32).fill(2)

/** A friend with one session that stands at `behind`. */
function standing(behind: number) {
  const secrets = { mailboxOut: SECRET, mailboxIn: SECRET, reachOut: SECRET, reachIn: SECRET }
  const lane = { ...newLane(new Talk('behind').states.a, secrets), behind }
  const channel = newChannel(new Uint8Array(32))
  channel.lanes.push(lane)
  return { channel, lane }
}

describe('a session in which nothing is sent', () => {
  it('is not sent in again by what a step does after it was retired in the same step', () => {
    const { channel, lane } = standing(BEHIND.trust)
    const tx = new Transaction()
    expect(setBehind(tx, channel, [BEHIND.no, BEHIND.trust], BEHIND.device)).to.equal(true)
    expect(setBehind(tx, channel, [BEHIND.trust], BEHIND.no)).to.equal(false)
    expect(lane.behind, 'before it is written').to.equal(BEHIND.trust)
    tx.committed()
    expect(lane.behind).to.equal(BEHIND.device)
    expect(tx.changes).to.have.lengthOf(1)
  })

  it('stands as it did when the step could not be written', () => {
    const { channel, lane } = standing(BEHIND.no)
    const tx = new Transaction()
    setBehind(tx, channel, [BEHIND.no], BEHIND.trust)
    tx.rolledBack()
    expect(lane.behind).to.equal(BEHIND.no)
    expect(setBehind(new Transaction(), channel, [BEHIND.no], BEHIND.trust)).to.equal(true)
  })
})
