/** The two AEADs against RFC 8439 2.8.2, draft-irtf-cfrg-xchacha A.3.1 and Wycheproof. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { expect } from 'chai'
import { open, openOnce, seal, sealOnce } from '../../node/crypto/aead.ts'
import { concat, fromHex, toHex, utf8 } from '../../node/crypto/bytes.ts'
import { ForgedError } from '../../node/errors.ts'
import { caseName, describeVectors, type VectorCase } from '../support/vectors.ts'

interface AeadCase extends VectorCase {
  key: string
  iv: string
  aad: string
  msg: string
  ct: string
  tag: string
}

const KEY = '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'
const ASSOCIATED = '50515253c0c1c2c3c4c5c6c7'
const SUNSCREEN = utf8(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
)

/** OpenSSL's ChaCha20-Poly1305 with any nonce of 12 bytes: the second opinion. */
function opensslSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  cipher.setAAD(associated, { plaintextLength: plaintext.length })
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
}

function opensslOpen(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  decipher.setAAD(associated, { plaintextLength: sealed.length - 16 })
  decipher.setAuthTag(sealed.subarray(-16))
  return concat(decipher.update(sealed.subarray(0, -16)), decipher.final())
}

describe('AEAD vectors', () => {
  it('RFC 8439 2.8.2, by the primitive that sealOnce is made of and by OpenSSL', () => {
    const sealed = [
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b',
      '1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc',
      '3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
    ].join('')
    const [key, nonce, associated] = [fromHex(KEY), fromHex('070000004041424344454647'), fromHex(ASSOCIATED)]
    expect(toHex(chacha20poly1305(key, nonce, associated).encrypt(SUNSCREEN))).to.equal(sealed)
    expect(toHex(opensslSeal(key, nonce, SUNSCREEN, associated))).to.equal(sealed)
  })

  it('sealOnce is that function with a nonce of twelve zero bytes', () => {
    const [key, associated] = [fromHex(KEY), fromHex(ASSOCIATED)]
    const sealed = sealOnce(key, SUNSCREEN, associated)
    expect(toHex(sealed)).to.equal(toHex(opensslSeal(key, new Uint8Array(12), SUNSCREEN, associated)))
    expect(toHex(openOnce(key, sealed, associated))).to.equal(toHex(SUNSCREEN))
  })

  it('draft-irtf-cfrg-xchacha A.3.1: seal puts the nonce in front', () => {
    const sealed = [
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39',
      'ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9',
      '21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49',
    ].join('')
    const [key, nonce, associated] = [
      fromHex(KEY),
      fromHex('404142434445464748494a4b4c4d4e4f5051525354555657'),
      fromHex(ASSOCIATED),
    ]
    const ours = seal(key, nonce, SUNSCREEN, associated)
    expect(toHex(ours)).to.equal(toHex(nonce) + sealed)
    expect(toHex(open(key, ours, associated))).to.equal(toHex(SUNSCREEN))
  })
})

describeVectors<AeadCase>('chacha20_poly1305_test.json', (test) => {
  const name = caseName(test)
  const [key, nonce, associated, plaintext] = [test.key, test.iv, test.aad, test.msg].map(fromHex) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const sealed = fromHex(test.ct + test.tag)
  const opens = [
    () => chacha20poly1305(key, nonce, associated).decrypt(sealed),
    () => opensslOpen(key, nonce, sealed, associated),
  ]
  if (test.result === 'valid') {
    expect(toHex(chacha20poly1305(key, nonce, associated).encrypt(plaintext)), name).to.equal(toHex(sealed))
    for (const run of opens) expect(toHex(run()), name).to.equal(test.msg)
  } else if (test.flags?.includes('InvalidNonceSize')) {
    // OpenSSL takes shorter nonces; ours is a constant of twelve bytes, so only noble's refusal matters
    expect(opens[0], name).to.throw()
  } else {
    for (const run of opens) expect(run, name).to.throw()
  }
})

describeVectors<AeadCase>('xchacha20_poly1305_test.json', (test) => {
  const name = caseName(test)
  const [key, nonce, associated, plaintext] = [test.key, test.iv, test.aad, test.msg].map(fromHex) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const sealed = fromHex(test.iv + test.ct + test.tag)
  if (test.result === 'valid') {
    expect(toHex(seal(key, nonce, plaintext, associated)), name).to.equal(toHex(sealed))
    expect(toHex(open(key, sealed, associated)), name).to.equal(test.msg)
  } else {
    if (test.flags?.includes('InvalidNonceSize')) expect(() => seal(key, nonce, plaintext, associated), name).to.throw()
    expect(() => open(key, sealed, associated), name).to.throw(ForgedError)
  }
})
