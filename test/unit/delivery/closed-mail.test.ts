/** What is made of a friend's envelope that no session opens: what it tells, and what it may cost. */
import { expect } from 'chai'
import { u64 } from '../../../node/crypto/bytes.ts'
import { BEHIND, type Channel, newChannel, newLane } from '../../../node/delivery/channel.ts'
import { type ClosedMail, ClosedMailJudge } from '../../../node/delivery/closed-mail.ts'
import { newInboxBatch } from '../../../node/delivery/inbox-batch.ts'
import { tag, tagKey } from '../../../node/mailbox/tags.ts'
import { DAY, NOW } from '../../support/session-fixtures.ts'
import { Talk } from '../../support/ratchet-talk.ts'

const HOUR_MS = 3_600_000
const IN = new Uint8Array(32).fill(2)

/** A friend with one session, whose windows count how often tags above them are sought, and for how many at once. */
function ailing() {
  const { states } = new Talk('closed mail')
  const secrets = { mailboxOut: new Uint8Array(32), mailboxIn: IN, reachOut: IN, reachIn: IN }
  const channel = newChannel(new Uint8Array(32))
  const lane = newLane(states.a, secrets)
  channel.lanes.push(lane)
  const searches: number[] = []
  const { window } = lane
  const isAnyAhead = window.isAnyAhead.bind(window)
  window.isAnyAhead = (tags, ahead) => searches.push(tags.length) > 0 && isAnyAhead(tags, ahead)
  return { channel, lane, searches }
}

function closed({ lanes }: Channel, n: number, of: Uint8Array = new Uint8Array(16).fill(n)): ClosedMail {
  const parts = { prefix: new Uint8Array(20), body: new Uint8Array(4068).fill(n) }
  return { eid: u64(n), expiryDay: Math.floor(NOW / DAY) + 30, tag: of, parts, lanes, inMailbox: true }
}

describe('mail that does not open', () => {
  it('T27 lets tags be sought above the windows once an hour, for a whole batch at once', () => {
    const { channel, searches } = ailing()
    let now = NOW * 1000
    const judge = new ClosedMailJudge({
      clock: { now: () => now },
      protocolTime: () => now / 1000,
      unreadable: () => {},
    })
    for (let i = 0; i < 20; i++, now += HOUR_MS / 8) {
      const batch = newInboxBatch(channel)
      for (let j = 0; j < 3; j++) judge.judge(channel, batch, closed(channel, 3 * i + j))
      judge.seekAhead(channel, batch)
      expect(batch.lanes.size).to.equal(0)
    }
    expect(searches).to.deep.equal([3, 3, 3])
  })

  it('tells that this home is the older one by a tag far above the window, and seeks it no more', () => {
    const { channel, lane, searches } = ailing()
    const judge = new ClosedMailJudge({ clock: { now: () => 0 }, protocolTime: () => NOW, unreadable: () => {} })
    const batch = newInboxBatch(channel)
    judge.judge(channel, batch, closed(channel, 1))
    judge.judge(channel, batch, closed(channel, 2, tag(tagKey(IN), 15_000)))
    judge.seekAhead(channel, batch)
    expect(batch.lanes.get(lane)?.behind).to.equal(BEHIND.friend)
    judge.seekAhead(channel, batch)
    expect(searches).to.deep.equal([2])
  })

  it('asks for a new session by what only the friend can have written and is alive', () => {
    const { channel } = ailing()
    let asked = 0
    const judge = new ClosedMailJudge({ clock: { now: () => 0 }, protocolTime: () => NOW, unreadable: () => asked++ })
    const batch = newInboxBatch(channel)
    expect(judge.judge(channel, batch, { ...closed(channel, 1), inMailbox: false })).to.equal(false)
    expect(judge.judge(channel, batch, { ...closed(channel, 2), expiryDay: 1 })).to.equal(false)
    expect(asked).to.equal(0)
    expect(judge.judge(channel, batch, closed(channel, 3))).to.equal(false)
    expect(judge.judge(channel, batch, closed(channel, 3))).to.equal(false)
    expect(asked).to.equal(1)
    expect(batch.untagged).to.have.lengthOf(2)
  })
})
