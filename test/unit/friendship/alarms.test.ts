import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { Journal, Transaction } from '../../../node/delivery/journal.ts'
import { RecordMemory } from '../../../node/directory/record-memory.ts'
import { Alarms } from '../../../node/friendship/alarms.ts'
import { identityRecordKey, prekeyRecordKey } from '../../../node/identity/record-keys.ts'
import { idToText } from '../../../node/identity/root.ts'
import { silentLogger as logger } from '../../support/directory-fixtures.ts'
import { NOW, testPerson } from '../../support/identity-fixtures.ts'
import { createManualClock, settle } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const [alice, bob, stranger] = [testPerson(1), testPerson(2), testPerson(3)]

async function setUp() {
  const store = createMemoryStore()
  const clock = createManualClock()
  const journal = await Journal.open(store, clock)
  const believed = new Map([alice, bob].map((person) => [toHex(person.id), person.record().head]))
  const prekey = { key: prekeyRecordKey(alice.deviceKeys.public), seq: NOW }
  const create = () =>
    new Alarms({
      journal,
      store,
      clock,
      logger,
      self: alice.id,
      ownPrekey: () => prekey,
      believed: (id) => believed.get(toHex(id)),
      known: () => [alice.id, bob.id],
    })
  const alarms = create()
  const memory = new RecordMemory({ store, logger, onAlarm: (alarm) => alarms.record(alarm) })
  const told = async () => {
    await settle()
    return (await journal.eventsSince(0, 100)).map(({ event, detail }) => ({ event, ...detail }))
  }
  return { store, alarms, memory, told, believed, prekey, create }
}

describe('alarms about identities', () => {
  it('T3 tell of two records of a contact for one place, once, and of a stranger never', async () => {
    const { memory, told } = await setUp()
    for (const person of [bob, stranger]) {
      const key = identityRecordKey(person.id)
      for (const maxVersion of [2, 3, 4]) memory.offer(key, person.record({ seq: NOW + 1, maxVersion }))
    }
    expect(await told()).to.deep.equal([{ event: 'alarm', kind: 'equivocation', id: idToText(bob.id) }])
  })

  it('tell of a record of the own identity that was not signed here', async () => {
    const { memory, alarms, told } = await setUp()
    const key = identityRecordKey(alice.id)
    memory.own(key, alice.record())
    memory.offer(key, alice.record({ seq: NOW + 1 }))
    for (let i = 0; i < 3; i++) alarms.raise('unknown-head', bob.id, { head: alice.record({ seq: NOW + 1 }).head })
    expect(await told()).to.have.deep.members([
      { event: 'alarm', kind: 'not-ours', id: idToText(alice.id) },
      { event: 'alarm', kind: 'unknown-head', id: idToText(bob.id) },
    ])
  })

  it('are told later when the disk could not take them', async () => {
    const { store, alarms, told, create } = await setUp()
    const write = store.write.bind(store)
    store.write = async () => Promise.reject(new Error('no room'))
    // an equivocation is offered once in a run
    alarms.raise('equivocation', bob.id, { head: bob.record().head })
    expect(await told()).to.deep.equal([])
    expect(alarms.list(), 'it stands all the same').to.have.lengthOf(1)
    store.write = write
    alarms.write()
    expect(await told()).to.have.length(1)
    alarms.write()
    expect(await told()).to.have.length(1)
    const again = create()
    await again.load()
    expect(again.list()).to.deep.equal(alarms.list())
  })

  it('T3 stand over restarts, with their proof, until the root key was rotated past them', async () => {
    const { memory, alarms, told, believed, create } = await setUp()
    const key = identityRecordKey(bob.id)
    const [first, second] = [bob.record({ maxVersion: 2 }), bob.record({ maxVersion: 3 })]
    for (const view of [first, second]) memory.offer(key, view)
    const again = create()
    await told()
    await again.load()
    expect(again.list()).to.deep.equal(alarms.list())
    expect(again.list()).to.have.lengthOf(1)
    expect(again.list()[0]).to.deep.include({
      kind: 'equivocation',
      id: bob.id,
      head: second.head,
      record: second.bytes,
    })
    expect(again.contradicting(bob.id)).to.deep.equal(second.head)
    again.raise('equivocation', bob.id, { head: first.head })
    expect(await told(), 'told once').to.have.lengthOf(1)
    believed.set(toHex(bob.id), { ...first.head, events: 1 })
    expect([again.list(), again.contradicting(bob.id)]).to.deep.equal([[], undefined])
    // a thief of the next root is another matter
    again.raise('equivocation', bob.id, { head: { ...second.head, events: 1 } })
    expect(await told()).to.have.lengthOf(2)
    const last = create()
    await last.load()
    expect(last.list().map(({ head }) => head.events)).to.deep.equal([1])
  })

  it('name what a friend never signed', async () => {
    const { alarms } = await setUp()
    const { head } = bob.record({ seq: NOW + 1 })
    expect(alarms.isDisowned(head.hash)).to.equal(false)
    alarms.raise('not-theirs', bob.id, { head })
    expect(alarms.isDisowned(head.hash)).to.equal(true)
    alarms.raise('not-theirs', stranger.id, { head: stranger.record().head })
    expect(alarms.list()).to.have.lengthOf(1)
  })

  it('disown every record that a friend never signed, tell of the first, and give back what the friend names', async () => {
    const { alarms, told, create } = await setUp()
    const forged = Array.from({ length: 10 }, (_, i) => bob.record({ seq: NOW + 1 + i }))
    for (const { head, bytes } of forged) alarms.raise('not-theirs', bob.id, { head, record: bytes })
    expect(await told()).to.have.lengthOf(1)
    const again = create()
    await again.load()
    for (const one of [alarms, again]) {
      // what lies below those is not used either
      const disowned = forged.map(({ hash }) => one.isDisowned(hash))
      expect(disowned).to.deep.equal(forged.map((_, i) => i >= 2))
      expect(one.list()).to.have.lengthOf(1)
      expect(one.list()[0]!.record).to.not.equal(undefined)
    }
    const last = forged.at(-1)!
    alarms.owned(bob.id, last.hash)
    await told()
    expect([alarms.isDisowned(last.hash), alarms.isDisowned(forged[8]!.hash)]).to.deep.equal([false, true])
    const third = create()
    await third.load()
    expect(third.isDisowned(last.hash)).to.equal(false)
  })

  it('of what a friend alone says end with the next rotation, and with the friendship', async () => {
    const { alarms, believed, store, create } = await setUp()
    const own = alice.record().head
    const lie = { ...own, events: 8, hash: new Uint8Array(32) }
    alarms.raise('unknown-head', bob.id, { head: lie })
    expect(alarms.list()).to.have.lengthOf(1)
    believed.set(toHex(alice.id), { ...own, events: 1 })
    expect(alarms.list()).to.deep.equal([])
    alarms.raise('unknown-head', bob.id, { head: lie })
    expect(alarms.list(), 'who goes on is told of again').to.have.lengthOf(1)
    const journal = await Journal.open(store, createManualClock())
    const tx = new Transaction()
    alarms.forget(tx, bob.id)
    await journal.commit(tx)
    expect(alarms.list()).to.deep.equal([])
    const again = create()
    await again.load()
    expect(again.list()).to.deep.equal([])
  })

  it('T26 tell of keys of this device that were made elsewhere, until newer ones are made here', async () => {
    const { memory, alarms, told, prekey } = await setUp()
    memory.own(prekey.key, alice.prekey())
    memory.offer(prekey.key, alice.prekey())
    expect(alarms.list(), 'its own').to.deep.equal([])
    memory.offer(prekey.key, alice.prekey({ seq: NOW + 1 }))
    expect(alarms.list().map(({ kind }) => kind)).to.deep.equal(['copy'])
    expect(await told()).to.deep.equal([{ event: 'alarm', kind: 'copy', id: idToText(alice.id) }])
    prekey.seq = NOW + 2
    expect(alarms.list()).to.deep.equal([])
    // it goes on
    memory.offer(prekey.key, alice.prekey({ seq: NOW + 3 }))
    expect(alarms.list()).to.have.lengthOf(1)
    expect(await told()).to.have.lengthOf(2)
  })
})
