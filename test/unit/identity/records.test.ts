import { expect } from 'chai'
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair, sign, verify } from '../../../node/crypto/ed25519.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { L } from '../../../node/crypto/labels.ts'
import { createDevice, deviceEntry } from '../../../node/identity/device-keys.ts'
import {
  checkWindow,
  compareHeads,
  createIdentityRecord,
  equivocates,
  nextSeq,
  prekeyBelongs,
  readIdentityRecord,
  readPrekeyRecord,
} from '../../../node/identity/records.ts'
import { identityRecordKey, prekeyRecordKey, validateRecordAt } from '../../../node/identity/record-keys.ts'
import { createKeyEvent, inceptionId, rootKeyPair } from '../../../node/identity/root.ts'
import * as wire from '../../../node/wire/records.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { codeOf, DAY, NOW, seededRandom, testPerson } from '../../support/identity-fixtures.ts'

const alice = testPerson(1)
const mallory = testPerson(2)

/** Signs a body as it is, whatever rule it breaks. */
function forge(fields: wire.IdentityRecord, seed = rootKeyPair(alice.entropy, 0).seed): Uint8Array {
  const body = encode(wire.identityRecord, fields)
  return encode(wire.signed, { body, signature: sign(seed, 'identityRecord', body) })
}

function bodyOf(bytes: Uint8Array): wire.Signed {
  return decode(wire.signed, bytes, 4096)
}

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

const nonCanonical = (bytes: Uint8Array): Uint8Array => {
  // the same map with its two keys in the other order
  const { body, signature } = bodyOf(bytes)
  const head =
    body.length < 256 ? Uint8Array.of(0x58, body.length) : Uint8Array.of(0x59, body.length >> 8, body.length & 0xff)
  return concat(Uint8Array.of(0xa2, 0x02, 0x58, 64), signature, Uint8Array.of(0x01), head, body)
}

describe('identity/records', () => {
  describe('identity record', () => {
    it('reads what was created', () => {
      const view = alice.record({ previous: new Uint8Array(32).fill(1) })
      const read = readIdentityRecord(view.bytes, { now: NOW })
      expect(read).to.deep.equal(view)
      expect(read.id).to.deep.equal(alice.id)
      expect(read.root).to.deep.equal(typeKey('ed25519', rootKeyPair(alice.entropy, 0).public))
      expect(read.hash).to.deep.equal(sha256(view.bytes))
      expect(read.head).to.deep.equal({ events: 0, seq: NOW, hash: read.hash })
      expect(read.record.expires).to.equal(NOW + 90 * DAY)
      expect(Object.isFrozen(read) && Object.isFrozen(read.record) && Object.isFrozen(read.head)).to.equal(true)
    })

    it('does not keep a reference to the bytes it was given', () => {
      const bytes = alice.record().bytes.slice()
      const view = readIdentityRecord(bytes)
      bytes.fill(0)
      expect(view.bytes).to.deep.equal(alice.record().bytes)
      expect(view.record.devices[0]!.signing).to.deep.equal(alice.record().record.devices[0]!.signing)
    })

    it('with everything at its maximum still fits 4096 bytes', () => {
      const events: Uint8Array[] = []
      for (let i = 0; i < 8; i++) events.push(createKeyEvent(alice.entropy, events))
      const random = seededRandom(5)
      const view = alice.record({
        events,
        devices: Array.from({ length: 5 }, () => deviceEntry(createDevice(random, NOW))),
        revoked: Array.from({ length: 16 }, () => typeKey('ed25519', ed25519KeyPair(random.bytes(32)).public)),
        policy: wire.REQUEST_POLICY.open,
        requestReader: typeKey('ed25519', ed25519KeyPair(random.bytes(32)).public),
        relays: Array.from({ length: 4 }, () => 'r'.repeat(120)),
        previous: new Uint8Array(32),
      })
      expect(view.bytes.length).to.be.within(3000, 4096)
      expect(view.head.events).to.equal(8)
    })

    it('refuses each truncation and a trailing byte', () => {
      const { bytes } = alice.record()
      for (let i = 0; i < bytes.length; i++) {
        expect(
          codeOf(() => readIdentityRecord(bytes.subarray(0, i))),
          `cut at ${i}`,
        ).to.equal('MALFORMED')
      }
      expect(codeOf(() => readIdentityRecord(concat(bytes, new Uint8Array(1))))).to.equal('MALFORMED')
    })

    it('refuses another version, even when it is signed', () => {
      expect(codeOf(() => readIdentityRecord(forge({ ...alice.record().record, version: 2 })))).to.equal('VERSION')
    })

    const bad: [string, Partial<wire.IdentityRecord>][] = [
      ['a seq that is not the issue time', { seq: NOW + 1 }],
      ['an expiry at the issue time', { expires: NOW }],
      ['an expiry after 90 days', { expires: NOW + 90 * DAY + 1 }],
      ['a version range upside down', { minVersion: 2, maxVersion: 1 }],
      ['version 0', { minVersion: 0 }],
      ['policy open without a reader', { policy: wire.REQUEST_POLICY.open }],
      ['policy invite with a reader', { requestReader: alice.record().root }],
      ['relays although the policy is invite', { relays: [] }],
      ['a device twice', { devices: [deviceEntry(alice.device), deviceEntry(alice.device)] }],
      ['a device that is revoked', { revoked: [deviceEntry(alice.device).signing] }],
    ]
    for (const [name, change] of bad) {
      it(`refuses ${name}, even when it is signed`, () => {
        expect(codeOf(() => readIdentityRecord(forge({ ...alice.record().record, ...change })))).to.equal('BAD_RECORD')
      })
    }

    it('refuses keys of another kind or form', () => {
      const { record } = alice.record()
      const device = record.devices[0]!
      const other = { ...device, signing: concat(Uint8Array.of(1), device.signing.subarray(1)) }
      const small = { ...device, signing: typeKey('ed25519', concat(Uint8Array.of(1), new Uint8Array(31))) }
      const loose = { ...device, identity: typeKey('x25519', new Uint8Array(32).fill(0xff)) }
      for (const entry of [other, small, loose]) {
        expect(codeOf(() => readIdentityRecord(forge({ ...record, devices: [entry] })))).to.equal('BAD_KEY')
      }
      expect(
        codeOf(() => readIdentityRecord(forge({ ...record, revoked: [concat(Uint8Array.of(3), new Uint8Array(32))] }))),
      ).to.equal('BAD_KEY')
    })

    it('believes a record only within its window and at most an hour ahead', () => {
      const view = alice.record({ expires: NOW + DAY })
      expect(codeOf(() => checkWindow(view, NOW - 3600))).to.equal(undefined)
      expect(codeOf(() => checkWindow(view, NOW - 3601))).to.equal('RECORD_AHEAD')
      expect(codeOf(() => checkWindow(view, NOW + DAY - 1))).to.equal(undefined)
      expect(codeOf(() => checkWindow(view, NOW + DAY))).to.equal('RECORD_EXPIRED')
      expect(codeOf(() => readIdentityRecord(view.bytes, { now: NOW + DAY }))).to.equal('RECORD_EXPIRED')
    })

    it('numbers records by time, and above the one before', () => {
      expect(nextSeq(NOW, undefined)).to.equal(NOW)
      expect(nextSeq(NOW, NOW - 5)).to.equal(NOW)
      expect(nextSeq(NOW, NOW)).to.equal(NOW + 1)
      expect(nextSeq(NOW, NOW + 7)).to.equal(NOW + 8)
    })
  })

  describe('rotation of the root', () => {
    const events = [createKeyEvent(alice.entropy, [])]
    events.push(createKeyEvent(alice.entropy, events))

    it('follows the chain to the current root, under the same ID', () => {
      for (let count = 0; count <= 2; count++) {
        const view = readIdentityRecord(alice.record({ events: events.slice(0, count) }).bytes)
        expect(view.id).to.deep.equal(alice.id)
        expect(view.head.events).to.equal(count)
        expect(view.root).to.deep.equal(typeKey('ed25519', rootKeyPair(alice.entropy, count).public))
      }
    })

    it('T49 a thief of root 0 with the highest possible sequence is overruled by one rotation', () => {
      const thief = alice.record({ seq: 2 ** 40 - 90 * DAY })
      const owner = alice.record({ events: events.slice(0, 1), seq: NOW })
      expect(compareHeads(owner.head, thief.head)).to.be.greaterThan(0)
      // the thief cannot rotate: of root 1 only the digest is known
      const body = encode(wire.keyEvent, {
        version: 1,
        index: 1,
        previous: sha256(alice.inception),
        root: typeKey('ed25519', rootKeyPair(alice.entropy, 0).public),
        next: new Uint8Array(32),
      })
      const own = encode(wire.signed, { body, signature: sign(rootKeyPair(alice.entropy, 0).seed, 'keyEvent', body) })
      expect(codeOf(() => readIdentityRecord(forge({ ...thief.record, events: [own] })))).to.equal('BAD_RECORD')
    })

    it('T6 an event counts only as the next one, of the committed key, signed by that key', () => {
      const base = alice.record({ events: events.slice(0, 1) }).record
      const root1 = rootKeyPair(alice.entropy, 1)
      const read = (change: Partial<wire.KeyEvent>, signer = root1.seed): string | undefined => {
        const event = decode(wire.keyEvent, bodyOf(events[0]!).body, 256)
        const body = encode(wire.keyEvent, { ...event, ...change })
        const signed = encode(wire.signed, { body, signature: sign(signer, 'keyEvent', body) })
        return codeOf(() => readIdentityRecord(forge({ ...base, events: [signed] }, root1.seed)))
      }
      expect(read({})).to.equal(undefined)
      expect(read({ index: 2 })).to.equal('BAD_RECORD')
      expect(read({ index: 0 })).to.equal('BAD_RECORD')
      expect(read({ previous: new Uint8Array(32) })).to.equal('BAD_RECORD')
      expect(read({ root: mallory.record().root })).to.equal('BAD_RECORD')
      expect(read({}, rootKeyPair(alice.entropy, 0).seed)).to.equal('FORGED')
      expect(read({}, alice.device.signing)).to.equal('FORGED')
      const inOrder = codeOf(() =>
        readIdentityRecord(forge({ ...base, events: [events[1]!] }, rootKeyPair(alice.entropy, 2).seed)),
      )
      expect(inOrder).to.equal('BAD_RECORD')
    })

    it('T6 the root that was rotated away signs nothing any more', () => {
      const { record } = alice.record({ events: events.slice(0, 1) })
      expect(codeOf(() => readIdentityRecord(forge(record, rootKeyPair(alice.entropy, 0).seed)))).to.equal('FORGED')
      expect(codeOf(() => readIdentityRecord(forge(record, rootKeyPair(alice.entropy, 1).seed)))).to.equal(undefined)
    })
  })

  describe('T6 nobody but the root changes a list', () => {
    const view = alice.record()
    const stranger = deviceEntry(mallory.device)

    it('T6 a device that a relay adds, removes or revokes makes the record worthless', () => {
      const { signature } = bodyOf(view.bytes)
      const edits: Partial<wire.IdentityRecord>[] = [
        { devices: [...view.record.devices, stranger] },
        { devices: [stranger] },
        { devices: [] },
        { devices: [], revoked: [view.record.devices[0]!.signing] },
        { events: [createKeyEvent(mallory.entropy, [])] },
      ]
      for (const edit of edits) {
        const body = encode(wire.identityRecord, { ...view.record, ...edit })
        const kept = encode(wire.signed, { body, signature })
        expect(codeOf(() => readIdentityRecord(kept))).to.be.oneOf(['FORGED', 'BAD_RECORD'])
        // neither a device of the owner nor a stranger can sign in the root's place
        const record = decode(wire.identityRecord, body, 4096)
        for (const seed of [alice.device.signing, rootKeyPair(mallory.entropy, 0).seed]) {
          expect(codeOf(() => readIdentityRecord(forge(record, seed)))).to.be.oneOf(['FORGED', 'BAD_RECORD'])
        }
      }
    })

    it('T6 another inception is another ID, so it does not fit the key', () => {
      const theirs = mallory.record()
      expect(codeOf(() => validateRecordAt(identityRecordKey(alice.id), theirs.bytes))).to.equal('WRONG_KEY')
    })

    it('T6 a prekey record counts only for a device that the root names and has not revoked', () => {
      const prekey = alice.prekey()
      expect(prekeyBelongs(view, prekey)).to.equal(true)
      expect(prekeyBelongs(view, mallory.prekey({ id: alice.id }))).to.equal(false)
      expect(prekeyBelongs(mallory.record(), prekey)).to.equal(false)
      const revoked = alice.record({ devices: [], revoked: [deviceEntry(alice.device).signing] })
      expect(prekeyBelongs(revoked, prekey)).to.equal(false)
    })
  })

  it('T42 a record with an edited version range is no record', () => {
    const view = alice.record({ minVersion: 1, maxVersion: 3 })
    const { signature } = bodyOf(view.bytes)
    for (const [minVersion, maxVersion] of [
      [1, 1],
      [1, 2],
      [2, 3],
      [1, 255],
      [0, 3],
      [3, 1],
    ] as const) {
      const body = encode(wire.identityRecord, { ...view.record, minVersion, maxVersion })
      expect(codeOf(() => readIdentityRecord(encode(wire.signed, { body, signature })))).to.be.oneOf([
        'FORGED',
        'BAD_RECORD',
      ])
    }
    expect(readIdentityRecord(view.bytes).record.maxVersion).to.equal(3)
  })

  describe('prekey record', () => {
    it('reads what was created', () => {
      const view = alice.prekey()
      expect(readPrekeyRecord(view.bytes, { now: NOW })).to.deep.equal(view)
      expect(view.head).to.deep.equal({ events: 0, seq: NOW, hash: sha256(view.bytes) })
      expect(view.record.expires).to.equal(NOW + 30 * DAY)
      expect(view.device).to.deep.equal(typeKey('ed25519', alice.deviceKeys.public))
    })

    it('refuses each truncation and a trailing byte', () => {
      const { bytes } = alice.prekey()
      for (let i = 0; i < bytes.length; i++)
        expect(codeOf(() => readPrekeyRecord(bytes.subarray(0, i)))).to.equal('MALFORMED')
      expect(codeOf(() => readPrekeyRecord(concat(bytes, new Uint8Array(1))))).to.equal('MALFORMED')
    })

    it('lives 30 days at most', () => {
      expect(codeOf(() => alice.prekey({ expires: NOW + 30 * DAY + 1 }))).to.equal('BAD_RECORD')
      expect(codeOf(() => alice.prekey({ expires: NOW }))).to.equal('BAD_RECORD')
    })

    it('is signed by the device that it names, under its own label', () => {
      const { body } = bodyOf(alice.prekey().bytes)
      const read = (signature: Uint8Array): string | undefined =>
        codeOf(() => readPrekeyRecord(encode(wire.signed, { body, signature })))
      expect(read(sign(alice.device.signing, 'prekeyRecord', body))).to.equal(undefined)
      expect(read(sign(mallory.device.signing, 'prekeyRecord', body))).to.equal('FORGED')
      expect(read(sign(alice.device.signing, 'identityRecord', body))).to.equal('FORGED')
      expect(read(new Uint8Array(64))).to.equal('FORGED')
    })

    it('T16 keys of the wrong kind in it fail by their type byte', () => {
      const { record } = alice.prekey()
      const read = (change: Partial<wire.PrekeyRecord>): string | undefined => {
        const body = encode(wire.prekeyRecord, { ...record, ...change })
        return codeOf(() =>
          readPrekeyRecord(encode(wire.signed, { body, signature: sign(alice.device.signing, 'prekeyRecord', body) })),
        )
      }
      expect(read({})).to.equal(undefined)
      expect(read({ prekey: record.device })).to.equal('BAD_KEY')
      expect(read({ kem: concat(Uint8Array.of(1), record.kem.subarray(1)) })).to.equal('BAD_KEY')
    })
  })

  describe('order', () => {
    it('goes by events, then seq, then the lowest hash', () => {
      const heads = [
        { events: 0, seq: 9, hash: hash(1) },
        { events: 0, seq: 10, hash: hash(2) },
        { events: 0, seq: 10, hash: hash(1) },
        { events: 1, seq: 0, hash: hash(9) },
      ]
      for (const [i, a] of heads.entries()) {
        for (const [j, b] of heads.entries()) {
          expect(Math.sign(compareHeads(a, b)), `${i} to ${j}`).to.equal(Math.sign(i - j))
          expect(equivocates(a, b)).to.equal((i === 1 && j === 2) || (i === 2 && j === 1))
        }
      }
    })
  })

  describe('T5 what may not be stored is refused, and cheap checks come first', () => {
    const view = alice.record()
    const prekey = alice.prekey()
    const idKey = identityRecordKey(alice.id)
    const pkKey = prekeyRecordKey(prekey.device)
    let verified = 0
    const counting: typeof verify = (...args) => {
      verified++
      return verify(...args)
    }
    const at = (key: Uint8Array, value: Uint8Array, now = NOW): string | undefined => {
      verified = 0
      return codeOf(() => validateRecordAt(key, value, { now, verify: counting }))
    }

    it('T5 accepts a good record with exactly one signature check', () => {
      expect(at(idKey, view.bytes)).to.equal(undefined)
      expect(verified).to.equal(1)
      expect(at(pkKey, prekey.bytes)).to.equal(undefined)
      expect(verified).to.equal(1)
    })

    const cases: [string, string, () => string | undefined][] = [
      ['above 4096 bytes', 'OVERSIZED', () => at(idKey, new Uint8Array(4097))],
      ['a good record grown above 4096 bytes', 'OVERSIZED', () => at(idKey, concat(view.bytes, new Uint8Array(4096)))],
      ['non-canonical', 'MALFORMED', () => at(idKey, nonCanonical(view.bytes))],
      ['no CBOR', 'MALFORMED', () => at(idKey, new Uint8Array(100).fill(0xff))],
      ['a prekey record in the identity namespace', 'MALFORMED', () => at(idKey, prekey.bytes)],
      ['an identity record in the prekey namespace', 'MALFORMED', () => at(pkKey, view.bytes)],
      ['under the key of another ID', 'WRONG_KEY', () => at(identityRecordKey(mallory.id), view.bytes)],
      [
        'under the key of another device',
        'WRONG_KEY',
        () => at(prekeyRecordKey(mallory.deviceKeys.public), prekey.bytes),
      ],
      [
        'in an unknown namespace',
        'WRONG_KEY',
        () => at(concat(Buffer.from('/kith-xx/'), idKey.subarray(9)), view.bytes),
      ],
      ['under a short key', 'WRONG_KEY', () => at(idKey.subarray(0, 40), view.bytes)],
      ['expired', 'RECORD_EXPIRED', () => at(idKey, view.bytes, NOW + 90 * DAY)],
      ['from the future', 'RECORD_AHEAD', () => at(idKey, view.bytes, NOW - 3601)],
      ['an expired prekey', 'RECORD_EXPIRED', () => at(pkKey, prekey.bytes, NOW + 30 * DAY)],
      ['a prekey from the future', 'RECORD_AHEAD', () => at(pkKey, prekey.bytes, NOW - 3601)],
    ]
    for (const [name, code, run] of cases) {
      it(`T5 ${name}: ${code} before any signature is checked`, () => {
        expect(run()).to.equal(code)
        expect(verified).to.equal(0)
      })
    }

    it('T5 a signature that only a lax verifier accepts is refused', () => {
      // the neutral point as root: without a check of the key every message verifies
      const neutral = concat(Uint8Array.of(1), new Uint8Array(31))
      const lax = concat(neutral, new Uint8Array(32))
      const inception = encode(wire.inception, {
        version: 1,
        root: typeKey('ed25519', neutral),
        next: new Uint8Array(32),
        salt: new Uint8Array(16),
      })
      const body = encode(wire.identityRecord, { ...view.record, inception })
      const message = concat(L('identityRecord'), new Uint8Array(1), body)
      expect(ed25519.verify(lax, message, neutral, { zip215: true }), 'the lax verifier accepts it').to.equal(true)
      expect(at(identityRecordKey(inceptionId(inception)), encode(wire.signed, { body, signature: lax }))).to.equal(
        'FORGED',
      )
    })

    it('T5 a record signed for another purpose is refused', () => {
      const { body } = bodyOf(view.bytes)
      const signature = sign(rootKeyPair(alice.entropy, 0).seed, 'prekeyRecord', body)
      expect(at(idKey, encode(wire.signed, { body, signature }))).to.equal('FORGED')
    })
  })

  it('refuses to make a record that nobody would accept', () => {
    const root = rootKeyPair(mallory.entropy, 0)
    expect(codeOf(() => createIdentityRecord({ root, seq: NOW, inception: alice.inception, devices: [] }))).to.equal(
      'FORGED',
    )
  })
})
