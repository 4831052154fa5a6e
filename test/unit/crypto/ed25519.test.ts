import { expect } from 'chai'
import { utf8 } from '../../../node/crypto/bytes.ts'
import {
  ed25519KeyPair,
  isValidEd25519,
  sign,
  verify,
  verifyRaw,
  verifyWithNoble,
} from '../../../node/crypto/ed25519.ts'
import { allLabels } from '../../../node/crypto/labels.ts'

const PAIR = ed25519KeyPair(new Uint8Array(32).fill(1))
const MESSAGE = utf8('what is signed')

describe('ed25519', () => {
  it('T8 a signature under one label verifies under no other', () => {
    const signature = sign(PAIR.seed, 'policy', MESSAGE)
    for (const [label] of allLabels()) {
      expect(verify(PAIR.public, label, MESSAGE, signature), label).to.equal(label === 'policy')
    }
  })

  it('signs alike each time', () => {
    expect(sign(PAIR.seed, 'command', MESSAGE)).to.deep.equal(sign(PAIR.seed, 'command', MESSAGE))
  })

  it('refuses each changed bit of key and signature, by both backends', () => {
    const signature = sign(PAIR.seed, 'policy', MESSAGE)
    for (let i = 0; i < 64; i++) {
      const changed = signature.slice()
      changed[i] = changed[i]! ^ (1 << (i % 8))
      expect(verify(PAIR.public, 'policy', MESSAGE, changed)).to.equal(false)
      expect(verifyWithNoble(PAIR.public, MESSAGE, changed)).to.equal(false)
    }
    for (let i = 0; i < 32; i++) {
      const changed = PAIR.public.slice()
      changed[i] = changed[i]! ^ (1 << (i % 8))
      expect(verify(changed, 'policy', MESSAGE, signature)).to.equal(false)
    }
  })

  it('says false, and throws nothing, for keys and signatures of any length', () => {
    const signature = sign(PAIR.seed, 'policy', MESSAGE)
    for (const length of [0, 1, 31, 33, 64]) {
      for (const check of [verifyRaw, verifyWithNoble]) {
        expect(check(new Uint8Array(length), MESSAGE, signature)).to.equal(false)
      }
      expect(isValidEd25519(new Uint8Array(length))).to.equal(false)
    }
    for (const length of [0, 32, 63, 65, 128]) {
      const other = new Uint8Array(length)
      other.set(signature.subarray(0, length))
      for (const check of [verifyRaw, verifyWithNoble]) expect(check(PAIR.public, MESSAGE, other)).to.equal(false)
    }
  })

  it('keeps its verdicts when more keys came than it remembers', () => {
    const good = PAIR.public
    const bad = new Uint8Array(32)
    expect([isValidEd25519(good), isValidEd25519(bad)]).to.deep.equal([true, false])
    for (let i = 0; i < 1100; i++) {
      const key = new Uint8Array(32).fill(0xff) // off the curve or not canonical: cheap to refuse
      key[0] = i
      key[1] = i >> 8
      isValidEd25519(key)
    }
    expect([isValidEd25519(good), isValidEd25519(bad)]).to.deep.equal([true, false])
  })

  it('takes a seed of another length for a bug', () => {
    for (const length of [0, 31, 33, 64]) expect(() => ed25519KeyPair(new Uint8Array(length))).to.throw(RangeError)
  })
})
