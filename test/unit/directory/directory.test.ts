import { expect } from 'chai'
import { compare } from '../../../node/crypto/bytes.ts'
import { verify } from '../../../node/crypto/ed25519.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { createDevice, deviceEntry } from '../../../node/identity/device-keys.ts'
import { identityRecordKey, prekeyRecordKey } from '../../../node/identity/record-keys.ts'
import type { IdentityView } from '../../../node/identity/records.ts'
import { createKeyEvent } from '../../../node/identity/root.ts'
import { codeOf, DAY, NOW, seededRandom, testPerson } from '../../support/identity-fixtures.ts'
import { directoryWorld, type FakeRecords } from '../../support/directory-fixtures.ts'
import { settle } from '../../support/manual-clock.ts'

const alice = testPerson(1)
const mallory = testPerson(2)
const key = identityRecordKey(alice.id)
const prekeyKey = prekeyRecordKey(alice.deviceKeys.public)
const older = alice.record()
const newer = alice.record({ seq: NOW + 10 })
const prekey = alice.prekey()
const newPrekey = alice.prekey({ seq: NOW + 10 })
const rotated = alice.record({ seq: NOW - 5, events: [createKeyEvent(alice.entropy, [])] })
const [low, high] = [
  alice.record({ seq: NOW + 20, maxVersion: 2 }),
  alice.record({ seq: NOW + 20, maxVersion: 3 }),
].sort((a, b) => compare(a.hash, b.hash)) as [IdentityView, IdentityView]

/** What hostile peers answer: noise, other people's records, the right record bent, and forged ones. */
function lies(): Uint8Array[] {
  const bent = newer.bytes.slice()
  bent[bent.length - 1]! ^= 1
  return [
    new Uint8Array(0),
    new Uint8Array(5000),
    seededRandom(1).bytes(300),
    mallory.record().bytes,
    bent,
    prekey.bytes,
    alice.record({ seq: NOW + 7200 }).bytes,
    alice.record({ seq: NOW - 91 * DAY }).bytes,
  ]
}

describe('directory', () => {
  describe('lookup', () => {
    it('finds identity and prekeys, in the DHT or at the servers', async () => {
      for (const source of ['dht', 'servers'] as const) {
        const world = directoryWorld()
        world[source].set(key, newer.bytes)
        world[source].set(prekeyKey, prekey.bytes)
        expect(await world.directory.lookup(alice.id)).to.deep.equal({ identity: newer, prekeys: [prekey] })
        expect(world.directory.known(alice.id)).to.deep.equal({ identity: newer, prekeys: [prekey] })
      }
    })

    it('tells when nothing is known', async () => {
      const world = directoryWorld()
      expect(await world.directory.lookup(alice.id)).to.equal(undefined)
      expect(world.directory.known(alice.id)).to.equal(undefined)
    })

    it('gives the identity when no prekey is found', async () => {
      const world = directoryWorld()
      world.dht.set(key, newer.bytes)
      expect(await world.directory.lookup(alice.id)).to.deep.equal({ identity: newer, prekeys: [] })
    })

    it('takes the best of all sources, by order', async () => {
      const world = directoryWorld()
      world.dht.set(key, older.bytes, newer.bytes, older.bytes)
      world.servers.set(key, rotated.bytes, older.bytes)
      world.dht.set(prekeyKey, newPrekey.bytes)
      world.servers.set(prekeyKey, prekey.bytes)
      expect(await world.directory.lookup(alice.id)).to.deep.equal({ identity: rotated, prekeys: [newPrekey] })
    })

    it('leaves out prekeys of devices that are revoked, and prekeys that expired', async () => {
      const world = directoryWorld()
      const other = createDevice(seededRandom(9), NOW)
      const revoking = alice.record({
        seq: NOW + 10,
        devices: [deviceEntry(other)],
        revoked: [deviceEntry(alice.device).signing],
      })
      world.dht.set(key, revoking.bytes)
      world.dht.set(prekeyKey, prekey.bytes)
      expect((await world.directory.lookup(alice.id))?.prekeys).to.deep.equal([])

      const later = directoryWorld({ protocolTime: () => NOW + 31 * DAY })
      later.dht.set(key, newer.bytes)
      later.dht.set(prekeyKey, prekey.bytes)
      expect(await later.directory.lookup(alice.id)).to.deep.equal({ identity: newer, prekeys: [] })
    })

    it('knows nothing usable any more when the best record expired, and takes no older one instead', async () => {
      let now = NOW
      const world = directoryWorld({ protocolTime: () => now })
      const short = alice.record({ seq: NOW + 10, expires: NOW + DAY })
      world.dht.set(key, short.bytes)
      expect((await world.directory.lookup(alice.id))?.identity).to.deep.equal(short)
      now = NOW + 2 * DAY
      world.dht.set(key, older.bytes)
      expect(await world.directory.lookup(alice.id)).to.equal(undefined)
      expect(world.directory.known(alice.id)).to.equal(undefined)
    })

    it('looks at a bounded number of values', async () => {
      let checked = 0
      const world = directoryWorld({
        verify: (...args) => {
          checked++
          return verify(...args)
        },
      })
      world.dht.set(key, ...Array.from({ length: 1000 }, () => older.bytes))
      await world.directory.lookup(alice.id)
      expect(checked).to.be.within(1, 64)
    })
  })

  describe('T1 nobody is rolled back', () => {
    it('T1 after a newer record was seen, an older one is never returned', async () => {
      const world = directoryWorld()
      world.dht.set(key, newer.bytes)
      world.dht.set(prekeyKey, newPrekey.bytes)
      await world.directory.lookup(alice.id)
      world.dht.set(key, older.bytes)
      world.dht.set(prekeyKey, prekey.bytes)
      world.servers.set(key, older.bytes)
      expect(await world.directory.lookup(alice.id)).to.deep.equal({ identity: newer, prekeys: [newPrekey] })
    })

    it('T1 also after a restart, for a contact', async () => {
      const world = directoryWorld()
      world.directory.pin(alice.id, newer.head, newer.bytes)
      await world.directory.stop()
      const again = directoryWorld({ store: world.store })
      await again.directory.start()
      again.dht.set(key, older.bytes)
      expect((await again.directory.lookup(alice.id))?.identity).to.deep.equal(newer)
    })

    it('T1 also when only the head is pinned: then nothing is better than the older record', async () => {
      const world = directoryWorld()
      world.directory.pin(alice.id, newer.head)
      world.dht.set(key, older.bytes)
      expect(await world.directory.lookup(alice.id)).to.equal(undefined)
      world.servers.set(key, newer.bytes)
      expect((await world.directory.lookup(alice.id))?.identity).to.deep.equal(newer)
    })

    it('T1 the author: an older own record is refused at the door, before and after a restart', async () => {
      const world = directoryWorld()
      await world.directory.publishOwn({ identity: newer.bytes, prekeys: [newPrekey.bytes] })
      await world.directory.stop()
      const again = directoryWorld({ store: world.store })
      await again.directory.start()
      for (const { directory } of [world, again]) {
        expect(codeOf(() => directory.validate(key, older.bytes))).to.equal('STALE_RECORD')
        expect(codeOf(() => directory.validate(prekeyKey, prekey.bytes))).to.equal('STALE_RECORD')
        expect(codeOf(() => directory.validate(key, newer.bytes))).to.equal(undefined)
      }
      again.dht.set(key, older.bytes)
      expect((await again.directory.lookup(alice.id))?.identity).to.deep.equal(newer)
      await again.directory.publishOwn({ identity: older.bytes, prekeys: [] }).then(
        () => expect.fail('was published'),
        (error: { code?: string }) => expect(error.code).to.equal('STALE_RECORD'),
      )
      await again.directory.stop()
    })

    it('T1 a store that asks which of two to keep never goes down, whatever comes', () => {
      const { directory } = directoryWorld()
      let kept: Uint8Array = older.bytes
      for (const value of [newer.bytes, older.bytes, ...lies().slice(0, 6), rotated.bytes, newer.bytes]) {
        if (directory.compare(key, value, kept) > 0) kept = value
      }
      expect(kept).to.deep.equal(rotated.bytes)
    })

    it('lets an older record of somebody else pass the door: the DHT would drop the peer that has it', async () => {
      const world = directoryWorld()
      world.directory.pin(alice.id, newer.head, newer.bytes)
      expect(codeOf(() => world.directory.validate(key, older.bytes))).to.equal(undefined)
      expect(world.directory.known(alice.id)?.identity).to.deep.equal(newer)
    })
  })

  describe('T2 one honest source is enough', () => {
    const honest = (records: FakeRecords): void => {
      records.set(key, newer.bytes)
      records.set(prekeyKey, prekey.bytes)
    }
    const found = { identity: newer, prekeys: [prekey] }

    it('T2 values that lie stand beside the good one', async () => {
      const world = directoryWorld()
      world.dht.set(key, ...lies(), newer.bytes, ...lies())
      world.dht.set(prekeyKey, ...lies(), prekey.bytes)
      expect(await world.directory.lookup(alice.id)).to.deep.equal(found)
    })

    for (const [name, good, bad] of [
      ['the DHT', 'servers', 'dht'],
      ['a server', 'dht', 'servers'],
    ] as const) {
      it(`T2 ${name} lies`, async () => {
        const world = directoryWorld()
        honest(world[good])
        world[bad].answer = async () => lies()
        expect(await world.directory.lookup(alice.id)).to.deep.equal(found)
      })

      it(`T2 ${name} fails`, async () => {
        const world = directoryWorld()
        honest(world[good])
        world[bad].answer = async () => {
          throw new Error('could not send correction')
        }
        expect(await world.directory.lookup(alice.id)).to.deep.equal(found)
      })

      it(`T2 ${name} never answers`, async () => {
        const world = directoryWorld()
        honest(world[good])
        world[bad].answer = async () => new Promise(() => {})
        const lookup = world.directory.lookup(alice.id)
        await settle()
        await world.clock.advance(10_000)
        await world.clock.advance(10_000)
        expect(await lookup).to.deep.equal(found)
        expect(world.clock.pending).to.equal(0)
      })
    }
  })

  describe('T3 two records of one seq', () => {
    it('T3 every node picks the same one and raises the alarm', async () => {
      for (const order of [
        [low, high],
        [high, low],
      ]) {
        const world = directoryWorld()
        world.dht.set(key, order[0]!.bytes)
        await world.directory.lookup(alice.id)
        world.dht.set(key, order[1]!.bytes)
        expect((await world.directory.lookup(alice.id))?.identity).to.deep.equal(low)
        expect(world.directory.compare(key, low.bytes, high.bytes)).to.be.greaterThan(0)
        expect(world.alarms.map((alarm) => alarm.kind)).to.deep.equal(['equivocation'])
      }
    })

    it('T3 a contact keeps its pin, whichever door the other record comes through', async () => {
      const world = directoryWorld()
      world.directory.pin(alice.id, high.head, high.bytes)
      expect(
        codeOf(() => world.directory.validate(key, low.bytes)),
        'stores converge',
      ).to.equal(undefined)
      expect(codeOf(() => world.directory.learn(low.bytes))).to.equal('STALE_RECORD')
      world.dht.set(key, low.bytes)
      expect((await world.directory.lookup(alice.id))?.identity).to.deep.equal(high)
      expect(world.alarms).to.have.length(1)
      world.dht.set(key, rotated.bytes)
      expect((await world.directory.lookup(alice.id))?.identity).to.deep.equal(rotated)
    })
  })

  describe('lookupFrom: an invite', () => {
    it('asks the servers of the invite, and accepts its pin or a higher record', async () => {
      for (const view of [newer, rotated]) {
        const world = directoryWorld()
        world.servers.set(key, view.bytes)
        world.servers.set(prekeyKey, prekey.bytes)
        const found = await world.directory.lookupFrom(alice.id, newer.head, ['/dns4/relay'])
        expect(found).to.deep.equal({ identity: view, prekeys: [prekey] })
        expect(world.asked).to.include('/dns4/relay')
      }
    })

    it('T4 with every DHT peer hostile the relay of the invite is enough', async () => {
      const world = directoryWorld()
      world.dht.answer = async () => [...lies(), older.bytes]
      world.servers.set(key, newer.bytes)
      world.servers.set(prekeyKey, prekey.bytes)
      expect((await world.directory.lookupFrom(alice.id, newer.head, ['r']))?.identity).to.deep.equal(newer)
    })

    it('takes nothing below the pin, and nothing beside it', async () => {
      const world = directoryWorld()
      world.dht.set(key, older.bytes, low.bytes)
      expect(await world.directory.lookupFrom(alice.id, high.head, ['r'])).to.equal(undefined)
      expect(await directoryWorld().directory.lookupFrom(alice.id, older.head, [])).to.equal(undefined)
    })

    it('takes the record that is pinned when both halves of an equivocation are about', async () => {
      for (const [pinned, other] of [
        [low, high],
        [high, low],
      ] as const) {
        const world = directoryWorld()
        world.dht.set(key, other.bytes, pinned.bytes)
        expect((await world.directory.lookupFrom(alice.id, pinned.head, []))?.identity).to.deep.equal(pinned)
      }
    })

    it('does not go below the pin of a contact for an old invite', async () => {
      const world = directoryWorld()
      world.directory.pin(alice.id, newer.head)
      world.dht.set(key, older.bytes)
      expect(await world.directory.lookupFrom(alice.id, older.head, [])).to.equal(undefined)
    })
  })

  describe('in band', () => {
    it('learns a record, and gives the higher one when it is known', () => {
      const { directory } = directoryWorld()
      expect(directory.learn(older.bytes)).to.deep.equal(older)
      expect(directory.learn(newer.bytes)).to.deep.equal(newer)
      expect(directory.learn(older.bytes)).to.deep.equal(newer)
    })

    it('learns nothing that is expired, forged or below a pin', () => {
      const { directory } = directoryWorld()
      for (const bytes of lies())
        expect(codeOf(() => directory.learn(bytes))).to.be.oneOf([
          undefined,
          'OVERSIZED',
          'MALFORMED',
          'FORGED',
          'RECORD_AHEAD',
          'RECORD_EXPIRED',
        ])
      expect(directory.known(alice.id)).to.equal(undefined)
      directory.pin(alice.id, newer.head)
      expect(codeOf(() => directory.learn(older.bytes))).to.equal('STALE_RECORD')
    })
  })

  describe('validate', () => {
    it('T5 refuses what may not be stored, without a signature check for cheap faults', () => {
      let checked = 0
      const { directory } = directoryWorld({
        verify: (...args) => {
          checked++
          return verify(...args)
        },
      })
      const cases: [string, Uint8Array, Uint8Array][] = [
        ['OVERSIZED', key, new Uint8Array(4097)],
        ['MALFORMED', key, new Uint8Array(10)],
        ['WRONG_KEY', identityRecordKey(mallory.id), newer.bytes],
        ['WRONG_KEY', new Uint8Array(41), newer.bytes],
        ['RECORD_AHEAD', key, alice.record({ seq: NOW + 3601 }).bytes],
        ['RECORD_EXPIRED', key, alice.record({ seq: NOW - 90 * DAY }).bytes],
      ]
      for (const [code, at, value] of cases) expect(codeOf(() => directory.validate(at, value))).to.equal(code)
      expect(checked).to.equal(0)
      expect(codeOf(() => directory.validate(key, newer.bytes))).to.equal(undefined)
      expect(checked).to.equal(1)
    })

    it('remembers nothing of strangers whose records it stores', () => {
      const { directory } = directoryWorld()
      directory.validate(key, newer.bytes)
      expect(directory.known(alice.id)).to.equal(undefined)
    })

    it('T49 a record of ours that this device never made is an alarm with the proof in it', async () => {
      const world = directoryWorld()
      await world.directory.publishOwn({ identity: older.bytes, prekeys: [] })
      world.directory.validate(key, newer.bytes)
      world.directory.validate(key, newer.bytes)
      expect(world.alarms.map((alarm) => alarm.kind)).to.deep.equal(['not-ours'])
      expect(world.alarms[0]!.record).to.deep.equal(newer.bytes)
      expect(world.directory.known(alice.id)?.identity).to.deep.equal(older)
      // the owner rotates, and is above whatever the thief signs
      expect(await world.directory.publishOwn({ identity: rotated.bytes, prekeys: [] })).to.be.greaterThan(0)
      await world.directory.stop()
    })
  })

  describe('publishing', () => {
    const own = { identity: newer.bytes, prekeys: [prekey.bytes] }

    it('puts both records into the DHT and at the servers, now and every 12 hours', async () => {
      const world = directoryWorld()
      expect(await world.directory.publishOwn(own)).to.equal(2)
      const keys = world.dht.puts.map((put) => put.key)
      expect(keys).to.deep.equal([key, prekeyKey])
      expect(world.servers.puts.map((put) => put.value)).to.deep.equal([newer.bytes, prekey.bytes])
      await world.clock.advance(12 * 3_600_000 - 1)
      expect(world.dht.puts).to.have.length(2)
      await world.clock.advance(1)
      expect(world.dht.puts).to.have.length(4)
      await world.clock.advance(24 * 3_600_000)
      expect(world.dht.puts).to.have.length(8)
      await world.directory.stop()
    })

    it('publishes a change at once, and from then on only the new record', async () => {
      const world = directoryWorld()
      await world.directory.publishOwn({ identity: older.bytes, prekeys: [prekey.bytes] })
      await world.directory.publishOwn(own)
      world.dht.puts.length = 0
      await world.clock.advance(12 * 3_600_000)
      expect(world.dht.puts.map((put) => put.value)).to.deep.equal([newer.bytes, prekey.bytes])
      expect(world.clock.pending).to.equal(1)
      await world.directory.stop()
    })

    it('tries again soon while nobody takes one, less and less often', async () => {
      const world = directoryWorld({ handToServers: undefined })
      world.dht.takers = 0
      expect(await world.directory.publishOwn(own)).to.equal(0)
      await world.clock.advance(15_000)
      expect(world.dht.puts).to.have.length(4)
      await world.clock.advance(29_000)
      expect(world.dht.puts).to.have.length(4)
      await world.clock.advance(3_600_000)
      expect(world.dht.puts.length).to.be.within(10, 24)
      world.dht.takers = 1
      await world.clock.advance(900_000)
      world.dht.puts.length = 0
      await world.clock.advance(11 * 3_600_000)
      expect(world.dht.puts).to.have.length(0)
      await world.directory.stop()
    })

    it('goes on when the network fails or hangs', async () => {
      const world = directoryWorld({ handToServers: async () => new Promise(() => {}) })
      world.dht.putRecord = async () => {
        throw new Error('no')
      }
      const publishing = world.directory.publishOwn(own)
      await settle()
      await world.clock.advance(60_000)
      expect(await publishing).to.equal(0)
      expect(world.clock.pending).to.be.greaterThan(0)
      await world.directory.stop()
    })

    it('stops', async () => {
      const world = directoryWorld()
      await world.directory.publishOwn(own)
      await world.directory.stop()
      expect(world.clock.pending).to.equal(0)
      await world.clock.advance(48 * 3_600_000)
      expect(world.dht.puts).to.have.length(2)
    })

    it('refuses to publish what is no record', async () => {
      const world = directoryWorld()
      await world.directory.publishOwn({ identity: prekey.bytes, prekeys: [] }).then(
        () => expect.fail('was published'),
        (error: { code?: string }) => expect(error.code).to.equal('MALFORMED'),
      )
      expect(world.dht.puts).to.have.length(0)
    })
  })

  it('keeps the device keys of a prekey apart from those of an identity', () => {
    expect(prekeyRecordKey(typeKey('ed25519', alice.deviceKeys.public))).to.deep.equal(prekeyKey)
  })
})
