import { expect } from 'chai'
import { compare } from '../../../node/crypto/bytes.ts'
import { type RecordAlarm, RecordMemory } from '../../../node/directory/record-memory.ts'
import { identityRecordKey, prekeyRecordKey } from '../../../node/identity/record-keys.ts'
import type { IdentityView } from '../../../node/identity/records.ts'
import { createKeyEvent } from '../../../node/identity/root.ts'
import { createMemoryStore } from '../../support/memory-store.ts'
import { codeOf, NOW, testPerson } from '../../support/identity-fixtures.ts'
import { silentLogger } from '../../support/directory-fixtures.ts'

const alice = testPerson(1)
const key = identityRecordKey(alice.id)
const first = alice.record()
const second = alice.record({ seq: NOW + 10 })
const rotated = alice.record({ events: [createKeyEvent(alice.entropy, [])] })
// two records of one seq: `low` has the lower hash
const [low, high] = [
  alice.record({ seq: NOW + 20, maxVersion: 2 }),
  alice.record({ seq: NOW + 20, maxVersion: 3 }),
].sort((a, b) => compare(a.hash, b.hash)) as [IdentityView, IdentityView]

function world(store = createMemoryStore()) {
  const alarms: RecordAlarm[] = []
  const memory = new RecordMemory({ store, logger: silentLogger, onAlarm: (alarm) => alarms.push(alarm) })
  return { store, alarms, memory }
}

const keyOf = (i: number): Uint8Array => identityRecordKey(Uint8Array.of(i >> 8, i & 255))

describe('directory/record-memory', () => {
  it('T1 keeps the highest record of a stranger, in whatever order they come', () => {
    const { memory, alarms } = world()
    expect(memory.get(key)).to.equal(undefined)
    expect(memory.offer(key, first)).to.equal('newer')
    expect(memory.offer(key, second)).to.equal('newer')
    expect(memory.offer(key, first)).to.equal('older')
    expect(memory.offer(key, second)).to.equal('same')
    expect(memory.offer(key, rotated)).to.equal('newer')
    expect(memory.offer(key, second)).to.equal('older')
    expect(memory.get(key)).to.deep.equal(rotated)
    expect(alarms).to.deep.equal([])
  })

  it('T1 keeps the pin of a contact across restarts', async () => {
    const { memory, store } = world()
    memory.pin(key, first.head)
    memory.offer(key, second)
    await memory.flush()
    const again = world(store)
    await again.memory.load()
    expect(again.memory.get(key)).to.deep.equal(second)
    expect(again.memory.offer(key, first)).to.equal('older')
    expect(again.memory.headOf(key)).to.deep.equal(second.head)
  })

  it('T1 a record of ours is never lowered, by others or by ourselves', async () => {
    const { memory, store } = world()
    expect(memory.own(key, second)).to.equal(true)
    expect(memory.own(key, second)).to.equal(true)
    expect(memory.own(key, first)).to.equal(false)
    expect(memory.offer(key, first)).to.equal('older')
    await memory.flush()
    const again = world(store)
    await again.memory.load()
    expect(again.memory.own(key, first)).to.equal(false)
    expect(again.memory.get(key)).to.deep.equal(second)
    expect(again.memory.own(key, low)).to.equal(true)
    expect(again.memory.own(key, high), 'two of one place').to.equal(false)
  })

  it('a higher record of ours that this device never made is an alarm and is not followed', () => {
    const { memory, alarms } = world()
    memory.own(key, first)
    expect(memory.offer(key, second)).to.equal('newer')
    expect(memory.get(key)).to.deep.equal(first)
    expect(alarms.map((alarm) => [alarm.kind, alarm.offered])).to.deep.equal([['not-ours', second.head]])
    expect(alarms[0]!.record).to.deep.equal(second.bytes)
  })

  it('T3 two records of one seq: an alarm, and the same winner on every node', () => {
    for (const order of [
      [low, high],
      [high, low],
      [high, low, high, low],
    ]) {
      const { memory, alarms } = world()
      for (const view of order) memory.offer(key, view)
      expect(memory.get(key)).to.deep.equal(low)
      expect(alarms.length).to.be.within(1, 2)
      expect(alarms.every((alarm) => alarm.kind === 'equivocation')).to.equal(true)
    }
  })

  it('T3 a contact keeps its pin, hears the alarm once, and follows only a higher one', () => {
    for (const [pinned, other] of [
      [low, high],
      [high, low],
    ] as const) {
      const { memory, alarms } = world()
      memory.pin(key, pinned.head)
      memory.offer(key, pinned)
      for (let i = 0; i < 5; i++) expect(memory.offer(key, other)).to.equal('equivocation')
      expect(memory.get(key)).to.deep.equal(pinned)
      expect(alarms).to.have.length(1)
      expect(memory.offer(key, rotated)).to.equal('newer')
      expect(memory.get(key)).to.deep.equal(rotated)
    }
  })

  it('pins a head alone, and then believes only that record or a higher one', () => {
    const { memory, alarms } = world()
    memory.pin(key, high.head)
    expect(memory.get(key)).to.equal(undefined)
    expect(memory.offer(key, first)).to.equal('older')
    expect(memory.offer(key, low)).to.equal('equivocation')
    expect(memory.get(key)).to.equal(undefined)
    expect(alarms).to.have.length(1)
    expect(memory.offer(key, high)).to.equal('same')
    expect(memory.get(key)).to.deep.equal(high)
  })

  it('a pin takes over what was seen when it is not lower, and replaces it when it is', () => {
    const kept = world().memory
    kept.offer(key, second)
    kept.pin(key, first.head)
    expect(kept.get(key)).to.deep.equal(second)
    const replaced = world().memory
    replaced.offer(key, first)
    replaced.pin(key, second.head)
    expect(replaced.get(key)).to.equal(undefined)
    expect(replaced.headOf(key)).to.deep.equal(second.head)
    // a pin is never lowered by another
    replaced.pin(key, first.head)
    expect(replaced.headOf(key)).to.deep.equal(second.head)
  })

  it('forgets strangers at the bound, the least recently used first, and never a pin', () => {
    const { memory } = world()
    const pinned = prekeyRecordKey(alice.deviceKeys.public)
    const prekey = alice.prekey()
    memory.own(pinned, prekey)
    memory.pin(key, first.head)
    for (let i = 0; i < 1000; i++) memory.offer(keyOf(i), first)
    expect(memory.size).to.equal(1002)
    memory.get(keyOf(0)) // used again
    for (let i = 1000; i < 1500; i++) memory.offer(keyOf(i), first)
    expect(memory.size).to.equal(1002)
    expect(memory.headOf(keyOf(0))).to.deep.equal(first.head)
    expect(memory.headOf(keyOf(1))).to.equal(undefined)
    expect(memory.headOf(key)).to.deep.equal(first.head)
    expect(memory.get(pinned)).to.deep.equal(prekey)
  })

  it('has a bound for pins', () => {
    const { memory } = world()
    for (let i = 0; i < 4096; i++) memory.pin(identityRecordKey(Uint8Array.of(i >> 8, i & 255)), first.head)
    expect(codeOf(() => memory.pin(key, first.head))).to.equal('TOO_MANY')
  })

  it('writes nothing of strangers, and takes an unpinned contact off the disk', async () => {
    const { memory, store } = world()
    memory.offer(key, first)
    await memory.flush()
    expect(store.size).to.equal(0)
    memory.pin(key, first.head)
    await memory.flush()
    expect(store.size).to.equal(1)
    memory.unpin(key)
    await memory.flush()
    expect(store.size).to.equal(0)
    expect(memory.headOf(key)).to.equal(undefined)
  })

  it('writes what changes together in one batch, and tries again what failed', async () => {
    const { memory, store } = world()
    for (let i = 0; i < 20; i++) memory.pin(identityRecordKey(Uint8Array.of(i)), first.head)
    await memory.flush()
    expect([store.writes, store.size]).to.deep.equal([1, 20])
    store.fail(1)
    memory.pin(key, first.head)
    await memory.flush()
    expect(store.size).to.equal(20)
    memory.offer(key, second)
    await memory.flush()
    expect(store.size).to.equal(21)
  })

  it('loads more rows than one page, and leaves damaged ones out', async () => {
    const { memory, store } = world()
    for (let i = 0; i < 1200; i++) memory.pin(identityRecordKey(Uint8Array.of(i >> 8, i & 255)), first.head)
    await memory.flush()
    await store.write([
      { key: { table: 12, scope: new Uint8Array(0), position: new Uint8Array(8) }, value: Uint8Array.of(1) },
    ])
    const again = world(store)
    await again.memory.load()
    expect(again.memory.size).to.equal(1200)
  })
})
