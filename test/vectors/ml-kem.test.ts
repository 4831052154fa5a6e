/** ML-KEM-768 against Wycheproof, and against OpenSSL's as a second opinion (the vectors' seeds and ciphertexts). */
import { createPrivateKey, createPublicKey, decapsulate } from 'node:crypto'
import { expect } from 'chai'
import { concat, fromHex, toHex } from '../../node/crypto/bytes.ts'
import { isCanonicalKem, kemDecapsulate, kemEncapsulate, kemKeyPair } from '../../node/crypto/kem.ts'
import { PeerError } from '../../node/errors.ts'
import { caseName, describeVectors, type VectorCase } from '../support/vectors.ts'

interface KeygenCase extends VectorCase {
  seed: string
  ek: string
}

interface EncapsCase extends VectorCase {
  ek: string
  m: string
  c: string
  K: string
}

interface DecapsCase extends VectorCase {
  seed: string
  ek?: string
  c: string
  K: string
}

/** PKCS #8 with the seed alone (RFC 9935). */
const PKCS8_SEED_PREFIX = fromHex('3054020100300b060960864801650304040204428040')

function opensslKey(seed: Uint8Array) {
  return createPrivateKey({ key: Buffer.from(concat(PKCS8_SEED_PREFIX, seed)), format: 'der', type: 'pkcs8' })
}

describe('ML-KEM-768 beside OpenSSL', () => {
  it('one seed gives one public key, and what is encapsulated here opens there', () => {
    for (let i = 0; i < 20; i++) {
      const seed = Uint8Array.from({ length: 64 }, (_, at) => (at * 7 + i) & 255)
      const pair = kemKeyPair(seed)
      const theirs = opensslKey(seed)
      const spki = createPublicKey(theirs).export({ format: 'der', type: 'spki' })
      expect(toHex(spki.subarray(-1184))).to.equal(toHex(pair.public))
      const { ciphertext, secret } = kemEncapsulate(pair.public, new Uint8Array(32).fill(i))
      expect(toHex(decapsulate(theirs, ciphertext))).to.equal(toHex(secret))
      expect(toHex(kemDecapsulate(seed, ciphertext))).to.equal(toHex(secret))
      // implicit rejection is one function too
      ciphertext[i] = ciphertext[i]! ^ 1
      expect(toHex(decapsulate(theirs, ciphertext))).to.equal(toHex(kemDecapsulate(seed, ciphertext)))
      expect(toHex(kemDecapsulate(seed, ciphertext))).not.to.equal(toHex(secret))
    }
  })
})

describeVectors<KeygenCase>('mlkem_768_keygen_seed_test.json', (test) => {
  expect(test.result).to.equal('valid')
  expect(toHex(kemKeyPair(fromHex(test.seed)).public), caseName(test)).to.equal(test.ek)
})

describeVectors<EncapsCase>('mlkem_768_encaps_test.json', (test) => {
  const name = caseName(test)
  const key = fromHex(test.ek)
  const run = () => kemEncapsulate(key, fromHex(test.m))
  expect(isCanonicalKem(key), name).to.equal(test.result === 'valid')
  if (test.result === 'valid') {
    const { ciphertext, secret } = run()
    expect(toHex(ciphertext), name).to.equal(test.c)
    expect(toHex(secret), name).to.equal(test.K)
  } else {
    expect(run, name).to.throw(PeerError).with.property('code', 'BAD_KEY')
  }
})

describeVectors<DecapsCase>('mlkem_768_test.json', (test) => {
  const name = caseName(test)
  const run = (): Uint8Array => kemDecapsulate(fromHex(test.seed), fromHex(test.c))
  if (test.result === 'valid') {
    expect(toHex(run()), name).to.equal(test.K)
    expect(toHex(kemKeyPair(fromHex(test.seed)).public), name).to.equal(test.ek)
  } else {
    expect(run, name).to.throw()
  }
})
