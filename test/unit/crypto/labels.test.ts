import { expect } from 'chai'
import { equal, utf8 } from '../../../node/crypto/bytes.ts'
import { allLabels, L } from '../../../node/crypto/labels.ts'

/**
 * Labels of which one begins with the other. Where a label is hashed in front of bytes (not as the info of an HKDF and
 * not followed by the zero byte of a signature), what follows the shorter must not begin with the rest of the longer.
 * Each pair here was looked at: what follows `id` is a CBOR map (first byte 0xa0 or more); `req` a version byte;
 * `rec` and `session` are not hashed in front of anything.
 */
const LOOKED_AT = [
  'kith/1/id < kith/1/identity-record',
  'kith/1/rec < kith/1/record-receipt',
  'kith/1/req < kith/1/req/k1',
  'kith/1/req < kith/1/req/k2',
  'kith/1/session < kith/1/session/keys',
]

describe('labels', () => {
  it('no text is used twice', () => {
    const texts = allLabels().map(([, text]) => text)
    expect(texts.length).to.be.greaterThan(30)
    expect(new Set(texts).size).to.equal(texts.length)
  })

  it('each is the UTF-8 of kith/1/ and a name of lower-case ASCII', () => {
    for (const [label, text] of allLabels()) {
      expect(text).to.match(/^kith\/1\/[a-z0-9]+([/-][a-z0-9]+)*$/)
      expect(equal(L(label), utf8(text)), label).to.equal(true)
    }
  })

  it('no label begins with another, but for the pairs that were looked at', () => {
    const texts = allLabels().map(([, text]) => text)
    const pairs = texts.flatMap((a) => texts.filter((b) => a !== b && b.startsWith(a)).map((b) => `${a} < ${b}`))
    expect(pairs.sort()).to.deep.equal(LOOKED_AT)
  })
})
