/** When a node takes states that were overwritten out of the files of its database. */
import { expect } from 'chai'
import { OldRows } from '../../../node/person/old-rows.ts'
import { TABLE, type Table } from '../../../node/ports.ts'
import { silentLogger as logger } from '../../support/directory-fixtures.ts'
import { createManualClock, settle } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const MINUTE = 60_000
const DAY = 86_400_000

describe('states that were overwritten', () => {
  it('T25 leave the files soon after a start, once a day, and at the end of a run', async () => {
    const clock = createManualClock()
    const shredded: Table[] = []
    const store = { ...createMemoryStore(), shredTable: async (table: Table) => void shredded.push(table) }
    const times = async (): Promise<number> => {
      await settle()
      return shredded.filter((table) => table === TABLE.session).length
    }
    const rows = new OldRows({ clock, store, logger })
    rows.start()
    await clock.advance(9 * MINUTE)
    expect(await times()).to.equal(0)
    await clock.advance(MINUTE)
    expect(await times()).to.equal(1)
    for (let day = 2; day < 5; day++) {
      await clock.advance(DAY)
      expect(await times()).to.equal(day)
    }
    await rows.stop()
    expect(await times()).to.equal(5)
    expect(shredded).to.include(TABLE.contact)
    await clock.advance(2 * DAY)
    expect(await times()).to.equal(5)
  })

  it('keep no node from ending when the disk fails', async () => {
    const store = { ...createMemoryStore(), shredTable: async () => Promise.reject(new Error('no disk')) }
    await new OldRows({ clock: createManualClock(), store, logger }).stop()
  })
})
