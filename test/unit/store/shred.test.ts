/** Keys that were destroyed are in no file of the home any more, for whoever has the passphrase too. */
import { join } from 'node:path'
import { expect } from 'chai'
import { NONCE_BYTES } from '../../../node/crypto/aead.ts'
import { Journal } from '../../../node/delivery/journal.ts'
import { createSelf, Self } from '../../../node/friendship/self.ts'
import { decodeOwnKeys } from '../../../node/identity/device-keys.ts'
import { type Random, type Store, TABLE } from '../../../node/ports.ts'
import { createHome, openHome } from '../../../node/store/home.ts'
import { openLevel } from '../../../node/store/level.ts'
import { createRowStore, deriveStoreKeys, type RowStore } from '../../../node/store/rows.ts'
import { findCanaries } from '../../support/canary.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const DAY = 86_400
const NOW = 1_790_000_000
const PASSPHRASE = 'ocelot vermilion trombone'
const KEYS = { table: TABLE.identity, scope: new Uint8Array(0), position: Buffer.from('keys') } as const

/** A random source that remembers the nonces which it gave: each stands in front of a row in the files. */
function noting(random: Random): Random & { nonces: Uint8Array[] } {
  const nonces: Uint8Array[] = []
  return {
    nonces,
    bytes(length) {
      const drawn = random.bytes(length)
      if (length === NONCE_BYTES) nonces.push(drawn.slice())
      return drawn
    },
  }
}

describe('keys that were destroyed', function () {
  this.timeout(60_000)
  const temporaryDirectory = temporaryDirectories()

  it('T29 a prekey of 45 days is in no file, neither as a row nor as an older version of one', async () => {
    const home = join(await temporaryDirectory(), 'home')
    const entropy = countingRandom('entropy').bytes(32)
    const { tx } = createSelf({ entropy, name: 'alice', random: countingRandom('keys'), now: NOW })
    await createHome({
      path: home,
      passphrase: PASSPHRASE,
      random: countingRandom(),
      cost: { memoryKib: 19 * 1024, passes: 1, lanes: 1 },
      populate: (store) => store.write(tx.changes),
    })
    /** Of every row of the own keys that was written. */
    const written: Uint8Array[] = []

    /** A run of the node that renews its keys on these days. */
    const run = async (days: number[], more: (self: Self, store: Store) => Promise<void>): Promise<void> => {
      const random = noting(countingRandom(`run ${days.join()}`))
      const { store } = await openHome({ path: home, role: 'node', unlock: { passphrase: PASSPHRASE }, random })
      const self = await Self.load(store)
      const journal = await Journal.open(store, createManualClock(NOW * 1000))
      random.nonces.length = 0
      for (const day of days) {
        await self.renew({ journal, random: countingRandom(`day ${day}`), now: NOW + day * DAY })
        written.push(...random.nonces.splice(0))
      }
      await more(self, store)
      await store.close()
    }
    const liesThere = async (): Promise<number> =>
      new Set((await findCanaries([home], written)).map(({ word }) => word)).size

    let first: number | undefined
    await run([7, 14], async (_, store) => {
      first = decodeOwnKeys((await store.get(KEYS))!).prekeys[0]!.seq
    })
    await run([21, 28, 35, 42, 45], async (self, store) => {
      expect(await liesThere(), 'the control: older versions of the row lie in the files').to.be.above(4)
      const { prekeys } = decodeOwnKeys((await store.get(KEYS))!)
      expect(prekeys.map(({ seq }) => seq)).to.not.include(first)
      await self.shred(store)
      expect(await liesThere()).to.equal(0)
      expect(decodeOwnKeys((await store.get(KEYS))!).prekeys).to.deep.equal(prekeys)
    })
    expect(await liesThere()).to.equal(0)
  })

  it('T25 older states of sessions are in no file once their table was shredded, while it is written to', async () => {
    const home = join(await temporaryDirectory(), 'home')
    const random = noting(countingRandom('sessions'))
    await createHome({
      path: home,
      passphrase: PASSPHRASE,
      random: countingRandom(),
      entropy: countingRandom('entropy').bytes(32),
      cost: { memoryKib: 19 * 1024, passes: 1, lanes: 1 },
      populate: () => Promise.resolve(),
    })
    const rowOf = (friend: number) => ({
      table: TABLE.session,
      scope: Uint8Array.of(friend),
      position: Buffer.from('lane'),
    })
    /** Nonces of the rows that were overwritten, and of the last ones. */
    const old: Uint8Array[] = []
    let last: Uint8Array[] = []
    const liesThere = async (nonces: Uint8Array[]): Promise<number> =>
      new Set((await findCanaries([home], nonces)).map(({ word }) => word)).size

    /** A run in which each of ten friends says something a few times, so much that files are written in between. */
    const run = async (rounds: number): Promise<RowStore> => {
      const { store } = await openHome({ path: home, role: 'node', unlock: { passphrase: PASSPHRASE }, random })
      for (let round = 0; round < rounds; round++) {
        random.nonces.length = 0
        await store.write(
          Array.from({ length: 10 }, (_, friend) => ({ key: rowOf(friend), value: new Uint8Array(60_000) })),
        )
        old.push(...last)
        last = random.nonces.splice(0)
      }
      return store
    }
    await (await run(12)).close()
    await (await run(12)).close()
    // in a closed database nothing merges meanwhile
    expect(await liesThere(old), 'the control: older states lie in the files').to.be.above(20)
    const store = await run(1)
    const other = { table: TABLE.history, scope: new Uint8Array(1), position: Buffer.from('text') }
    await Promise.all([store.shredTable!(TABLE.session), store.write([{ key: other, value: new Uint8Array(9) }])])
    for (let friend = 0; friend < 10; friend++) expect(await store.get(rowOf(friend))).to.have.lengthOf(60_000)
    expect(await store.get(other)).to.have.lengthOf(9)
    await store.close()
    expect(await liesThere(old)).to.equal(0)
    expect(await liesThere(last)).to.equal(10)
    const again = await openHome({ path: home, role: 'node', unlock: { passphrase: PASSPHRASE }, random })
    expect(again.isChanged).to.equal(false)
    for await (const { isSound } of again.store.examine()) expect(isSound).to.equal(true)
    await again.store.close()
  })

  it('T25 nor where all of them were in the memory of the database', async () => {
    const place = join(await temporaryDirectory(), 'db')
    const random = noting(countingRandom('in memory'))
    const store = createRowStore(await openLevel(place, true), deriveStoreKeys(new Uint8Array(32)), random)
    const key = { table: TABLE.session, scope: new Uint8Array(1), position: Buffer.from('lane') }
    for (let i = 0; i < 5; i++) await store.write([{ key, value: new Uint8Array(9) }])
    const old = random.nonces.slice(0, -1)
    const liesThere = async () => new Set((await findCanaries([place], old)).map(({ word }) => word)).size
    expect(await liesThere(), 'the control: they lie in the log').to.equal(4)
    await store.shredTable!(TABLE.session)
    expect(await liesThere()).to.equal(0)
    expect(await store.get(key)).to.have.lengthOf(9)
    await store.close()
  })
})
