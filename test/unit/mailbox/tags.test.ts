import { expect } from 'chai'
import { createHmac, hkdfSync } from 'node:crypto'
import { tag, tagKey, TagWindow } from '../../../node/mailbox/tags.ts'
import { ENVELOPE_KIND, encodeEnvelope, envelopeId } from '../../../node/wire/envelope.ts'
import { checkEnvelopePostage, mintEnvelopePostage } from '../../../node/mailbox/postage.ts'
import { seededRandom } from '../../support/identity-fixtures.ts'

const key = tagKey(seededRandom(1).bytes(32))

describe('mailbox/tags', () => {
  it('gives each counter another tag of 16 bytes, and each secret another key', () => {
    const names = Array.from({ length: 500 }, (_, i) => Buffer.from(tag(key, i)).toString('hex'))
    expect(new Set(names).size).to.equal(500)
    expect(names[0]).to.have.length(32)
    expect(tag(tagKey(seededRandom(2).bytes(32)), 0)).not.to.deep.equal(tag(key, 0))
  })

  it('is the beginning of the HMAC of the counter under a key of the secret', () => {
    const secret = seededRandom(4).bytes(32)
    const of = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), 'kith/1/tag-key', 32))
    expect(tagKey(secret)).to.deep.equal(of)
    const mac = createHmac('sha256', of).update(Buffer.from('0000000100000002', 'hex')).digest()
    expect(tag(of, 2 ** 32 + 2)).to.deep.equal(new Uint8Array(mac.subarray(0, 16)))
  })

  it('knows the first 128 counters before anything came', () => {
    const window = new TagWindow(key)
    expect([window.highest, window.size]).to.deep.equal([-1, 128])
    expect(window.lookup(tag(key, 0))).to.equal(0)
    expect(window.lookup(tag(key, 127))).to.equal(127)
    expect(window.lookup(tag(key, 128))).to.equal(undefined)
    expect(window.lookup(new Uint8Array(16))).to.equal(undefined)
    expect(window.lookup(new Uint8Array(0))).to.equal(undefined)
  })

  it('finds a tag above the window, as far as it is asked to look', () => {
    const window = new TagWindow(key, 10)
    expect(window.isAnyAhead([tag(key, 7), tag(key, 139)], 2)).to.equal(true)
    expect(window.isAnyAhead([tag(key, 140)], 2)).to.equal(true)
    expect(window.isAnyAhead([tag(key, 141)], 2)).to.equal(false)
    expect(window.isAnyAhead([tag(key, 138)], 2), 'which is in the window').to.equal(false)
    expect(window.isAnyAhead([new Uint8Array(0)], 2)).to.equal(false)
    expect([window.highest, window.size]).to.deep.equal([10, 139])
  })

  it('moves upwards only, and keeps 128 behind', () => {
    const window = new TagWindow(key)
    window.seen(300)
    expect([window.highest, window.size]).to.deep.equal([300, 256])
    for (const [counter, known] of [
      [172, false],
      [173, true],
      [300, true],
      [428, true],
      [429, false],
    ] as const) {
      expect(window.lookup(tag(key, counter)), `${counter}`).to.equal(known ? counter : undefined)
    }
    window.seen(200)
    window.seen(300)
    expect([window.highest, window.size]).to.deep.equal([300, 256])
    expect(window.lookup(tag(key, 173))).to.equal(173)
  })

  it('follows the 1000 counters that a writer skips after a crash, and any jump, with at most 256 tags', () => {
    const window = new TagWindow(key, 40)
    window.seen(41 + 1000)
    expect(window.lookup(tag(key, 1042))).to.equal(1042)
    window.seen(2 ** 50)
    expect(window.size).to.equal(256)
    expect(window.lookup(tag(key, 2 ** 50 + 128))).to.equal(2 ** 50 + 128)
    window.seen(Number.MAX_SAFE_INTEGER)
    expect(window.size).to.be.at.most(256)
    expect(() => window.seen(2 ** 53)).to.throw(RangeError)
  })

  it('starts again from the highest counter alone', () => {
    const old = new TagWindow(key)
    old.seen(777)
    const window = new TagWindow(key, old.highest)
    for (let i = 600; i < 1000; i++) expect(window.lookup(tag(key, i))).to.equal(old.lookup(tag(key, i)))
  })

  describe('T47 copies of an envelope under a tag that is known', () => {
    const random = seededRandom(3)
    const body = random.bytes(4068)
    const fields = { kind: ENVELOPE_KIND.pairwise, tag: tag(key, 5), expiryDay: 20_000, body }
    const eid = envelopeId(encodeEnvelope({ ...fields, nonce: new Uint8Array(8) }))
    const pay = (start: number): Uint8Array =>
      mintEnvelopePostage(eid, 4096, seededRandom(start).bytes(8)).step(200_000)!
    const nonce = pay(1)
    const original = encodeEnvelope({ ...fields, nonce })

    it('T47 with another nonce it is the same envelope', () => {
      const other = pay(2)
      expect(other).not.to.deep.equal(nonce)
      expect(envelopeId(encodeEnvelope({ ...fields, nonce: other }))).to.deep.equal(envelopeId(original))
    })

    it('T47 with a changed body it is another one, which the nonce does not pay for', () => {
      expect(checkEnvelopePostage(eid, nonce, 4096)).to.equal(true)
      let paid = 0
      for (let i = 0; i < 64; i++) {
        const changed = body.slice()
        changed[i]! ^= 1
        const bytes = encodeEnvelope({ ...fields, nonce, body: changed })
        expect(envelopeId(bytes)).not.to.deep.equal(envelopeId(original))
        if (checkEnvelopePostage(envelopeId(bytes), nonce, 4096)) paid++
      }
      expect(paid).to.be.at.most(1)
    })

    it('T47 looking up its tag any number of times moves nothing: only what opened is seen', () => {
      const window = new TagWindow(key)
      for (let i = 0; i < 1000; i++) expect(window.lookup(fields.tag)).to.equal(5)
      expect([window.highest, window.size]).to.deep.equal([-1, 128])
      window.seen(5)
      expect(window.lookup(fields.tag)).to.equal(5)
    })
  })
})
