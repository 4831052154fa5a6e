/**
 * A second reader of both legs and of the first envelopes, written from the document's formulas on node:crypto and byte
 * offsets alone; and digests of the bytes that one seed gives, which move only with the protocol's version.
 */
import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { expect } from 'chai'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { kemDecapsulate } from '../../../node/crypto/kem.ts'
import { x25519 } from '../../../node/crypto/x25519.ts'
import { acceptRequest, openLeg2 } from '../../../node/session/leg2.ts'
import { leg1Identity, leg1Request, leg2Accept } from '../../../node/wire/legs.ts'
import { decode } from '../../../node/wire/schema.ts'
import {
  acceptFields,
  createPerson,
  receive,
  request,
  REQUEST,
  sealText,
  seededRandom,
} from '../../support/session-fixtures.ts'

const H = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const L = (name: string): Buffer => Buffer.from(`kith/1/${name}`)
const HMAC = (key: Uint8Array, byte: number): Buffer => createHmac('sha256', key).update(Buffer.of(byte)).digest()

function HKDF(salt: Uint8Array, ikm: Uint8Array[], label: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.concat(ikm), salt, L(label), length))
}

/** ChaCha20-Poly1305 with a zero nonce, then the padding off. */
function openOnce(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  const cipher = createDecipheriv('chacha20-poly1305', key, Buffer.alloc(12), { authTagLength: 16 })
  cipher.setAAD(associated, { plaintextLength: sealed.length - 16 })
  cipher.setAuthTag(sealed.subarray(-16))
  const padded = Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()])
  return new Uint8Array(padded.subarray(0, padded.lastIndexOf(0x80)))
}

function openSealed(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  return xchacha20poly1305(key, sealed.subarray(0, 24), associated).decrypt(sealed.subarray(24))
}

const cut = (bytes: Uint8Array, n: number): Uint8Array => bytes.subarray(32 * n, 32 * n + 32)

describe('handshake vectors', () => {
  const a = createPerson('a')
  const b = createPerson('b')
  const random = seededRandom('vector')
  const { leg, outgoing } = request(a, b, random)
  const { incoming } = receive(b, leg)
  const accepted = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
  const opened = openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })
  const fromB = sealText(accepted.session, random, 'from b')
  const fromA = sealText(opened.session, random, 'from a')

  it('one seed gives these bytes', () => {
    const digests = [leg, accepted.leg, fromA.body, fromB.body].map((bytes) => H(bytes).toString('hex'))
    expect(digests).to.deep.equal([
      '1f66cdbd104409b0c3d580be68b2b45896dba279f6264b19263136ea39a944c1',
      '3f76c9eb48d835e7549addbebade0e89279189a04a2f31be8ae0681abb52cd0d',
      '2e68f06eff1b46f8d56695c38dd4ed164ef7d9cde263210d3f328f36aed213b2',
      '4c58d0caf645cd77ca82a5e47a077d44b658dfe88b5038b6634f228252617636',
    ])
  })

  it('a reader written from the formulas opens all of it', () => {
    // leg 1, as B
    const [clear, ephemeral, ct1] = [leg.subarray(0, 50), leg.subarray(50, 82), leg.subarray(82, 1170)]
    const [c1, c2] = [leg.subarray(1170, 5324), leg.subarray(5324)]
    const ss1 = kemDecapsulate(b.kem.seed, ct1)
    const th0 = H(L('req'), clear, H(b.record), H(b.prekeyRecord), ephemeral, ct1)
    const k1 = HKDF(th0, [x25519(b.prekey.secret, ephemeral), ss1], 'req/k1', 32)
    const who = decode(leg1Identity, openOnce(k1, c1, th0), 4138)
    expect(who.record).to.deep.equal(a.record)
    const th1 = H(th0, c1)
    const dhs = [x25519(b.prekey.secret, a.identity.public), x25519(b.identity.secret, ephemeral)]
    const k2AndSk1 = HKDF(th1, [k1, ...dhs, ss1], 'req/k2', 64)
    const said = decode(leg1Request, openOnce(cut(k2AndSk1, 0), c2, th1), 2812)
    expect(said.note).to.equal(REQUEST.note)

    // leg 2, as A
    const answer = accepted.leg
    const [ekb, ct2, c3] = [answer.subarray(2, 34), answer.subarray(34, 1122), answer.subarray(1122)]
    const ss2 = kemDecapsulate(outgoing.oneTimeKemSeed, ct2)
    const th2 = H(H(th1, c2), L('acc'), ekb, ct2)
    const ota = outgoing.oneTimeSecret
    const shared = [x25519(ota, b.identity.public), x25519(a.identity.secret, ekb), x25519(ota, ekb)]
    const sk = HKDF(th2, [cut(k2AndSk1, 1), ...shared, ss2], 'session', 32)
    const keys = HKDF(th2, [sk], 'session/keys', 288)
    const accept = decode(leg2Accept, openOnce(cut(keys, 0), c3, th2), 7054)
    const th3 = H(th2, c3)
    expect(opened.session.th3).to.deep.equal(new Uint8Array(th3))
    const { mailboxOut, mailboxIn, reachOut, reachIn } = opened.secrets
    const mailboxes = [5, 6, 7, 8].map((n) => new Uint8Array(cut(keys, n)))
    expect([mailboxOut, mailboxIn, reachOut, reachIn]).to.deep.equal(mailboxes)

    // first messages of both directions
    const ratchetB = accept.ratchetKey.subarray(1)
    const step1 = HKDF(cut(keys, 1), [x25519(ota, ratchetB)], 'rk', 96)
    const pqChains = HKDF(Buffer.alloc(0), [cut(keys, 2)], 'pq/chains', 64)
    const read = (
      envelope: typeof fromA,
      headerKey: Uint8Array,
      chainKey: (key: Uint8Array) => Uint8Array,
      pq: number,
    ) => {
      const ad = Buffer.concat([th3, envelope.prefix])
      const header = openSealed(headerKey, envelope.body.subarray(0, 1341), ad)
      const mk = HKDF(HMAC(cut(pqChains, pq), 1), [HMAC(chainKey(header.subarray(0, 32)), 1)], 'mk', 32)
      const padded = openSealed(mk, envelope.body.subarray(1341), Buffer.concat([ad, envelope.body.subarray(0, 1341)]))
      expect(padded.length).to.equal(4096 - 28 - 1341 - 40)
      return Buffer.from(padded.subarray(0, padded.lastIndexOf(0x80))).toString()
    }
    expect(read(fromB, cut(keys, 4), () => cut(step1, 1), 1)).to.equal('from b')
    const ownB = accepted.session.ec.sending!.secret
    const chainOfA = (ratchetA: Uint8Array) => cut(HKDF(cut(step1, 0), [x25519(ownB, ratchetA)], 'rk', 96), 1)
    expect(read(fromA, cut(keys, 3), chainOfA, 0)).to.equal('from a')
  })
})
