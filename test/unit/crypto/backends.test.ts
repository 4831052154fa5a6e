/** Where node:crypto does what noble could do as well: both make the same bytes, and refuse the same. */
import { createHmac, hkdfSync } from 'node:crypto'
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 as nobleX25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { open, openOnce, seal, sealOnce } from '../../../node/crypto/aead.ts'
import { concat, equal } from '../../../node/crypto/bytes.ts'
import { hkdfSha256, hmacSha256 } from '../../../node/crypto/hash.ts'
import {
  kemDecapsulate,
  kemDecapsulateByNoble,
  kemEncapsulate,
  kemKeyPair,
  kemKeyPairByNoble,
} from '../../../node/crypto/kem.ts'
import { x25519, x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { ForgedError } from '../../../node/errors.ts'

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength })
/** Lengths on both sides of where another backend takes over. */
const LENGTHS = [0, 1, 2031, 2032, 2047, 2048, 2049, 2687, 4138, 7054, 14_975, 64_127]

describe('backends', () => {
  it('HMAC is that of noble and of node:crypto, for keys up to, at and above a block', () => {
    fc.assert(
      fc.property(bytes(0, 200), fc.array(bytes(0, 150), { maxLength: 3 }), (key, parts) => {
        const mac = hmacSha256(key, ...parts)
        expect(equal(mac, hmac(nobleSha256, key, concat(...parts)))).to.equal(true)
        const native = createHmac('sha256', key)
          .update(concat(...parts))
          .digest()
        expect(equal(mac, native)).to.equal(true)
      }),
      { examples: [63, 64, 65].map((length) => [new Uint8Array(length).fill(length), [Uint8Array.of(1)]]) },
    )
  })

  it('HKDF is that of noble and of node:crypto', () => {
    fc.assert(
      fc.property(
        bytes(0, 80),
        bytes(0, 80),
        bytes(0, 40),
        fc.integer({ min: 1, max: 300 }),
        (salt, ikm, info, length) => {
          const derived = hkdfSha256(salt, ikm, info, length)
          expect(derived.length).to.equal(length)
          expect(equal(derived, hkdf(nobleSha256, ikm, salt, info, length))).to.equal(true)
          expect(equal(derived, new Uint8Array(hkdfSync('sha256', ikm, salt, info, length)))).to.equal(true)
        },
      ),
    )
  })

  it('both AEADs are those of noble at every length, in both directions', () => {
    const random = (length: number): Uint8Array => fc.sample(bytes(length), 1)[0]!
    const [key, nonce] = [random(32), random(24)]
    for (const length of LENGTHS) {
      const text = new Uint8Array(length).map((_, i) => i * 7)
      for (const associated of [new Uint8Array(0), random(1393)]) {
        const once = chacha20poly1305(key, new Uint8Array(12), associated).encrypt(text)
        expect(equal(sealOnce(key, text, associated), once), `${length}`).to.equal(true)
        expect(equal(openOnce(key, once, associated), text), `${length}`).to.equal(true)
        const sealed = concat(nonce, xchacha20poly1305(key, nonce, associated).encrypt(text))
        expect(equal(seal(key, nonce, text, associated), sealed), `${length}`).to.equal(true)
        expect(equal(open(key, sealed, associated), text), `${length}`).to.equal(true)
      }
    }
  })

  it('T13 refuse a changed bit, a lost byte, another key and other associated data of long texts', () => {
    const [key, nonce, associated] = [new Uint8Array(32).fill(1), new Uint8Array(24).fill(2), Uint8Array.of(3)]
    const text = new Uint8Array(4000).fill(4)
    for (const [sealed, opening] of [
      [seal(key, nonce, text, associated), open],
      [sealOnce(key, text, associated), openOnce],
    ] as const) {
      const refused = (run: () => unknown) => expect(run).to.throw(ForgedError, /^does not open$/)
      for (const at of [0, 23, 24, 2000, sealed.length - 17, sealed.length - 16, sealed.length - 1]) {
        refused(() => opening(key, sealed.with(at, sealed[at]! ^ 0x40), associated))
      }
      refused(() => opening(key, sealed.subarray(1), associated))
      refused(() => opening(key, sealed.subarray(0, -1), associated))
      refused(() => opening(key.with(5, 0), sealed, associated))
      refused(() => opening(key, sealed, Uint8Array.of(4)))
      expect(equal(opening(key, sealed, associated), text)).to.equal(true)
    }
  })

  it('X25519 is that of noble, the first time and when the keys are known', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (mine, theirs) => {
        const other = x25519KeyPair(theirs)
        expect(equal(other.public, nobleX25519.getPublicKey(theirs))).to.equal(true)
        const shared = nobleX25519.getSharedSecret(mine, other.public)
        for (let n = 0; n < 2; n++) expect(equal(x25519(mine, other.public), shared)).to.equal(true)
      }),
      { numRuns: 15 },
    )
  })

  it('ML-KEM keys and secrets are those of noble, those of wrong ciphertexts too', () => {
    fc.assert(
      fc.property(bytes(64), bytes(32), fc.nat(1087), (seed, coins, at) => {
        const pair = kemKeyPair(seed)
        expect(equal(pair.public, kemKeyPairByNoble(seed).public)).to.equal(true)
        const { ciphertext, secret } = kemEncapsulate(pair.public, coins)
        const wrong = ciphertext.with(at, ciphertext[at]! ^ 1)
        expect(equal(kemDecapsulate(seed, ciphertext), secret)).to.equal(true)
        expect(equal(kemDecapsulate(seed, wrong), kemDecapsulateByNoble(seed, wrong))).to.equal(true)
      }),
      { numRuns: 10 },
    )
  })
})
