import { expect } from 'chai'
import {
  createDevice,
  decodeOwnKeys,
  deviceEntry,
  encodeOwnKeys,
  findPrekey,
  findRecord,
  keepRecord,
  type OwnKeys,
  type OwnRecord,
  type PrekeySet,
  rotatePrekeys,
  rotateRoot,
  stillKept,
} from '../../../node/identity/device-keys.ts'
import { rootKeyPair } from '../../../node/identity/root.ts'
import { compareHeads, prekeyBelongs, readIdentityRecord, readPrekeyRecord } from '../../../node/identity/records.ts'
import { kemKeyPair } from '../../../node/crypto/kem.ts'
import { untypeKey } from '../../../node/crypto/key-type.ts'
import { x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { codeOf, DAY, NOW, seededRandom, testPerson } from '../../support/identity-fixtures.ts'

const alice = testPerson(1)

const record = (seq: number): OwnRecord => ({ seq, record: Uint8Array.of(1) })

describe('identity/device-keys', () => {
  describe('prekeys', () => {
    it('makes the first one, with a record that belongs to the identity and fits the secrets', () => {
      const [set] = rotatePrekeys(alice, [], NOW, seededRandom(7))
      const view = readPrekeyRecord(set!.record, { now: NOW })
      expect(prekeyBelongs(alice.record(), view)).to.equal(true)
      expect(untypeKey('x25519', view.record.prekey)).to.deep.equal(x25519KeyPair(set!.secret).public)
      expect(untypeKey('mlKem768', view.record.kem)).to.deep.equal(kemKeyPair(set!.kemSeed).public)
      expect(view.record.seq).to.equal(set!.seq)
    })

    it('changes nothing for 7 days, then adds one', () => {
      const first = rotatePrekeys(alice, [], NOW, seededRandom(7))
      expect(rotatePrekeys(alice, first, NOW + 7 * DAY - 1, seededRandom(8))).to.equal(first)
      const second = rotatePrekeys(alice, first, NOW + 7 * DAY, seededRandom(8))
      expect(second).to.have.length(2)
      expect(second[1]!.seq).to.be.greaterThan(second[0]!.seq)
      expect(findPrekey(second, first[0]!.seq)).to.equal(first[0])
      expect(findPrekey(second, 1)).to.equal(undefined)
    })

    it('T29 a prekey is gone when it is 45 days old', () => {
      let list: readonly PrekeySet[] = []
      for (let day = 0; day <= 120; day++) {
        list = rotatePrekeys(alice, list, NOW + day * DAY, seededRandom(day))
        for (const set of list) expect(NOW + day * DAY - set.created).to.be.lessThan(45 * DAY)
        expect(list.length).to.be.lessThan(8)
      }
      // and a node that was off for long has one fresh prekey
      list = rotatePrekeys(alice, list, NOW + 400 * DAY, seededRandom(500))
      expect(list).to.have.length(1)
    })

    it('never gives a seq out twice, also when the clock goes back', () => {
      const first = rotatePrekeys(alice, [], NOW + 100 * DAY, seededRandom(7))
      const later = rotatePrekeys(alice, first, NOW + 150 * DAY, seededRandom(8))
      expect(later[0]!.seq).to.be.greaterThan(first[0]!.seq)
      expect(rotatePrekeys(alice, first, NOW, seededRandom(9))).to.equal(first)
    })
  })

  describe('own identity records', () => {
    it('keeps one until it was replaced 45 days ago, however old it is', () => {
      let list = keepRecord([], record(NOW), NOW)
      list = keepRecord(list, record(NOW + 80 * DAY), NOW + 80 * DAY)
      expect(findRecord(list, NOW)).not.to.equal(undefined)
      list = keepRecord(list, record(NOW + 124 * DAY), NOW + 124 * DAY)
      expect(findRecord(list, NOW)).not.to.equal(undefined)
      list = keepRecord(list, record(NOW + 125 * DAY), NOW + 125 * DAY)
      expect(findRecord(list, NOW)).to.equal(undefined)
      expect(list.map((entry) => entry.seq)).to.deep.equal([NOW + 80 * DAY, NOW + 124 * DAY, NOW + 125 * DAY])
    })

    it('has a bound', () => {
      let list: readonly OwnRecord[] = []
      for (let i = 0; i < 100; i++) list = keepRecord(list, record(NOW + i), NOW + i)
      expect(list).to.have.length(64)
      expect(list.at(-1)!.seq).to.equal(NOW + 99)
    })
  })

  describe('the next root key', () => {
    const keys: OwnKeys = {
      rootSeed: rootKeyPair(alice.entropy, 0).seed,
      device: alice.device,
      prekeys: rotatePrekeys(alice, [], NOW, seededRandom(7)),
      records: [{ seq: NOW, record: alice.record().bytes }],
    }
    const current = (of: OwnKeys) => readIdentityRecord(of.records.at(-1)!.record)

    it('comes of the words, with a new device in place of the old one, and stands above every record before', () => {
      let rotated = keys
      for (let events = 1; events <= 8; events++) {
        const before = rotated
        // the clock may stand, or go back
        rotated = rotateRoot(before, alice.entropy, seededRandom(events), NOW - events)
        const view = current(rotated)
        expect(view.id).to.deep.equal(alice.id)
        expect(view.head.events).to.equal(events)
        expect(compareHeads(view.head, { events: events - 1, seq: 2 ** 40, hash: new Uint8Array(32) })).to.be.above(0)
        expect(rotated.rootSeed).to.deep.equal(rootKeyPair(alice.entropy, events).seed)
        expect(view.record.devices).to.deep.equal([deviceEntry(rotated.device)])
        expect(view.record.revoked).to.deep.include(deviceEntry(before.device).signing)
        expect(rotated.prekeys).to.have.length(1)
        expect(prekeyBelongs(view, readPrekeyRecord(rotated.prekeys[0]!.record))).to.equal(true)
        expect(rotated.former![0]!.identity).to.deep.equal(before.device.identity)
        expect(decodeOwnKeys(encodeOwnKeys(rotated))).to.deep.equal(rotated)
      }
      expect(codeOf(() => rotateRoot(rotated, alice.entropy, seededRandom(9), NOW))).to.equal('TOO_MANY')
    })

    it('comes of no other words, and no stolen seed gives it', () => {
      const other = testPerson(2)
      expect(codeOf(() => rotateRoot(keys, other.entropy, seededRandom(1), NOW))).to.equal('WRONG_WORDS')
      expect(codeOf(() => rotateRoot(keys, keys.rootSeed, seededRandom(1), NOW))).to.equal('WRONG_WORDS')
    })

    it('leaves what the old device was known by for 60 days', () => {
      const { former } = rotateRoot(keys, alice.entropy, seededRandom(1), NOW)
      expect(stillKept(former, NOW + 60 * DAY - 1)).to.have.length(1)
      expect(stillKept(former, NOW + 60 * DAY)).to.have.length(0)
    })
  })

  describe('at rest', () => {
    const keys: OwnKeys = {
      rootSeed: rootKeyPair(alice.entropy, 0).seed,
      device: alice.device,
      prekeys: rotatePrekeys(alice, [], NOW, seededRandom(7)),
      records: [{ seq: NOW, record: alice.record().bytes }],
    }

    it('comes back as it was', () => {
      expect(decodeOwnKeys(encodeOwnKeys(keys))).to.deep.equal(keys)
    })

    it('holds the most that can be kept', () => {
      const full: OwnKeys = {
        ...keys,
        prekeys: Array.from({ length: 16 }, () => ({ ...keys.prekeys[0]!, record: new Uint8Array(4096) })),
        records: Array.from({ length: 64 }, () => ({ seq: NOW, record: new Uint8Array(4096) })),
      }
      expect(decodeOwnKeys(encodeOwnKeys(full))).to.deep.equal(full)
    })

    it('refuses truncations, a trailing byte, other versions and other bytes', () => {
      const encoded = encodeOwnKeys(keys)
      for (let i = 0; i < encoded.length; i += 13)
        expect(codeOf(() => decodeOwnKeys(encoded.subarray(0, i)))).to.equal('STORE_DAMAGED')
      expect(codeOf(() => decodeOwnKeys(new Uint8Array([...encoded, 0])))).to.equal('STORE_DAMAGED')
      const newer = encoded.slice()
      expect([...newer.subarray(0, 3)]).to.deep.equal([0xa5, 0x01, 0x01])
      newer[2] = 2
      expect(codeOf(() => decodeOwnKeys(newer))).to.equal('SCHEMA')
      expect(codeOf(() => decodeOwnKeys(new Uint8Array(600_000)))).to.equal('STORE_DAMAGED')
    })
  })

  it('draws independent keys for a device', () => {
    const device = createDevice(seededRandom(3), NOW)
    expect(device.signing).not.to.deep.equal(device.identity)
    const entry = deviceEntry(device)
    expect([entry.signing[0], entry.identity[0], entry.added]).to.deep.equal([2, 1, NOW])
  })
})
