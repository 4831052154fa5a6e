import { expect } from 'chai'
import { toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { hkdfSha256, NO_SALT, sha256, split } from '../../../node/crypto/hash.ts'

describe('hash', () => {
  it('a digest owns its memory', () => {
    const digest = sha256(utf8('a'))
    expect(digest.buffer.byteLength).to.equal(32)
    expect(toHex(digest)).to.equal(toHex(sha256(utf8('a'))))
  })

  it('HKDF gives up to 8160 bytes, and a shorter output is the beginning of a longer', () => {
    const [ikm, info] = [utf8('ikm'), utf8('info')]
    const long = hkdfSha256(NO_SALT, ikm, info, 8160)
    expect(long).to.have.lengthOf(8160)
    expect(toHex(long.subarray(0, 33))).to.equal(toHex(hkdfSha256(NO_SALT, ikm, info, 33)))
    expect(() => hkdfSha256(NO_SALT, ikm, info, 8161)).to.throw()
    expect(toHex(hkdfSha256(new Uint8Array(32), ikm, info, 32))).to.equal(toHex(long.subarray(0, 32)))
  })

  it('split cuts into copies whose widths add up', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4)
    const [a, b] = split(bytes, 1, 3)
    bytes[0] = 9
    expect([[...a!], [...b!]]).to.deep.equal([[1], [2, 3, 4]])
    expect(() => split(bytes, 1, 2)).to.throw(RangeError)
    expect(() => split(bytes, 4, 1)).to.throw(RangeError)
  })
})
