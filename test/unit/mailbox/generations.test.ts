import { expect } from 'chai'
import {
  adoptUpdate,
  decodeMailboxes,
  encodeMailboxes,
  foundIn,
  goneFrom,
  heldSession,
  isReplacementDue,
  type Mailboxes,
  newestOf,
  NO_MAILBOXES,
  openedSession,
  replaceSecret,
  retireMailboxes,
  writtenSecrets,
} from '../../../node/mailbox/generations.ts'

const DAY = 86_400
const NOW = 20_000 * DAY
const bytes = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill)

/** A session of a rekey number; its secrets are 10 and 11 times the number. */
function session(rekey: number, th1 = 1, held = true) {
  return { rekey, session: bytes(th1, 8), mailboxIn: bytes(10 * rekey), mailboxOut: bytes(11 * rekey), held }
}

function opened(...rekeys: number[]): Mailboxes {
  return rekeys.reduce((before, rekey) => openedSession(before, session(rekey), { now: NOW, heard: 5 }), NO_MAILBOXES)
}

/** As `opened`, and the friend was seen to use the newest since now. */
function used(...rekeys: number[]): Mailboxes {
  const mailboxes = opened(...rekeys)
  return foundIn(mailboxes, newestOf(mailboxes)!, NOW)
}

const read = ({ reading }: Mailboxes): number[] => reading.map(({ secret }) => secret[0]!)
const written = (mailboxes: Mailboxes): number[] => writtenSecrets(mailboxes).map((secret) => secret[0]!)

describe('mailbox/generations', () => {
  it('a session that is told again has one mailbox, with what was told last', () => {
    const before = opened(1, 2)
    const again = openedSession(before, { ...session(1), mailboxIn: bytes(99) }, { now: NOW + 1, heard: 6 })
    expect(read(again)).to.deep.equal([99, 20])
    expect(again.reading[0]).to.include({ madeAt: NOW + 1, heard: 6, replacement: 0 })
    expect(read(openedSession(before, session(1, 2), { now: NOW, heard: 5 })), 'of another session').to.have.length(3)
  })

  it('reads eight at most, the highest', () => {
    expect(read(opened(9, 1, 2, 3, 4, 5, 6, 7, 8))).to.deep.equal([20, 30, 40, 50, 60, 70, 80, 90])
    expect(decodeMailboxes(encodeMailboxes(opened(9, 1, 2, 3, 4, 5, 6, 7, 8)))).to.deep.include({ former: [] })
  })

  it('knows where something of ours may lie: what is written now, and the three before it, newest first', () => {
    expect(written(NO_MAILBOXES)).to.deep.equal([])
    expect(written({ ...NO_MAILBOXES, former: [bytes(7)] })).to.deep.equal([7])
    expect(written(opened(1, 2, 3))).to.deep.equal([33, 22, 11])
    expect(written(opened(1, 2, 3, 4, 5))).to.deep.equal([55, 44, 33, 22])
  })

  it('what is written already, or below it, changes nothing', () => {
    const before = opened(1, 2)
    for (const rekey of [1, 2]) expect(heldSession(before, session(rekey))).to.equal(before)
    expect(written(heldSession(before, session(3)))).to.deep.equal([33, 22, 11])
  })

  it('first of all writes where it is known to be read', () => {
    const before = openedSession(opened(1), session(2, 1, false), { now: NOW, heard: 5 })
    expect(written(before)).to.deep.equal([11])
    expect(written(heldSession(before, session(2)))).to.deep.equal([22, 11])
    const unheld = openedSession(NO_MAILBOXES, session(2, 1, false), { now: NOW, heard: 5 })
    expect(written(heldSession(unheld, session(1)))).to.deep.equal([11, 22])
  })

  it('adopts what the friend replaced, of sessions that there are', () => {
    const before = opened(1, 2)
    const update = { rekey: 2, replacement: 1, secret: bytes(77) }
    const after = adoptUpdate(before, update, 2)
    expect(written(after)).to.deep.equal([77, 22, 11])
    expect(after.writing).to.deep.include({ rekey: 2, replacement: 1, session: new Uint8Array(0), held: 1 })
    expect(adoptUpdate(before, update, 1), 'of a session to come').to.equal(before)
    expect(adoptUpdate(before, { ...update, rekey: 3, replacement: 0 }, 3), 'that replaces nothing').to.equal(before)
    expect(adoptUpdate(after, update, 2), 'told again').to.equal(after)
  })

  it('replaces a secret after 28 days or 1000 messages, once its use was seen', () => {
    const at = (days: number, heard = 5) => ({ now: NOW + days * DAY, heard })
    expect(isReplacementDue(NO_MAILBOXES, at(100))).to.equal(false)
    expect(isReplacementDue(opened(1), at(100, 5000)), 'not used yet').to.equal(false)
    const mailboxes = used(1)
    expect(isReplacementDue(mailboxes, at(0))).to.equal(false)
    expect(isReplacementDue(mailboxes, { now: NOW + 28 * DAY - 1, heard: 1004 })).to.equal(false)
    expect(isReplacementDue(mailboxes, at(28))).to.equal(true)
    expect(isReplacementDue(mailboxes, at(0, 1005))).to.equal(true)
    expect(isReplacementDue(used(1, 2, 3, 4, 5, 6, 7), at(28))).to.equal(true)
    expect(isReplacementDue(used(1, 2, 3, 4, 5, 6, 7, 8), at(28)), 'eight are read').to.equal(false)
  })

  it('a replacement stands above its session, and below the next rekey', () => {
    const { after, box } = replaceSecret(used(1), bytes(77), { now: NOW + 1, heard: 9 })
    expect(box).to.deep.include({ rekey: 1, replacement: 1, madeAt: NOW + 1, heard: 9 })
    expect(box).not.to.have.any.keys('usedAt', 'until')
    expect([read(after), newestOf(after)]).to.deep.equal([[10, 77], box])
    const rekeyed = openedSession(after, session(2), { now: NOW, heard: 9 })
    expect(read(openedSession(rekeyed, session(1, 2), { now: NOW, heard: 9 }))).to.deep.equal([10, 10, 77, 20])
    expect(goneFrom(rekeyed, after).map(({ secret }) => secret[0])).to.deep.equal([20])
    expect(goneFrom(after, rekeyed)).to.deep.equal([])
  })

  it('what is found tells once since when it is used, and how long the lower ones are read', () => {
    const before = opened(1, 2, 3)
    const found = foundIn(before, before.reading[1]!, NOW + 1)
    const told = found.reading.map(({ usedAt, until }) => ({ usedAt, until }))
    expect(told).to.deep.equal([
      { usedAt: undefined, until: NOW + 1 + 31 * DAY },
      { usedAt: NOW + 1, until: undefined },
      { usedAt: undefined, until: undefined },
    ])
    // mail goes on to come: neither moment moves, and there is nothing to write
    expect(foundIn(found, found.reading[1]!, NOW + 50)).to.equal(found)
    expect(foundIn(found, found.reading[0]!, NOW + 50).reading[0]).to.deep.include({ until: NOW + 1 + 31 * DAY })
    expect(foundIn(found, { rekey: 9, replacement: 0, session: bytes(1, 8) }, NOW + 2).reading.at(-1)).to.include({
      until: NOW + 2 + 31 * DAY,
    })
  })

  it('what has run dry goes at its second, and nothing before', () => {
    const mailboxes = used(1, 2)
    const end = NOW + 31 * DAY
    expect(retireMailboxes(mailboxes, end - 1)).to.equal(mailboxes)
    expect(read(retireMailboxes(mailboxes, end))).to.deep.equal([20])
    const rest = retireMailboxes(mailboxes, end)
    expect(retireMailboxes(rest, end + 1000 * DAY)).to.equal(rest)
  })
})
