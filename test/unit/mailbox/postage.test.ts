import { expect } from 'chai'
import { concat, leadingZeroBits } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { claimPostageSubject } from '../../../node/wire/commands.ts'
import {
  checkClaimPostage,
  checkEnvelopePostage,
  mintClaimPostage,
  mintEnvelopePostage,
  pay,
  postageBits,
} from '../../../node/mailbox/postage.ts'
import { seededRandom } from '../../support/identity-fixtures.ts'

const random = seededRandom(1)
const eid = random.bytes(32)

/** A subject for which `nonce` pays more bits than the others do. */
function subjectOf(nonce: Uint8Array, ...others: Uint8Array[]): { subject: Uint8Array; bits: number } {
  for (;;) {
    const subject = random.bytes(64)
    const [bits, ...less] = [nonce, ...others].map((tried) => leadingZeroBits(sha256(concat(subject, tried))))
    if (less.every((other) => other < bits!)) return { subject, bits: bits! }
  }
}

describe('mailbox/postage', () => {
  it('costs one bit more for each doubling', () => {
    expect([4096, 16384, 65536].map(postageBits)).to.deep.equal([10, 12, 14])
  })

  it('finds nonces that pay, for every size', async () => {
    for (const size of [4096, 16384, 65536]) {
      const nonce = await pay(mintEnvelopePostage(eid, size, random.bytes(8)), async () => {})
      expect(leadingZeroBits(sha256(concat(L('postage'), nonce, eid)))).to.be.at.least(postageBits(size))
      expect(checkEnvelopePostage(eid, nonce, size)).to.equal(true)
    }
  })

  it('T34 finds nonces for one envelope and one size only', () => {
    let fits = 0
    for (let i = 0; i < 20; i++) {
      const nonce = mintEnvelopePostage(eid, 4096, random.bytes(8)).step(100_000)!
      if (checkEnvelopePostage(random.bytes(32), nonce, 4096)) fits++
      if (checkEnvelopePostage(eid, nonce, 65536)) fits++
      expect(checkEnvelopePostage(eid, nonce.subarray(1), 4096)).to.equal(false)
      expect(checkEnvelopePostage(eid, concat(nonce, eid), 4096)).to.equal(false)
    }
    expect(fits).to.be.at.most(4)
  })

  it('stops after the tries of a step and goes on where it stopped', () => {
    const start = random.bytes(8)
    const whole = mintEnvelopePostage(eid, 16384, start).step(1_000_000)!
    const mint = mintEnvelopePostage(eid, 16384, start)
    let steps = 0
    let found: Uint8Array | undefined
    while (!found) {
      found = mint.step(7)
      steps++
    }
    expect(found).to.deep.equal(whole)
    expect(steps).to.be.greaterThan(1)
  })

  it('tries its start first, counts upwards with carry, makes so many tries, and hands out copies', () => {
    const start = Uint8Array.of(1, 2, 3, 4, 5, 6, 0xff, 0xfe)
    const third = Uint8Array.of(1, 2, 3, 4, 5, 7, 0x00, 0x00)
    const { subject, bits } = subjectOf(third, start, start.with(7, 0xff))
    expect(mintClaimPostage(subject, bits, start).step(2)).to.equal(undefined)
    expect(mintClaimPostage(subject, bits, start).step(3)).to.deep.equal(third)
    const free = mintClaimPostage(subject, 0, start)
    const first = free.step(1)!
    expect(first).to.deep.equal(start)
    first[0] = 99
    expect(free.step(1), 'what was handed out moves no search').to.deep.equal(start)
  })

  it('goes on at zero after the last nonce', () => {
    const [last, zero] = [new Uint8Array(8).fill(0xff), new Uint8Array(8)]
    const { subject, bits } = subjectOf(zero, last, zero.with(0, 0xff))
    expect(mintClaimPostage(subject, bits, last).step(2)).to.deep.equal(zero)
  })

  it('pays with exactly the bits that are asked, and with a nonce of 8 bytes alone', () => {
    const nonce = random.bytes(8)
    const bits = leadingZeroBits(sha256(concat(eid, nonce)))
    expect([bits, bits + 1].map((asked) => checkClaimPostage(eid, nonce, asked))).to.deep.equal([true, false])
    // the bytes that are hashed are the same, cut in another place
    const paid = mintEnvelopePostage(eid, 4096, random.bytes(8)).step(100_000)!
    expect(checkEnvelopePostage(eid.subarray(1), concat(paid, eid.subarray(0, 1)), 4096)).to.equal(false)
    expect(checkEnvelopePostage(eid, paid, 4096)).to.equal(true)
  })

  it('yields between the steps', async () => {
    let yields = 0
    await pay(mintClaimPostage(random.bytes(64), 12, new Uint8Array(8)), async () => {
      yields++
    })
    expect(yields).to.be.greaterThan(0)
  })

  it('counts past the end of the nonce', () => {
    const start = new Uint8Array(8).fill(0xff)
    const mint = mintClaimPostage(new Uint8Array(3), 4, start)
    expect(mint.step(10_000)).to.have.length(8)
    expect(start).to.deep.equal(new Uint8Array(8).fill(0xff))
    expect(() => mintClaimPostage(eid, 1, new Uint8Array(7))).to.throw(RangeError)
  })

  it('of a claim is bound to challenge and subject', () => {
    const subject = claimPostageSubject(random.bytes(32), random.bytes(32))
    const nonce = mintClaimPostage(subject, 12, random.bytes(8)).step(1_000_000)!
    expect(leadingZeroBits(sha256(concat(subject, nonce)))).to.be.at.least(12)
    expect(checkClaimPostage(subject, nonce, 12)).to.equal(true)
    let fits = 0
    for (let i = 0; i < 20; i++)
      if (checkClaimPostage(claimPostageSubject(random.bytes(32), subject.subarray(-32)), nonce, 12)) fits++
    expect(fits).to.be.at.most(1)
    expect(checkClaimPostage(subject, new Uint8Array(0), 0)).to.equal(false)
  })
})
