/*
 * notation.json: hashes, HKDF, seal and seal1, labelled signatures, X25519, ML-KEM-768, typed keys, padding, zero bits.
 */
import { expect } from 'chai'
import { byteAt, concat, cut, labelOf, leadingZeroBits, must, pad, readUint, toHex, u64, unpad } from './bytes.ts'
import {
  checkSignature,
  DH,
  ED25519,
  ed25519Public,
  kemDecapsulate,
  kemPublic,
  labelled,
  MLKEM768,
  signLabelled,
  typed,
  untyped,
  X25519,
  x25519Public,
} from './keys.ts'
import { encapsulate } from './mlkem.ts'
import { H, HKDF, HMAC, none, open, open1, seal, seal1 } from './primitives.ts'
import { everythingRead, type Node, vectorFile } from './vectors.ts'

const file = vectorFile('notation')

describe('interop: notation', () => {
  it('H, HMAC and HKDF', () => {
    const c = file.named('H, HMAC and HKDF')
    const [input, length, info] = [c.bytes('input'), c.number('length'), c.bytes('info')]
    c.expectAll({
      hash: H(input),
      hmac: HMAC(c.bytes('key'), input),
      hkdf: HKDF(c.bytes('salt'), c.bytes('ikm'), info, length),
      hkdfWithoutSalt: HKDF(none, c.bytes('ikm'), info, length),
    })
  })

  it('seal and seal1', () => {
    const c = file.named('seal')
    const ad = c.bytes('associated')
    c.expect('sealed', seal(c.bytes('key'), c.bytes('nonce'), c.bytes('plaintext'), ad))
    c.expect('plaintext', open(c.bytes('key'), c.bytes('sealed'), ad))
    const one = file.named('seal1')
    one.expect('sealed', seal1(one.bytes('key'), one.bytes('plaintext'), one.bytes('associated')))
    one.expect('plaintext', open1(one.bytes('key'), one.bytes('sealed'), one.bytes('associated')))
  })

  it('a signature under a label', () => {
    const c = file.named('signature under a label')
    const label = labelOf(c.bytes('label'))
    const message = c.bytes('message')
    c.expectAll({
      public: ed25519Public(c.bytes('seed')),
      signedBytes: labelled(label, message),
      signature: signLabelled(c.bytes('seed'), label, message),
    })
    checkSignature(c.bytes('public'), label, message, c.bytes('signature'))
  })

  it('X25519', () => {
    const c = file.named('X25519')
    c.expectAll({
      publicA: x25519Public(c.bytes('secretA')),
      publicB: x25519Public(c.bytes('secretB')),
      shared: DH(c.bytes('secretA'), c.bytes('publicB')),
    })
    c.expect('shared', DH(c.bytes('secretB'), c.bytes('publicA')))
  })

  it('ML-KEM-768', () => {
    const c = file.named('ML-KEM-768')
    const seed = c.bytes('seed')
    c.expect('seed', concat(c.bytes('d'), c.bytes('z')))
    const made = encapsulate(kemPublic(seed), c.bytes('m'))
    c.expectAll({
      public: kemPublic(seed),
      ciphertext: made.ciphertext,
      secret: made.secret,
      decapsulated: kemDecapsulate(seed, c.bytes('ciphertext')),
      decapsulatedOfWrong: kemDecapsulate(seed, c.bytes('wrongCiphertext')),
    })
    expect(toHex(made.ciphertext)).not.to.equal(c.text('wrongCiphertext'))
  })

  it('typed keys', () => {
    const c = file.named('typed keys')
    const [x, ed, kem] = [c.bytes('x25519'), c.bytes('ed25519'), c.bytes('mlKem768')]
    c.expect('x25519', typed(X25519, untyped(X25519, x)))
    c.expect('ed25519', typed(ED25519, untyped(ED25519, ed)))
    c.expect('mlKem768', typed(MLKEM768, untyped(MLKEM768, kem)))
    file.named('X25519').expect('publicA', untyped(X25519, x))
    file.named('signature under a label').expect('public', untyped(ED25519, ed))
    file.named('ML-KEM-768').expect('public', untyped(MLKEM768, kem))
  })

  it('padding', () => {
    for (const name of ['padding', 'padding: as long as there is one byte for it']) {
      const c = file.named(name)
      c.expect('padded', pad(c.bytes('plaintext'), c.number('length')))
      c.expect('plaintext', unpad(c.bytes('padded')))
    }
  })

  it('leading zero bits and the end of u64', () => {
    for (const count of file.named('leading zero bits').list('counts'))
      count.expect('bits', leadingZeroBits(count.bytes('bytes')))
    const c = file.named('u64 at its end')
    c.expect('bytes', u64(c.number('value')))
    c.expect('value', readUint(c.bytes('bytes'), 0, 8))
  })

  it('refuses every case that must be refused', () => {
    for (const c of file.refused) refuse(c)
  })

  everythingRead(file)
})

function refuse(c: Node): void {
  const kind = c.name.split(/[: ]/)[0]
  if (kind === 'seal') c.refuses(() => open(c.bytes('key'), c.bytes('sealed'), c.bytes('associated')))
  else if (kind === 'seal1') c.refuses(() => open1(c.bytes('key'), c.bytes('sealed'), c.bytes('associated')))
  else if (kind === 'signature')
    c.refuses(() =>
      checkSignature(c.bytes('public'), labelOf(c.bytes('label')), c.bytes('message'), c.bytes('signature')),
    )
  else if (kind === 'typed') c.refuses(() => untyped(c.number('wanted'), c.bytes('typed')))
  else if (kind === 'X25519') c.refuses(() => DH(c.bytes('secret'), c.bytes('public')))
  else {
    must(kind === 'padding' && byteAt(cut(c.bytes('padded'), 0, 1), 0) >= 0, 'a kind of case that is known')
    c.refuses(() => unpad(c.bytes('padded')))
  }
}
