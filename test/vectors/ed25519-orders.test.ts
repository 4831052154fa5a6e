/**
 * T48: one verdict on crafted Ed25519 keys and signatures, whichever backend verifies. That the cases are worth having
 * is shown by the raw backends, which disagree on many of them.
 */
import { readFileSync } from 'node:fs'
import { createPublicKey, verify as opensslVerify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { expect } from 'chai'
import { concat, fromHex } from '../../node/crypto/bytes.ts'
import { isValidEd25519, verifyRaw, verifyWithNoble } from '../../node/crypto/ed25519.ts'
import { untypeKey } from '../../node/crypto/key-type.ts'
import { PeerError } from '../../node/errors.ts'
import { ED25519_ORDERS_FILE, makeOrderCases, type OrderCase } from '../support/make-ed25519-orders.ts'

const SPKI_PREFIX = fromHex('302a300506032b6570032100')

type Verifier = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

const rawOpenssl: Verifier = (key, message, signature) =>
  opensslVerify(
    null,
    message,
    createPublicKey({ key: Buffer.from(concat(SPKI_PREFIX, key)), format: 'der', type: 'spki' }),
    signature,
  )
const rawNoble =
  (zip215: boolean): Verifier =>
  (key, message, signature) => {
    try {
      return ed25519.verify(signature, message, key, { zip215 })
    } catch {
      return false
    }
  }

function verdict(verifier: Verifier, entry: OrderCase): boolean {
  return verifier(fromHex(entry.public), fromHex(entry.message), fromHex(entry.signature))
}

describe('T48 Ed25519 keys and signatures of every order', () => {
  const cases = JSON.parse(readFileSync(ED25519_ORDERS_FILE, 'utf8')) as OrderCase[]

  it('T48 the committed cases are what the script makes', () => {
    expect(makeOrderCases()).to.deep.equal(cases)
    expect(cases.length).to.be.greaterThan(150)
  })

  it('T48 both backends give the one verdict on each', () => {
    for (const entry of cases) {
      expect(verdict(verifyRaw, entry), `node: ${entry.kind}`).to.equal(entry.valid)
      expect(verdict(verifyWithNoble, entry), `noble: ${entry.kind}`).to.equal(entry.valid)
    }
  })

  it('T48 small-order, mixed-order and re-encoded keys are refused as keys', () => {
    const bad = cases.filter((entry) => entry.kind.includes('key'))
    expect(bad.length).to.be.greaterThan(80)
    for (const entry of bad) {
      expect(isValidEd25519(fromHex(entry.public)), entry.kind).to.equal(false)
      expect(() => untypeKey('ed25519', concat(Uint8Array.of(2), fromHex(entry.public))), entry.kind)
        .to.throw(PeerError)
        .with.property('code', 'BAD_KEY')
    }
    for (const entry of cases) if (entry.valid) expect(isValidEd25519(fromHex(entry.public))).to.equal(true)
  })

  for (const zip215 of [true, false]) {
    it(`T48 without the rule OpenSSL and noble (zip215 ${zip215}) disagree, and each accepts what the rule refuses`, () => {
      const noble = rawNoble(zip215)
      const disagreed = cases.filter((entry) => verdict(rawOpenssl, entry) !== verdict(noble, entry))
      expect(disagreed.length).to.be.greaterThan(40)
      const kinds = new Set(disagreed.map((entry) => entry.kind.replace(/ \d.*/, '')))
      expect(kinds).to.include('mixed-order key').and.to.include('R with torsion')
      for (const verifier of [rawOpenssl, noble]) {
        expect(cases.filter((entry) => !entry.valid && verdict(verifier, entry))).to.not.have.lengthOf(0)
      }
    })
  }
})
