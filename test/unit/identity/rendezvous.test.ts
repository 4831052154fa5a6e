import { expect } from 'chai'
import { admitRecordAt, compareRecordsAt } from '../../../node/identity/record-keys.ts'
import {
  checkRendezvous,
  createRendezvous,
  openRendezvous,
  type RendezvousPlace,
  rendezvousKeys,
  rendezvousWeek,
} from '../../../node/identity/rendezvous.ts'

const NOW = 1_800_000_000
const DAY = 86_400
const secret = new Uint8Array(32).fill(7)
const nonce = new Uint8Array(24).fill(9)
const keys = rendezvousKeys(secret, rendezvousWeek(NOW))
const peer = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
const relay = (i: number): string => `/ip4/192.0.2.${i}/tcp/4301/p2p/${peer}`
const place: RendezvousPlace = { relays: [relay(1), relay(2)] }

function make(seq = NOW, told = place): Uint8Array {
  return createRendezvous(keys, { seq, nonce, place: told })
}

describe('rendezvous record', () => {
  it('says to the friend where to write, in 512 bytes whatever it says', () => {
    for (const told of [place, { relays: [] }, { relays: [relay(1), relay(2), relay(3), relay(4)] }]) {
      expect(make(NOW, told)).to.have.lengthOf(512)
    }
    expect(openRendezvous(keys, make(), NOW)).to.deep.equal({ seq: NOW, place })
    expect(() => admitRecordAt(keys.recordKey, make(), { now: NOW })).to.not.throw()
  })

  it('leaves out of addresses and then of relays what does not fit', () => {
    const relays = [relay(1), relay(2), relay(3), relay(4)]
    const peerId = new Uint8Array(38).fill(1)
    const many = openRendezvous(keys, make(NOW, { relays, peerId, addresses: [relay(5)] }), NOW).place
    expect(many.addresses).to.equal(undefined)
    expect(many.relays).to.deep.equal(relays.slice(0, many.relays.length))
    expect(many.relays.length).to.be.within(3, 4)
    const one = { relays: [relay(1)], peerId, addresses: [relay(5), relay(6)] }
    const few = openRendezvous(keys, make(NOW, one), NOW).place
    expect(few.relays).to.deep.equal([relay(1)])
    expect(few.addresses).to.deep.equal([relay(5), relay(6)])
  })

  it('lies at another place for each direction and each week', () => {
    const other = rendezvousKeys(new Uint8Array(32).fill(8), rendezvousWeek(NOW))
    const next = rendezvousKeys(secret, rendezvousWeek(NOW) + 1)
    const places = [keys, other, next].map(({ recordKey }) => Buffer.from(recordKey).toString('hex'))
    expect(new Set(places).size).to.equal(3)
    expect(() => openRendezvous(other, make(), NOW)).to.throw()
    expect(() => openRendezvous(next, make(), NOW)).to.throw()
  })

  it('is held by nobody with a flipped bit, another length, or out of its time', () => {
    const record = make()
    for (const at of [0, 1, 2, 8, 9, 200, 447, 448, 511]) {
      const bad = record.slice()
      bad[at]! ^= 0x40
      expect(() => admitRecordAt(keys.recordKey, bad, { now: NOW }), `byte ${at}`).to.throw()
    }
    for (const length of [0, 1, 511]) {
      expect(() => admitRecordAt(keys.recordKey, record.slice(0, length), { now: NOW })).to.throw()
    }
    expect(() => admitRecordAt(keys.recordKey, new Uint8Array(513), { now: NOW })).to.throw()
    expect(() => admitRecordAt(keys.recordKey, record, { now: NOW + 7 * DAY - 1 })).to.not.throw()
    expect(() => admitRecordAt(keys.recordKey, record, { now: NOW + 7 * DAY })).to.throw()
    expect(() => admitRecordAt(keys.recordKey, record, { now: NOW - 3601 })).to.throw()
    expect(checkRendezvous(keys.recordKey, record)).to.equal(NOW)
  })

  it('has an order in which the newer wins, and garbage loses', () => {
    const [older, newer] = [make(NOW), make(NOW + 1)]
    expect(compareRecordsAt(keys.recordKey, newer, older)).to.be.greaterThan(0)
    expect(compareRecordsAt(keys.recordKey, older, newer)).to.be.lessThan(0)
    expect(compareRecordsAt(keys.recordKey, older, older)).to.equal(0)
    expect(compareRecordsAt(keys.recordKey, new Uint8Array(512).fill(255), older)).to.be.lessThan(0)
  })
})
