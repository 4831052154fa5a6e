/*
 * A long run of this reader's own ratchet: both halves over several epochs with loss, reordering and repeats. Shows that
 * the rules of section 8, read from the document alone, contradict nothing and leave nobody behind.
 */
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { concat, cut, Refused, u32, utf8 } from './bytes.ts'
import { x25519Public } from './keys.ts'
import type { Side } from './pq.ts'
import { begin, prefixOf, sealMessage, type Session } from './ratchet.ts'
import { openMessage } from './ratchet-open.ts'

const MESSAGES = 700
const KEPT_EPOCHS = 8

/** Bytes and numbers that are the same in every run. */
function generator(seed: string) {
  let n = 0
  const bytes = (length: number): Uint8Array =>
    new Uint8Array(
      createHash('shake256', { outputLength: length })
        .update(concat(utf8(seed), u32(n++)))
        .digest(),
    )
  const below = (bound: number): number => new DataView(bytes(4).buffer).getUint32(0) % bound
  return { bytes, below }
}

interface Sent {
  to: Side
  prefix: Uint8Array
  body: Uint8Array
  text: string
  epoch: number
}

function start(bytes: (length: number) => Uint8Array): Record<Side, Session> {
  const keys = { th3: bytes(32), ecRoot: bytes(32), pqRoot: bytes(32), headerKeyA: bytes(32), headerKeyB: bytes(32) }
  const [ota, ratchet] = [bytes(32), bytes(32)]
  return {
    A: begin('A', keys, ota, x25519Public(ratchet)),
    B: begin('B', keys, ratchet, x25519Public(ota)),
  }
}

describe('interop: a long run of the ratchet', () => {
  it('opens all that arrives, over several epochs', function () {
    this.timeout(120_000)
    const { bytes, below } = generator('a long run')
    const both = start(bytes)
    const counters = { A: 0, B: 0 }
    const waiting: Sent[] = []
    const opened: Sent[] = []
    let now = 1_800_000_000

    const deliver = (sent: Sent): void => {
      const result = openMessage(both[sent.to], sent.prefix, sent.body, now)
      expect(Buffer.from(result.payload).toString()).to.equal(sent.text)
      expect([result.alarm, result.behind]).to.deep.equal([false, false])
      both[sent.to] = result.session
      opened.push(sent)
    }

    for (let i = 0; i < MESSAGES; i++) {
      const from: Side = below(2) === 0 ? 'A' : 'B'
      now += below(60)
      const prefix = prefixOf(bytes(16), 20_864)
      const text = `message ${i} of ${from}`
      const nonces = { headerNonce: bytes(24), payloadNonce: bytes(24) }
      const drawn = { secret: bytes(32), pieceSeed: bytes(64), pieceCoins: bytes(32) }
      const where = { now, floor: 0, tagCounter: counters[from]++, prefix, size: 4096 }
      const { encryptedHeader, sealedPayload, header } = sealMessage(both[from], utf8(text), {
        ...nonces,
        ...drawn,
        ...where,
      })
      const body = concat(encryptedHeader, sealedPayload)
      const sent: Sent = { to: from === 'A' ? 'B' : 'A', prefix, body, text, epoch: header.pqEpoch }
      if (below(10) < 2) continue
      if (below(10) < 3) waiting.push(sent)
      else deliver(sent)
      if (waiting.length > 0 && below(3) === 0) deliver(waiting.splice(below(waiting.length), 1)[0] as Sent)
    }
    for (const sent of waiting)
      if (sent.epoch > both[sent.to].pq.held - KEPT_EPOCHS) deliver(sent)
      else expect(() => deliver(sent)).to.throw(Refused)

    expect(both.A.pq.held).to.be.at.least(3)
    expect(Math.abs(both.A.pq.held - both.B.pq.held)).to.be.at.most(1)
    for (const sent of opened.slice(-40))
      expect(() => openMessage(both[sent.to], sent.prefix, sent.body, now)).to.throw(Refused)
    expect(cut(both.A.pq.rootKey, 0, 32)).to.have.lengthOf(32)
  })
})
