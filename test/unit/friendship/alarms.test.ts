import { expect } from 'chai'
import { Journal } from '../../../node/delivery/journal.ts'
import { RecordMemory } from '../../../node/directory/record-memory.ts'
import { Alarms } from '../../../node/friendship/alarms.ts'
import { identityRecordKey } from '../../../node/identity/record-keys.ts'
import { idToText } from '../../../node/identity/root.ts'
import { silentLogger as logger } from '../../support/directory-fixtures.ts'
import { NOW, testPerson } from '../../support/identity-fixtures.ts'
import { createManualClock, settle } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const [alice, bob, stranger] = [testPerson(1), testPerson(2), testPerson(3)]

async function setUp() {
  const store = createMemoryStore()
  const journal = await Journal.open(store, createManualClock())
  const alarms = new Alarms({ journal, logger, known: () => [alice.id, bob.id] })
  const memory = new RecordMemory({ store, logger, onAlarm: (alarm) => alarms.record(alarm) })
  const told = async () => {
    await settle()
    return (await journal.eventsSince(0, 100)).map(({ event, detail }) => ({ event, ...detail }))
  }
  return { store, alarms, memory, told }
}

describe('alarms about identities', () => {
  it('T3 tell of two records of a contact for one place, once a run, and of a stranger never', async () => {
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
    for (let i = 0; i < 3; i++) alarms.raise('unknown-head', bob.id)
    expect(await told()).to.have.deep.members([
      { event: 'alarm', kind: 'not-ours', id: idToText(alice.id) },
      { event: 'alarm', kind: 'unknown-head', id: idToText(bob.id) },
    ])
  })

  it('are told later when the disk could not take them', async () => {
    const { store, alarms, told } = await setUp()
    const write = store.write.bind(store)
    store.write = async () => Promise.reject(new Error('no room'))
    alarms.raise('unknown-head', bob.id)
    expect(await told()).to.deep.equal([])
    store.write = write
    alarms.raise('unknown-head', bob.id)
    expect(await told()).to.have.length(1)
  })
})
