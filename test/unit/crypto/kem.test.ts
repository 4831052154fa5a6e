import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import {
  isCanonicalKem,
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_BYTES,
  kemDecapsulate,
  kemEncapsulate,
  kemKeyPair,
} from '../../../node/crypto/kem.ts'
import { PeerError } from '../../../node/errors.ts'

const SEED = Uint8Array.from({ length: 64 }, (_, i) => i)
const COINS = new Uint8Array(32).fill(0x42)

describe('kem', () => {
  it('is a function of seed and coins, and changes neither', () => {
    const [seed, coins] = [SEED.slice(), COINS.slice()]
    const [first, second] = [kemKeyPair(seed), kemKeyPair(seed)]
    expect(toHex(first.public)).to.equal(toHex(second.public))
    const [one, two] = [kemEncapsulate(first.public, coins), kemEncapsulate(second.public, coins)]
    expect(toHex(one.ciphertext)).to.equal(toHex(two.ciphertext))
    expect(toHex(one.secret)).to.equal(toHex(two.secret))
    expect([toHex(seed), toHex(coins)]).to.deep.equal([toHex(SEED), toHex(COINS)])
    const other = kemEncapsulate(first.public, new Uint8Array(32).fill(0x43))
    expect(toHex(other.ciphertext)).not.to.equal(toHex(one.ciphertext))
    expect(toHex(kemDecapsulate(seed, one.ciphertext))).to.equal(toHex(one.secret))
  })

  it('has the lengths that the wire reserves', () => {
    const pair = kemKeyPair(SEED)
    const { ciphertext, secret } = kemEncapsulate(pair.public, COINS)
    expect([pair.public.length, ciphertext.length, secret.length]).to.deep.equal([
      KEM_PUBLIC_BYTES,
      KEM_CIPHERTEXT_BYTES,
      32,
    ])
  })

  it('refuses keys and ciphertexts of another length, and coefficients that are not reduced', () => {
    const { public: key } = kemKeyPair(SEED)
    for (const length of [0, KEM_PUBLIC_BYTES - 1, KEM_PUBLIC_BYTES + 1]) {
      expect(() => kemEncapsulate(new Uint8Array(length), COINS))
        .to.throw(PeerError)
        .with.property('code', 'BAD_KEY')
    }
    for (const length of [0, KEM_CIPHERTEXT_BYTES - 1, KEM_CIPHERTEXT_BYTES + 1]) {
      expect(() => kemDecapsulate(SEED, new Uint8Array(length)))
        .to.throw(PeerError)
        .with.property('code', 'BAD_KEY')
    }
    expect(isCanonicalKem(key)).to.equal(true)
    for (const at of [0, 1, 600, 1150]) {
      const unreduced = key.slice()
      unreduced.fill(0xff, at, at + 2)
      expect(isCanonicalKem(unreduced), String(at)).to.equal(false)
      expect(() => kemEncapsulate(unreduced, COINS))
        .to.throw(PeerError)
        .with.property('code', 'BAD_KEY')
    }
    const otherSeed = key.slice()
    otherSeed.fill(0xff, 1152) // rho may be any 32 bytes
    expect(isCanonicalKem(otherSeed)).to.equal(true)
  })

  it('3328 is the largest coefficient, in both halves of three bytes', () => {
    const key = new Uint8Array(KEM_PUBLIC_BYTES)
    // two coefficients: low 8 bits, 4 bits and 4 bits, high 8 bits
    key.set([0x00, 0x0d, 0xd0])
    expect(isCanonicalKem(key)).to.equal(true)
    key.set([0x01, 0x0d, 0x00])
    expect(isCanonicalKem(key)).to.equal(false)
    key.set([0x00, 0x10, 0xd0])
    expect(isCanonicalKem(key)).to.equal(false)
  })

  it('T17 a flipped bit in ciphertext or key gives another secret', () => {
    const pair = kemKeyPair(SEED)
    const { ciphertext, secret } = kemEncapsulate(pair.public, COINS)
    for (let i = 0; i < KEM_CIPHERTEXT_BYTES; i += 17) {
      const changed = ciphertext.slice()
      changed[i] = changed[i]! ^ 1
      expect(toHex(kemDecapsulate(SEED, changed)), `byte ${i}`).not.to.equal(toHex(secret))
    }
    const otherKey = pair.public.slice()
    otherKey[KEM_PUBLIC_BYTES - 1] = otherKey[KEM_PUBLIC_BYTES - 1]! ^ 1
    expect(toHex(kemEncapsulate(otherKey, COINS).secret)).not.to.equal(toHex(secret))
  })

  it('takes coins and seeds of another length for a bug', () => {
    const { public: key } = kemKeyPair(SEED)
    for (const length of [0, 31, 33]) expect(() => kemEncapsulate(key, new Uint8Array(length))).to.throw(RangeError)
    for (const length of [0, 32, 65]) expect(() => kemKeyPair(new Uint8Array(length))).to.throw()
  })
})
