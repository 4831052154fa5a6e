/** Homes: made whole or not at all, held by one, refused when they are somebody else's, of another role or too new. */
import { chmod, chown, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { u32, utf8 } from '../../../node/crypto/bytes.ts'
import { type RowKey, type Store, TABLE } from '../../../node/ports.ts'
import {
  type CreateHomeInit,
  createHome,
  openHome,
  type OpenHomeInit,
  SCHEMA_ROW,
  SCHEMA_VERSION,
} from '../../../node/store/home.ts'
import { hasIdentity, homePaths } from '../../../node/store/home-directory.ts'
import { openVault } from '../../../node/store/vault.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const PASSPHRASE = 'correct horse battery staple'
const ENTROPY = new Uint8Array(32).fill(4)
const ROW: RowKey = { table: TABLE.identity, scope: new Uint8Array(0), position: new Uint8Array(0) }
const random = countingRandom('homes')

const populate = (store: Store): Promise<void> => store.write([{ key: ROW, value: utf8('me') }])
const create = (path: string, change: Partial<CreateHomeInit> = {}): Promise<void> =>
  createHome({
    path,
    passphrase: PASSPHRASE,
    entropy: ENTROPY,
    random,
    cost: { memoryKib: 19 * 1024, passes: 1, lanes: 1 },
    populate,
    ...change,
  })
const person = (path: string, passphrase = PASSPHRASE): OpenHomeInit => ({
  path,
  role: 'node',
  unlock: { passphrase },
  random,
})
const relay = (path: string, credentialsDirectory?: string): OpenHomeInit => ({
  path,
  role: 'relay',
  random,
  credentialsDirectory,
})
const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

async function openAndClose(init: OpenHomeInit): Promise<void> {
  await (await openHome(init)).store.close()
}

describe('home', () => {
  const temporaryDirectory = temporaryDirectories()
  let path: string
  beforeEach(async () => {
    path = join(await temporaryDirectory(), 'new', 'home')
  })

  describe('of a person', () => {
    it('keeps what it was made with, behind the passphrase and behind the words', async () => {
      expect(await hasIdentity(path)).to.equal(false)
      await create(path)
      expect(await hasIdentity(path)).to.equal(true)
      for (const init of [person(path), { ...person(path), unlock: { entropy: ENTROPY } } as OpenHomeInit]) {
        const { role, store, paths } = await openHome(init)
        expect(role).to.equal('node')
        expect(paths).to.deep.equal(homePaths(path))
        expect(await store.get(ROW)).to.deep.equal(utf8('me'))
        await store.close()
      }
    })

    it('is its owner’s alone', async () => {
      await create(path)
      expect(await mode(path)).to.equal(0o700)
      expect(await mode(homePaths(path).db)).to.equal(0o700)
      expect(await mode(homePaths(path).vault)).to.equal(0o600)
      expect((await readdir(path)).toSorted()).to.deep.equal(['closed', 'db', 'mark', 'role', 'vault.cbor'])
    })

    it('says what to do when there is none, and makes nothing', async () => {
      const error = await rejection(openHome(person(path)))
      expect(error).to.have.property('code', 'NO_VAULT')
      expect(error).to.have.property('hint').that.contains('kith init')
      expect(await readdir(join(path, '..', '..'))).to.deep.equal([])
    })

    it('refuses a wrong passphrase and stays free', async () => {
      await create(path)
      expect(await rejection(openHome(person(path, 'not the right one')))).to.have.property('code', 'WRONG_PASSPHRASE')
      await openAndClose(person(path))
    })

    it('is held by one at a time', async () => {
      await create(path)
      const { store } = await openHome(person(path))
      // Also with a wrong passphrase: who is second learns that before it costs anything.
      expect(await rejection(openHome(person(path, 'not the right one')))).to.have.property('code', 'HOME_IN_USE')
      expect(await rejection(create(path))).to.have.property('code', 'HOME_IN_USE')
      await store.close()
      await openAndClose(person(path))
    })

    it('is not made twice', async () => {
      await create(path)
      expect(await rejection(create(path))).to.have.property('code', 'IDENTITY_EXISTS')
      await openAndClose(person(path))
    })

    it('is not made with a weak passphrase: no directory appears', async () => {
      expect(await rejection(create(path, { passphrase: 'short' }))).to.have.property('code', 'WEAK_PASSPHRASE')
      expect(await readdir(join(path, '..', '..'))).to.deep.equal([])
    })

    it('is not there when making it failed, and can be made then', async () => {
      const failing = create(path, {
        populate: async (store) => {
          await store.write([{ key: { ...ROW, position: u32(7) }, value: utf8('left over') }])
          throw new Error('power cut')
        },
      })
      expect(await rejection(failing)).to.have.property('message', 'power cut')
      expect(await hasIdentity(path)).to.equal(false)
      expect(await rejection(openHome(person(path)))).to.have.property('code', 'NO_VAULT')
      await create(path)
      const { store } = await openHome(person(path))
      expect(await store.get(ROW)).to.deep.equal(utf8('me'))
      expect(await store.get({ ...ROW, position: u32(7) })).to.equal(undefined)
      await store.close()
    })

    it('does not take the database of another vault for an empty one', async () => {
      const other = join(await temporaryDirectory(), 'other')
      await create(path)
      await create(other)
      await rm(homePaths(path).db, { recursive: true })
      await cp(homePaths(other).db, homePaths(path).db, { recursive: true })
      expect(await rejection(openHome(person(path)))).to.have.property('code', 'STORE_DAMAGED')
    })

    it('takes over the schema of before, so that older programs refuse what this one writes', async () => {
      await create(path)
      const { store } = await openHome(person(path))
      await store.write([{ key: SCHEMA_ROW, value: u32(1) }])
      await store.close()
      const opened = await openHome(person(path))
      expect(await opened.store.get(SCHEMA_ROW)).to.deep.equal(u32(SCHEMA_VERSION))
      await opened.store.close()
    })

    it('refuses a schema newer than it knows, with a hint', async () => {
      await create(path)
      const { store } = await openHome(person(path))
      await store.write([{ key: SCHEMA_ROW, value: u32(SCHEMA_VERSION + 1) }])
      await store.close()
      const error = await rejection(openHome(person(path)))
      expect(error).to.have.property('code', 'SCHEMA')
      expect(error).to.have.property('hint').that.contains('newer')
    })
  })

  describe('the directory', () => {
    it('is tightened when it is empty or a home, refused when it is something else', async () => {
      await mkdir(path, { recursive: true, mode: 0o755 })
      await create(path)
      expect(await mode(path)).to.equal(0o700)
      await chmod(path, 0o750)
      await openAndClose(person(path))
      expect(await mode(path)).to.equal(0o700)
      const documents = await temporaryDirectory()
      await writeFile(join(documents, 'letter.txt'), 'dear')
      await chmod(documents, 0o755)
      expect(await rejection(create(documents))).to.have.property('code', 'HOME_UNSAFE')
      expect(await rejection(openHome(relay(documents)))).to.have.property('code', 'HOME_UNSAFE')
      expect(await readdir(documents)).to.deep.equal(['letter.txt'])
    })

    it('is refused when it is another user’s', async function () {
      if (process.geteuid?.() !== 0) this.skip() // only root can give a directory away
      await mkdir(path, { recursive: true, mode: 0o700 })
      await chown(path, 12345, 12345)
      expect(await rejection(create(path))).to.have.property('code', 'HOME_UNSAFE')
    })
  })

  describe('of a relay', () => {
    it('is made at its first start and opens again', async () => {
      const { store, role } = await openHome(relay(path))
      expect(role).to.equal('relay')
      await store.write([{ key: ROW, value: utf8('kept') }])
      await store.close()
      expect(await mode(path)).to.equal(0o700)
      expect(await mode(homePaths(path).machineKey)).to.equal(0o600)
      const again = await openHome(relay(path))
      expect(await again.store.get(ROW)).to.deep.equal(utf8('kept'))
      await again.store.close()
    })

    it('T33 tells that it was copied or put back, until that is accepted, and nothing else after restarts', async () => {
      await openAndClose(relay(path))
      const yesterday = `${path} yesterday`
      await cp(path, yesterday, { recursive: true, preserveTimestamps: true })
      const again = await openHome(relay(path))
      expect(again.isChanged).to.equal(false)
      await again.store.close()
      await rm(path, { recursive: true })
      await cp(yesterday, path, { recursive: true, preserveTimestamps: true })
      for (const isAccepted of [false, true]) {
        const restored = await openHome(relay(path))
        expect(restored.isChanged).to.equal(true)
        if (isAccepted) await restored.acceptChange()
        await restored.store.close()
      }
      const later = await openHome(relay(path))
      expect(later.isChanged).to.equal(false)
      await later.store.close()
    })

    it('is no person’s, and a person’s is no relay’s', async () => {
      await openAndClose(relay(path))
      expect(await rejection(openHome(person(path)))).to.have.property('code', 'WRONG_ROLE')
      expect(await rejection(create(path))).to.have.property('code', 'WRONG_ROLE')
      const other = join(await temporaryDirectory(), 'home')
      await create(other)
      expect(await rejection(openHome(relay(other)))).to.have.property('code', 'WRONG_ROLE')
      await rm(homePaths(other).role)
      expect(await rejection(openHome(relay(other))), 'the vault alone tells').to.have.property('code', 'WRONG_ROLE')
      expect(await readdir(other)).not.to.contain('machine.key')
    })

    it('refuses a key that others may read, or of another length', async () => {
      await openAndClose(relay(path))
      const { machineKey } = homePaths(path)
      for (const open of [0o640, 0o604, 0o620]) {
        await chmod(machineKey, open)
        expect(await rejection(openHome(relay(path)))).to.have.property('code', 'FILE_UNSAFE')
      }
      await chmod(machineKey, 0o600)
      await writeFile(machineKey, new Uint8Array(31))
      expect(await rejection(openHome(relay(path)))).to.have.property('code', 'MACHINE_KEY')
      await writeFile(machineKey, new Uint8Array(33))
      expect(await rejection(openHome(relay(path)))).to.have.property('code', 'FILE_OVERSIZED')
    })

    it('does not start on its database with another key', async () => {
      await openAndClose(relay(path))
      await rm(homePaths(path).machineKey)
      expect(await rejection(openHome(relay(path)))).to.have.property('code', 'STORE_DAMAGED')
    })

    it('takes its key from the service manager when that has one', async () => {
      const credentials = await temporaryDirectory()
      await writeFile(join(credentials, 'kith-relay-key'), new Uint8Array(32).fill(3), { mode: 0o440 })
      await openAndClose(relay(path, credentials))
      expect(await readdir(path)).not.to.contain('machine.key')
      await openAndClose(relay(path, credentials))
      expect(await rejection(openHome(relay(path))), 'not without it').to.have.property('code', 'STORE_DAMAGED')
    })
  })

  it('changes no byte of the vault by being opened', async () => {
    await create(path)
    const { vault } = homePaths(path)
    const before = await readFile(vault)
    await openVault(vault, { passphrase: PASSPHRASE })
    await openAndClose(person(path))
    expect((await readFile(vault)).equals(before)).to.equal(true)
  })
})
