/**
 * The terms are the protocol's: put bytes in place of their names, compute them with the real primitives, and the legs are the
 * very bytes that `node/session/` sends, and the keys open the messages that it seals.
 */
import { expect } from 'chai'
import { open, sealOnce } from '../../node/crypto/aead.ts'
import { concat, u8 } from '../../node/crypto/bytes.ts'
import { hkdfSha256, hmacSha256, sha256 } from '../../node/crypto/hash.ts'
import { kemDecapsulate, kemEncapsulate, kemKeyPair } from '../../node/crypto/kem.ts'
import { L, type Label } from '../../node/crypto/labels.ts'
import { x25519, x25519KeyPair } from '../../node/crypto/x25519.ts'
import { openEnvelope, type SealedEnvelope } from '../../node/session/triple-ratchet.ts'
import { acceptRequest, openLeg2 } from '../../node/session/leg2.ts'
import { HEADER_BYTES } from '../../node/wire/header.ts'
import {
  C1_PLAINTEXT_BYTES,
  C2_PLAINTEXT_BYTES,
  C3_PLAINTEXT_BYTES,
  leg1Clear,
  leg1Identity,
  leg1Request,
  leg2Accept,
} from '../../node/wire/legs.ts'
import { pad } from '../../node/wire/payload.ts'
import { encode } from '../../node/wire/schema.ts'
import {
  acceptFields,
  createPerson,
  NOW,
  type Random,
  receive,
  request,
  sealText,
  seededRandom,
} from '../support/session-fixtures.ts'
import {
  drawnByA,
  drawnByB,
  firstKeys,
  identityRecord,
  leg1,
  leg2,
  messageKey,
  prekeyRecord,
  requestOf,
} from './handshake.ts'
import { kemCiphertext, name, NO_SALT, part, type Term, verifyKey } from './terms.ts'

describe('the symbolic handshake', () => {
  it('is the one of the code, byte for byte', () => {
    const drawn: Uint8Array[] = []
    const source = seededRandom('symbolic and real')
    const random: Random = (length) => {
      const bytes = source(length)
      drawn.push(bytes.slice())
      return bytes
    }
    const [alice, bob] = [createPerson('a'), createPerson('b')]

    // the real handshake, and one message of A between two of B
    const { leg, outgoing } = request(alice, bob, random)
    const { incoming } = receive(bob, leg)
    const fields = acceptFields(bob)
    const accepted = acceptRequest({ random, incoming, identitySecret: bob.identity.secret, accept: fields })
    const opened = openLeg2({ outgoing, leg: accepted.leg, identitySecret: alice.identity.secret })
    const ofHandshake = drawn.splice(0)
    const firstOfB = sealText(accepted.session, random, 'one')
    drawn.length = 0
    const firstOfA = sealText(openEnvelope(opened.session, { ...firstOfB, now: NOW }).session, random, 'two')
    const [ratchetA] = drawn.splice(0)
    const secondOfB = sealText(openEnvelope(firstOfB.session, { ...firstOfA, now: NOW }).session, random, 'three')
    const [ratchetB2] = drawn

    // the same in terms
    const a = identityRecord(name('root a'), name('DIKa'), verifyKey(name('sign a')))
    const b = identityRecord(name('root b'), name('DIKb'), verifyKey(name('sign b')))
    const prekeys = prekeyRecord(name('sign b'), name('root b'), name('SPKb'), name('KEMb'))
    const x = requestOf('real', a, b, prekeys)
    const [byA, byB] = [drawnByA('real'), drawnByB('real')]
    const y = { ...byB, ciphertext: kemCiphertext(byB.coins, byA.oneTimeKem) }
    const one = leg1(x, {})
    const two = leg2(one, x, y, {})
    const keys = firstKeys(two.session, {
      ...x,
      ratchetB: byB.ratchet,
      ratchetA: byA.ratchet,
      ratchetB2: byB.ratchet2,
    })

    const [ephemeralA, coinsA, oneTime, oneTimeKem, ephemeralB, coinsB, ratchetB] = ofHandshake
    const values = new Map<Term, Uint8Array>([
      [a.record, alice.record],
      [b.record, bob.record],
      [prekeys.record, bob.prekeyRecord],
      [name('DIKa'), alice.identity.secret],
      [name('DIKb'), bob.identity.secret],
      [name('SPKb'), bob.prekey.secret],
      [name('KEMb'), bob.kem.seed],
      [byA.ephemeral, ephemeralA!],
      [byA.coins, coinsA!],
      [byA.oneTime, oneTime!],
      [byA.oneTimeKem, oneTimeKem!],
      [byB.ephemeral, ephemeralB!],
      [byB.coins, coinsB!],
      [byB.ratchet, ratchetB!],
      [byA.ratchet, ratchetA!],
      [byB.ratchet2, ratchetB2!],
      // what is in the maps is the business of wire: here each is one padded content
      [one.sent[0]!, leg1Clear(bob.device.slice(1), bob.prekeyFields.seq, bob.identityFields.seq)],
      [one.sealed[0], pad(encode(leg1Identity, alice), C1_PLAINTEXT_BYTES)],
      [one.sealed[1], pad(encode(leg1Request, incoming.request), C2_PLAINTEXT_BYTES)],
      [
        two.sealed,
        pad(
          encode(leg2Accept, {
            ...fields,
            ratchetKey: opened.accept.ratchetKey,
            device: bob.device,
            version: incoming.protocol,
          }),
          C3_PLAINTEXT_BYTES,
        ),
      ],
    ])
    expect(concat(...one.sent.map((term) => evaluate(term, values)))).to.deep.equal(leg)
    const versionAndKind = accepted.leg.slice(0, 2)
    expect(concat(versionAndKind, ...two.sent.map((term) => evaluate(term, values)))).to.deep.equal(accepted.leg)

    const { steps, pqChains } = keys
    const [chainA, chainB] = [part(pqChains, 0), part(pqChains, 32)]
    const { headerKeyA, headerKeyB } = two.session
    opens(firstOfB, headerKeyB, messageKey(steps[0], chainB, 0))
    opens(firstOfA, headerKeyA, messageKey(steps[1], chainA, 0))
    opens(secondOfB, part(steps[0], 64), messageKey(steps[2], chainB, 1))

    function opens({ prefix, body }: SealedEnvelope, headerKey: Term, key: Term): void {
      const associated = concat(evaluate(two.th3, values), prefix)
      const header = body.subarray(0, HEADER_BYTES + 40)
      expect(open(evaluate(headerKey, values), header, associated)).to.have.length(HEADER_BYTES)
      const payload = open(evaluate(key, values), body.subarray(header.length), concat(associated, header))
      expect(payload).to.have.length(4096 - 1409)
    }
  })
})

/** The bytes of a term, when those of its names are given. */
function evaluate(term: Term, values: Map<Term, Uint8Array>): Uint8Array {
  const before = values.get(term)
  if (before) return before
  const bytes = compute(term, (each) => evaluate(each, values))
  values.set(term, bytes)
  return bytes
}

function compute({ kind, parts, text }: Term, of: (term: Term) => Uint8Array): Uint8Array {
  const [first, second, third] = parts as [Term, Term, Term]
  switch (kind) {
    case 'label':
      return L(text as Label)
    case 'tuple':
      return concat(...parts.map(of))
    case 'hash':
      return sha256(...parts.map(of))
    case 'mac':
      return hmacSha256(of(first), u8(Number(text)))
    case 'kdf': {
      const [info, length] = text.split(' ') as [Label, string]
      const salt = first === NO_SALT ? new Uint8Array(32) : of(first)
      return hkdfSha256(salt, concat(...parts.slice(1).map(of)), L(info), Number(length))
    }
    case 'part':
      return of(first).slice(Number(text), Number(text) + 32)
    case 'seal':
      return sealOnce(of(first), of(second), of(third))
    case 'public':
      return x25519KeyPair(of(first)).public
    case 'dh':
      return x25519(of(first), x25519KeyPair(of(second)).public)
    case 'kemKey':
      return kemKeyPair(of(first)).public
    case 'kemCiphertext':
      return kemEncapsulate(kemKeyPair(of(second)).public, of(first)).ciphertext
    case 'kemSecret':
      return kemEncapsulate(kemKeyPair(of(second)).public, of(first)).secret
    case 'kemRejected':
      return kemDecapsulate(of(first), of(second))
    // names have their bytes from the test; signatures and their keys enter in records, whole
    default:
      throw new Error(`no bytes for ${kind} ${text}`)
  }
}
