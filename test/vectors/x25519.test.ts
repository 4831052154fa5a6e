/** X25519 against RFC 7748 and Wycheproof; where the rule is stricter than the RFC on purpose, exactly that is asserted. */
import { expect } from 'chai'
import { fromHex, toHex } from '../../node/crypto/bytes.ts'
import { isCanonicalX25519, x25519, x25519KeyPair } from '../../node/crypto/x25519.ts'
import { PeerError } from '../../node/errors.ts'
import { caseName, describeVectors, type VectorCase } from '../support/vectors.ts'

interface XdhCase extends VectorCase {
  public: string
  private: string
  shared: string
}

function refused(run: () => unknown, name: string): void {
  expect(run, name).to.throw(PeerError).with.property('code', 'BAD_KEY')
}

describe('X25519 vectors', () => {
  it('RFC 7748 5.2: the first function vector', () => {
    const shared = x25519(
      fromHex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'),
      fromHex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c'),
    )
    expect(toHex(shared)).to.equal('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552')
  })

  it('RFC 7748 5.2: the second vector has its top bit set, which Kith refuses; without the bit the answer is the same', () => {
    const scalar = fromHex('4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d')
    const point = fromHex('e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493')
    refused(() => x25519(scalar, point), 'top bit set')
    point[31] = point[31]! & 0x7f
    expect(toHex(x25519(scalar, point))).to.equal('95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957')
  })

  it('RFC 7748 5.2: a thousand iterations, masking the bit that the RFC ignores', () => {
    let k = fromHex('0900000000000000000000000000000000000000000000000000000000000000')
    let u = k
    for (let i = 0; i < 1000; i++) {
      const point = u.slice()
      point[31] = point[31]! & 0x7f
      const next = x25519(k, point)
      u = k
      k = next
      if (i === 0) expect(toHex(k)).to.equal('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079')
    }
    expect(toHex(k)).to.equal('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51')
  })

  it('RFC 7748 6.1: both sides come to one secret', () => {
    const alice = x25519KeyPair(fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'))
    const bob = x25519KeyPair(fromHex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'))
    expect(toHex(alice.public)).to.equal('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    expect(toHex(bob.public)).to.equal('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
    expect(toHex(x25519(alice.secret, bob.public))).to.equal(shared)
    expect(toHex(x25519(bob.secret, alice.public))).to.equal(shared)
  })
})

const P = 2n ** 255n - 19n

/** Whether the 32 bytes, read as the RFC's little-endian number with all 256 bits, are below the prime. */
function belowPrime(point: Uint8Array): boolean {
  return BigInt(`0x${toHex(point.toReversed())}`) < P
}

describeVectors<XdhCase>('x25519_test.json', (test) => {
  const name = caseName(test)
  const [secret, point] = [fromHex(test.private), fromHex(test.public)]
  const shared = (): Uint8Array => x25519(secret, point)
  const [canonical, zero] = [belowPrime(point), test.flags!.includes('ZeroSharedSecret')]
  if (test.flags!.includes('NonCanonicalPublic')) expect(canonical, name).to.equal(false)
  expect(isCanonicalX25519(point), name).to.equal(canonical)
  // what is "acceptable" is ours to choose: a twist point is fine, a zero secret or a second encoding is refused,
  // since two encodings of one key would give one session two transcripts
  if (!canonical || zero) {
    expect(test.result, name).to.equal('acceptable')
    refused(shared, name)
  } else {
    expect(toHex(shared()), name).to.equal(test.shared)
  }
})
