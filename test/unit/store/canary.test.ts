/** What lies in a home shows nothing of what was put into it; the same search finds everything where nothing is encrypted. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { concat, toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { createLogger, openLogFile } from '../../../node/logger.ts'
import { type RowChange, TABLE } from '../../../node/ports.ts'
import { createHome, openHome } from '../../../node/store/home.ts'
import { homePaths } from '../../../node/store/home-directory.ts'
import { openLevel } from '../../../node/store/level.ts'
import { findCanaries } from '../../support/canary.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const TEXT = 'the heron stands in the reeds at dawn'
const NAME = 'Wilhelmina Quartermaine'
const ID = 'kith1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54khce6mua7l'
const PASSPHRASE = 'ocelot vermilion trombone'
const ID_BYTES = countingRandom('id').bytes(32)
const KEY_BYTES = countingRandom('key').bytes(32)
const ENTROPY = countingRandom('entropy').bytes(32)
const SECRETS = [TEXT, NAME, ID, PASSPHRASE, ID_BYTES, KEY_BYTES, ENTROPY]

/** Rows as the parts of a node write them, with the secrets in scopes and values and in the usual encodings. */
function plantedRows(blind: (bytes: Uint8Array) => Uint8Array): RowChange[] {
  const value = utf8(
    JSON.stringify({ TEXT, NAME, ID, key: toHex(KEY_BYTES), base64: Buffer.from(KEY_BYTES).toString('base64') }),
  )
  return [
    { key: { table: TABLE.contact, scope: ID_BYTES, position: blind(utf8(NAME)) }, value },
    { key: { table: TABLE.session, scope: utf8(ID), position: blind(ID_BYTES) }, value: concat(KEY_BYTES, ENTROPY) },
    { key: { table: TABLE.history, scope: utf8(NAME), position: new Uint8Array(8) }, value: utf8(PASSPHRASE) },
    {
      key: { table: TABLE.history, scope: utf8(NAME), position: blind(utf8(TEXT)) },
      value: Buffer.from(TEXT, 'utf16le'),
    },
  ]
}

describe('canaries', () => {
  const temporaryDirectory = temporaryDirectories()

  it('T40 no word, name, ID, passphrase or key stands in any file of a home', async () => {
    const home = join(await temporaryDirectory(), 'home')
    await createHome({
      path: home,
      passphrase: PASSPHRASE,
      entropy: ENTROPY,
      random: countingRandom(),
      cost: { memoryKib: 19 * 1024, passes: 1, lanes: 1 },
      populate: (store) => store.write(plantedRows((bytes) => store.blind(bytes))),
    })
    const opened = await openHome({
      path: home,
      role: 'node',
      unlock: { passphrase: PASSPHRASE },
      random: countingRandom('2'),
    })
    const rows = plantedRows((bytes) => opened.store.blind(bytes))
    await opened.store.write(rows)
    await opened.store.write(rows.map(({ key }) => ({ key, value: undefined })))
    await opened.store.write(rows)
    const file = openLogFile(opened.paths.log)
    const log = createLogger({ level: 'trace', sink: file })
    log.info(`request of ${ID}`, { name: NAME, text: TEXT, key: KEY_BYTES, hex: toHex(KEY_BYTES) })
    log.forComponent('kith:test')('key %b', KEY_BYTES)
    file.close()
    await opened.store.close()
    // LevelDB moves its log into tables when it is opened again.
    await (await openLevel(homePaths(home).db, false)).close()
    expect(await findCanaries([home], SECRETS)).to.deep.equal([])
  })

  it('T40 the control: the same search finds all of it in a database that does not encrypt', async () => {
    const home = await temporaryDirectory()
    const level = await openLevel(join(home, 'db'), true)
    for (const { key, value } of plantedRows((bytes) => bytes)) {
      await level.batch([{ type: 'put', key: concat(key.scope, key.position), value: value! }], { sync: true })
    }
    await level.close()
    const found = await findCanaries([home], SECRETS)
    const expected = SECRETS.map((word) => (typeof word === 'string' ? word : toHex(word)))
    expect([...new Set(found.map(({ word }) => word))].toSorted()).to.deep.equal(expected.toSorted())
    expect([...new Set(found.map(({ encoding }) => encoding))].toSorted()).to.deep.equal([
      'base64',
      'hex',
      'plain',
      'utf-16le',
    ])
  })

  it('finds a word in each encoding, at each alignment, in names and in folders below', async () => {
    const directory = await temporaryDirectory()
    await mkdir(join(directory, 'a', 'b'), { recursive: true })
    const raw = Buffer.from(TEXT)
    const files: Record<string, string | Uint8Array> = {
      plain: `xx${TEXT}yy`,
      hex: `0x${raw.toString('hex').toUpperCase()}`,
      'utf-16le': Buffer.from(`x${TEXT}`, 'utf16le'),
      'utf-16be': Buffer.from(`x${TEXT}`, 'utf16le').swap16(),
    }
    for (const before of ['', 'x', 'xy', 'xyz']) {
      for (const after of ['', 'x', 'xy', 'xyz']) {
        files[`base64 ${before}-${after}`] = Buffer.from(`${before}${TEXT}${after}`).toString('base64')
      }
    }
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, 'a', 'b', name), content)
    const found = await findCanaries([directory], [TEXT])
    for (const name of Object.keys(files)) {
      const encodings = found
        .filter(({ file }) => file === join(directory, 'a', 'b', name))
        .map(({ encoding }) => encoding)
      expect(encodings, name).to.include(name.split(' ')[0])
    }
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => 240 + (i % 16))
    await writeFile(join(directory, 'url'), Buffer.concat([Buffer.from('z'), bytes]).toString('base64url'))
    await appendFile(join(directory, NAME), '')
    const more = await findCanaries([directory], [bytes, NAME])
    expect(more.map(({ encoding }) => encoding).toSorted()).to.deep.equal(['base64', 'plain'])
  })

  it('refuses words that chance would find', async () => {
    expect(await rejection(findCanaries([], ['short']))).to.be.instanceOf(RangeError)
  })
})
