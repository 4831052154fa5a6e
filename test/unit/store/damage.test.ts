/**
 * Homes whose files were damaged, put back or copied: nothing is replaced in silence, and what was not left like this by
 * kith is noticed at the next start (T26), on real directories.
 */
import { cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { u32, utf8 } from '../../../node/crypto/bytes.ts'
import { type RowKey, TABLE } from '../../../node/ports.ts'
import { createHome, openHome } from '../../../node/store/home.ts'
import { hasIdentity, homePaths } from '../../../node/store/home-directory.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const ENTROPY = new Uint8Array(32).fill(9)
const random = countingRandom('damaged homes')
const row = (i: number): RowKey => ({ table: TABLE.history, scope: utf8('talk'), position: u32(i) })
const ROWS = 40

const open = (path: string) => openHome({ path, role: 'node', unlock: { entropy: ENTROPY }, random })

/** Opens and closes the home as a node does. */
async function run(path: string, rows: readonly number[] = []): Promise<boolean> {
  const { store, isChanged } = await open(path)
  for (const i of rows) await store.write([{ key: row(i), value: new Uint8Array(1000).fill(i) }])
  await store.close()
  return isChanged
}

async function newest(db: string, fits: RegExp): Promise<string> {
  const names = (await readdir(db)).filter((name) => fits.test(name)).toSorted()
  return join(db, names.at(-1)!)
}

async function flip(path: string, share: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[Math.floor(bytes.length * share)]! ^= 0x55
  await writeFile(path, bytes)
}

const halve = async (path: string): Promise<void> => truncate(path, Math.floor((await stat(path)).size / 2))

describe('a damaged home', () => {
  const temporaryDirectory = temporaryDirectories()
  let path: string
  let db: string
  beforeEach(async () => {
    path = join(await temporaryDirectory(), 'home')
    db = homePaths(path).db
    await createHome({
      path,
      passphrase: 'correct horse battery staple',
      entropy: ENTROPY,
      random,
      cost: { memoryKib: 19 * 1024, passes: 1, lanes: 1 },
      populate: (store) => store.write([{ key: row(0), value: utf8('first') }]),
    })
    await run(
      path,
      Array.from({ length: ROWS }, (_, i) => i),
    )
    // what the run before left in the log lies in a table now
    await run(path, [ROWS])
  })

  const fatal: [string, () => Promise<unknown>][] = [
    ['CURRENT is gone', () => rm(join(db, 'CURRENT'))],
    ['CURRENT is garbage', () => writeFile(join(db, 'CURRENT'), 'x')],
    ['the list of files is gone', async () => rm(await newest(db, /^MANIFEST/))],
    ['the list of files is cut', async () => truncate(await newest(db, /^MANIFEST/), 20)],
    ['a byte of the list is flipped', async () => flip(await newest(db, /^MANIFEST/), 0.4)],
    ['a table is gone', async () => rm(await newest(db, /ldb$/))],
    [
      'all files are gone',
      async () => {
        for (const name of await readdir(db)) await rm(join(db, name))
      },
    ],
    ['the database is gone', () => rm(db, { recursive: true })],
  ]
  for (const [name, damage] of fatal) {
    it(`is told and left as it is when ${name}`, async () => {
      await damage()
      const before = await readdir(path)
      for (let i = 0; i < 2; i++) {
        const error = await rejection(open(path))
        expect(error).to.have.property('code', 'STORE_DAMAGED')
        expect(error).to.have.property('hint').that.contains('kith doctor')
      }
      expect((await readdir(path)).filter((entry) => entry !== 'db')).to.deep.equal(
        before.filter((entry) => entry !== 'db'),
      )
      const files: string[] = await readdir(db).catch(() => [])
      const isKept = !/^(CURRENT is gone|all|the database)/.test(name)
      expect(files.includes('CURRENT'), 'no new database').to.equal(isKept)
    })
  }

  const silent: [string, () => Promise<unknown>][] = [
    ['the log is cut', async () => halve(await newest(db, /log$/))],
    ['a byte of the log is flipped', async () => flip(await newest(db, /log$/), 0.5)],
  ]
  for (const [name, damage] of silent) {
    it(`T26 is noticed when ${name}, which LevelDB passes over`, async () => {
      expect(await run(path)).to.equal(false)
      await run(path, [1, 2, 3])
      await damage()
      expect(await run(path)).to.equal(true)
      expect(await run(path), 'until somebody has seen to it').to.equal(true)
      const { store, acceptChange } = await open(path)
      await acceptChange()
      await store.close()
      expect(await run(path)).to.equal(false)
    })
  }

  it('does not take a vault that is gone for no home, nor make a new one over it', async () => {
    await rm(homePaths(path).vault)
    expect(await rejection(hasIdentity(path))).to.have.property('code', 'VAULT_MISSING')
    expect(await rejection(open(path))).to.have.property('code', 'VAULT_MISSING')
    const again = createHome({
      path,
      passphrase: 'correct horse battery staple',
      random,
      populate: () => Promise.reject(new Error('must not be asked')),
    })
    expect(await rejection(again)).to.have.property('code', 'VAULT_MISSING')
  })

  it('says that a vault is damaged when it is cut or empty', async () => {
    const { vault } = homePaths(path)
    const whole = await readFile(vault)
    for (const length of [0, 1, whole.length - 1]) {
      await writeFile(vault, whole.subarray(0, length))
      expect(await rejection(open(path))).to.have.property('code', 'VAULT_DAMAGED')
    }
    await writeFile(vault, whole)
    expect(await run(path)).to.equal(false)
  })

  it('T26 a copy of the home is noticed at its first start, the original goes on', async () => {
    const copy = `${path}-copy`
    await cp(path, copy, { recursive: true, preserveTimestamps: true })
    expect(await run(copy)).to.equal(true)
    expect(await run(copy)).to.equal(true)
    expect(await run(path)).to.equal(false)
  })

  it('T26 yesterday’s home is noticed, and so is yesterday’s database in today’s home', async () => {
    const yesterday = `${path}-yesterday`
    await cp(path, yesterday, { recursive: true, preserveTimestamps: true })
    await run(path, [1])
    await rm(db, { recursive: true })
    await cp(join(yesterday, 'db'), db, { recursive: true, preserveTimestamps: true })
    expect(await run(path), 'the database alone').to.equal(true)
    await rm(path, { recursive: true })
    await cp(yesterday, path, { recursive: true, preserveTimestamps: true })
    expect(await run(path), 'all of it').to.equal(true)
  })

  it('a home that was moved within its file system is the same', async () => {
    const moved = `${path}-moved`
    await rename(path, moved)
    expect(await run(moved)).to.equal(false)
  })

  it('a crash is no change, wherever it falls in the start', async () => {
    const { store } = await open(path)
    await store.write([{ key: row(1), value: utf8('x') }])
    // as a crash leaves it: no word of how it was closed
    await store.close()
    await rm(homePaths(path).closed)
    expect(await run(path)).to.equal(false)
  })

  it('writing is refused once the directory is gone, and nothing is taken for kept', async () => {
    const { store } = await open(path)
    await store.write([{ key: row(1), value: utf8('x') }])
    await rename(path, `${path}-elsewhere`)
    expect(await rejection(store.write([{ key: row(2), value: utf8('y') }]))).to.have.property('code', 'STORE_GONE')
    expect(await rejection(store.write([{ key: row(3), value: utf8('z') }]))).to.have.property('code', 'STORE_GONE')
    expect(store.failure()).to.have.property('code', 'STORE_GONE')
    await store.close()
  })
})
