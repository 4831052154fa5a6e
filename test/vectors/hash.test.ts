/** SHA-2, HMAC and HKDF against FIPS 180-4's examples, RFC 4231, RFC 5869 and Wycheproof. */
import { expect } from 'chai'
import { fromHex, toHex, utf8 } from '../../node/crypto/bytes.ts'
import { hkdfSha256, hmacSha256, NO_SALT, sha256, sha512 } from '../../node/crypto/hash.ts'
import { caseName, describeVectors, type VectorCase } from '../support/vectors.ts'

interface HkdfCase extends VectorCase {
  ikm: string
  salt: string
  info: string
  size: number
  okm: string
}

interface MacCase extends VectorCase {
  key: string
  msg: string
  tag: string
}

/** Consecutive byte values from `first` to `last`. */
function run(first: number, last: number): Uint8Array {
  return Uint8Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

describe('hash vectors', () => {
  it('SHA-256 and SHA-512 of "abc", in one part and in three', () => {
    const abc256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    const abc512 =
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
      '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f'
    expect(toHex(sha256(utf8('abc')))).to.equal(abc256)
    expect(toHex(sha256(utf8('a'), utf8('b'), utf8('c')))).to.equal(abc256)
    expect(toHex(sha512(utf8('abc')))).to.equal(abc512)
    expect(toHex(sha512(utf8('a'), utf8('bc')))).to.equal(abc512)
    expect(toHex(sha256())).to.equal('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })

  it('RFC 4231: cases 1, 2, 3 and 6', () => {
    const cases: [Uint8Array, Uint8Array, string][] = [
      [
        new Uint8Array(20).fill(0x0b),
        utf8('Hi There'),
        'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
      ],
      [
        utf8('Jefe'),
        utf8('what do ya want for nothing?'),
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      ],
      [
        new Uint8Array(20).fill(0xaa),
        new Uint8Array(50).fill(0xdd),
        '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
      ],
      [
        new Uint8Array(131).fill(0xaa),
        utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
        '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
      ],
    ]
    for (const [key, data, mac] of cases) {
      expect(toHex(hmacSha256(key, data))).to.equal(mac)
      expect(toHex(hmacSha256(key, data.subarray(0, 3), data.subarray(3)))).to.equal(mac)
    }
  })

  it('RFC 5869 A.1 to A.3', () => {
    const a1 = hkdfSha256(run(0x00, 0x0c), new Uint8Array(22).fill(0x0b), run(0xf0, 0xf9), 42)
    expect(toHex(a1)).to.equal('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865')
    const a2 = hkdfSha256(run(0x60, 0xaf), run(0x00, 0x4f), run(0xb0, 0xff), 82)
    expect(toHex(a2)).to.equal(
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c' +
        '59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71' +
        'cc30c58179ec3e87c14c01d5c1f3434f1d87',
    )
    const a3 = hkdfSha256(NO_SALT, new Uint8Array(22).fill(0x0b), new Uint8Array(0), 42)
    expect(toHex(a3)).to.equal('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8')
  })
})

describeVectors<HkdfCase>('hkdf_sha256_test.json', (test) => {
  const derive = (): Uint8Array => hkdfSha256(fromHex(test.salt), fromHex(test.ikm), fromHex(test.info), test.size)
  if (test.result === 'valid') expect(toHex(derive()), caseName(test)).to.equal(test.okm)
  else expect(derive, caseName(test)).to.throw()
})

describeVectors<MacCase, { tagSize: number }>('hmac_sha256_test.json', (test, group) => {
  const mac = toHex(hmacSha256(fromHex(test.key), fromHex(test.msg))).slice(0, group.tagSize / 4)
  if (test.result === 'valid') expect(mac, caseName(test)).to.equal(test.tag)
  else expect(mac, caseName(test)).not.to.equal(test.tag)
})
