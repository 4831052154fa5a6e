/**
 * A process killed between any two instructions keeps every row whose write had resolved, and no half of a batch. (That
 * the bytes survive the machine too is the sync of each batch: see `syncs` in rows.test.ts.)
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { readUint, utf8 } from '../../../node/crypto/bytes.ts'
import { TABLE } from '../../../node/ports.ts'
import { openLevel } from '../../../node/store/level.ts'
import { createRowStore, deriveStoreKeys } from '../../../node/store/rows.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const WRITER = fileURLToPath(new URL('../../support/store-writer.ts', import.meta.url))

async function written(db: string, scope: string): Promise<number[]> {
  const store = createRowStore(await openLevel(db, true), deriveStoreKeys(new Uint8Array(32)), countingRandom())
  const rows = await store.list({ table: TABLE.history, scope: utf8(scope), limit: 100_000 })
  await store.close()
  return rows.map(({ position }) => readUint(position, 0, 4))
}

describe('killing a process that writes', () => {
  const temporaryDirectory = temporaryDirectories()
  let child: ChildProcess | undefined
  afterEach(() => child?.kill('SIGKILL'))

  /** Numbers that the writer reported before it was killed, which happens at the `count`th. */
  async function writeAndKill(db: string, count: number, meanwhile?: () => Promise<void>): Promise<number[]> {
    const writer = spawn(process.execPath, [WRITER, db], { stdio: ['ignore', 'pipe', 'inherit'] })
    child = writer
    const exited = once(writer, 'exit')
    const reported: number[] = []
    for await (const line of createInterface({ input: writer.stdout })) {
      reported.push(Number(line))
      if (reported.length === 1) await meanwhile?.()
      if (reported.length === count) writer.kill('SIGKILL')
    }
    await exited
    return reported
  }

  for (const count of [1, 2, 17, 150, 700]) {
    it(`loses nothing that was reported, after ${count} reports`, async () => {
      const db = join(await temporaryDirectory(), 'db')
      const reported = await writeAndKill(db, count)
      const left = await written(db, 'left')
      expect(reported.length).to.be.at.least(count)
      expect(reported.filter((i) => !left.includes(i))).to.deep.equal([])
      expect(await written(db, 'right'), 'both halves of each batch').to.deep.equal(left)
    })
  }

  it('holds the directory while it lives, and frees it by dying', async () => {
    const db = join(await temporaryDirectory(), 'db')
    await writeAndKill(db, 2, async () => {
      expect(await rejection(openLevel(db, true))).to.have.property('code', 'HOME_IN_USE')
    })
    await (await openLevel(db, true)).close()
  })
})
