/*
 * ed25519-orders.json: crafted keys and signatures of small and mixed order, with S above the order or R with torsion. They
 * are over messages without a label, and tell the one rule from what verifiers do by themselves.
 */
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { concat, fromHex, u8 } from './bytes.ts'
import { ED25519, isGoodSignature, untyped } from './keys.ts'

interface OrderCase {
  kind: string
  public: string
  message: string
  signature: string
  valid: boolean
}

const url = new URL('../vectors/ed25519-orders.json', import.meta.url)
const cases = JSON.parse(readFileSync(url, 'utf8')) as OrderCase[]
const isKey = (key: Uint8Array): boolean => {
  try {
    return untyped(ED25519, concat(u8(ED25519), key)).length === 32
  } catch {
    return false
  }
}

describe('interop: Ed25519 keys and signatures of every order', () => {
  it('gives the verdict of the file on each', () => {
    expect(cases.filter(({ valid }) => valid)).to.have.length.above(1)
    for (const one of cases) {
      const verdict = isGoodSignature(fromHex(one.public), fromHex(one.message), fromHex(one.signature))
      expect(verdict, one.kind).to.equal(one.valid)
    }
  })

  it('refuses keys of small and mixed order, and re-encoded ones, as keys', () => {
    const bad = cases.filter(({ kind }) => kind.includes('key'))
    for (const wanted of ['small-order key', 'mixed-order key'])
      expect(
        bad.some(({ kind }) => kind.startsWith(wanted)),
        wanted,
      ).to.equal(true)
    for (const one of bad) expect(isKey(fromHex(one.public)), one.kind).to.equal(false)
    for (const one of cases.filter(({ valid }) => valid)) expect(isKey(fromHex(one.public)), one.kind).to.equal(true)
  })
})
