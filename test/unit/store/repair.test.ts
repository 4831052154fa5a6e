/** Repair of real databases: what is kept and lost is counted, a copy stays, sessions are not trusted afterwards. */
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { u32, utf8 } from '../../../node/crypto/bytes.ts'
import { type RowKey, TABLE, type Table } from '../../../node/ports.ts'
import { checkContents, checkDirectory } from '../../../node/store/examine.ts'
import { createHome, openHome } from '../../../node/store/home.ts'
import { homePaths } from '../../../node/store/home-directory.ts'
import { openLevel } from '../../../node/store/level.ts'
import { repairHome } from '../../../node/store/repair.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const ENTROPY = new Uint8Array(32).fill(9)
const NOW = Date.UTC(2026, 10, 21)
const random = countingRandom('repaired homes')
const source = { role: 'node', unlock: { entropy: ENTROPY } } as const
const row = (table: Table, i: number): RowKey => ({ table, scope: utf8('s'), position: u32(i) })

const open = (path: string) => openHome({ path, role: 'node', unlock: { entropy: ENTROPY }, random })

async function close(path: string): Promise<boolean> {
  const { store, isChanged } = await open(path)
  await store.close()
  return isChanged
}

/** Flips a byte in the value of the first row of each table named. */
async function spoil(path: string, ...tables: number[]): Promise<void> {
  const level = await openLevel(homePaths(path).db, false)
  for (const table of tables) {
    const range = { gte: Uint8Array.of(table), lt: Uint8Array.of(table + 1), limit: 1, reverse: false }
    const [[key, value]] = (await level.iterator(range).all()) as [[Uint8Array, Uint8Array]]
    const spoiled = new Uint8Array(value)
    spoiled[40]! ^= 1
    await level.batch([{ type: 'put', key: new Uint8Array(key), value: spoiled }], { sync: true })
  }
  await level.close()
}

describe('repair', () => {
  const temporaryDirectory = temporaryDirectories()
  let path: string
  beforeEach(async () => {
    path = join(await temporaryDirectory(), 'home')
    await createHome({
      path,
      passphrase: 'correct horse battery staple',
      entropy: ENTROPY,
      random,
      cost: { memoryKib: 19 * 1024, passes: 1, lanes: 1 },
      populate: (store) =>
        store.write(
          [TABLE.identity, TABLE.contact, TABLE.history].flatMap((table) =>
            [0, 1, 2].map((i) => ({ key: row(table, i), value: utf8(`row ${i}`) })),
          ),
        ),
    })
  })

  it('takes out what does not authenticate, says how much of what, and keeps a copy', async () => {
    await spoil(path, TABLE.contact, TABLE.history)
    const [vault, database] = await checkContents(path, source)
    expect(vault).to.include({ name: 'vault', state: 'ok' })
    expect(database).to.include({ state: 'failed', detail: '9 rows are sound; damaged: 1 contact, 1 history' })
    const { store } = await open(path)
    expect(await rejection(store.list(row(TABLE.contact, 0)))).to.have.property('code', 'STORE_DAMAGED')
    expect(await store.list(row(TABLE.history, 0)), 'a message can be spared').to.have.length(2)
    await store.close()

    const { copy, isRebuilt, kept, lost } = await repairHome(path, source, random, NOW)
    expect(lost).to.deep.equal({ contact: 1, history: 1 })
    expect(kept).to.deep.equal({ meta: 2, identity: 3, contact: 2, history: 2 })
    expect(isRebuilt).to.equal(false)
    expect(copy).to.equal(`${homePaths(path).db}.damaged-2026-11-21T00-00-00-000Z`)
    expect(await readdir(copy)).to.include('CURRENT')
    expect((await checkContents(path, source))[1]).to.include({ state: 'ok' })
    const after = await open(path)
    expect(await after.store.list(row(TABLE.contact, 0))).to.have.length(2)
    expect(after.isChanged, 'sessions may have been set back').to.equal(true)
    await after.store.close()
  })

  it('builds the list of files anew, and loses what lay in files that are gone', async () => {
    await close(path)
    const { db } = homePaths(path)
    const table = (await readdir(db)).find((name) => name.endsWith('.ldb'))!
    await truncate(join(db, table), 50)
    const { isRebuilt, kept } = await repairHome(path, source, random, NOW)
    expect(isRebuilt).to.equal(true)
    expect(Object.keys(kept)).not.to.include('history')
    expect(await close(path)).to.equal(true)
  })

  it('says that nothing is left when nothing is', async () => {
    const { db } = homePaths(path)
    for (const name of await readdir(db)) await rm(join(db, name))
    expect((await repairHome(path, source, random, NOW)).kept).to.deep.equal({})
  })

  it('touches nothing with a wrong key, or while a node holds the home', async () => {
    const wrong = { role: 'node', unlock: { entropy: new Uint8Array(32) } } as const
    expect(await rejection(repairHome(path, wrong, random, NOW))).to.have.property('code', 'WRONG_WORDS')
    const { store } = await open(path)
    expect(await rejection(repairHome(path, source, random, NOW))).to.have.property('code', 'HOME_IN_USE')
    expect(await rejection(checkContents(path, source))).to.have.property('code', 'HOME_IN_USE')
    await store.close()
    expect((await readdir(path)).filter((name) => name.startsWith('db'))).to.deep.equal(['db'])
    expect(await close(path)).to.equal(false)
  })

  it('checks without a key that the files can be read, and names a vault that is damaged', async () => {
    const [vault, database] = await checkContents(path, { role: 'node', unlock: undefined })
    expect(vault).to.include({ state: 'skipped' })
    expect(database).to.include({ state: 'ok', detail: 'opens, 11 rows, not looked into' })
    const file = homePaths(path).vault
    const whole = await readFile(file)
    await writeFile(file, whole.subarray(0, 20))
    expect((await checkContents(path, source))[0]).to.include({ state: 'failed' })
    expect(await checkDirectory(join(path, 'nowhere'))).to.have.nested.property('[0].state', 'failed')
    await writeFile(file, whole)
    expect(await close(path), 'a look changes nothing').to.equal(false)
    expect(await checkDirectory(path)).to.have.nested.property('[0].state', 'ok')
  })
})
