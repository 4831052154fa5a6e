/** Keys that were destroyed are in no file of the home any more, for whoever has the passphrase too. */
import { join } from 'node:path'
import { expect } from 'chai'
import { NONCE_BYTES } from '../../../node/crypto/aead.ts'
import { Journal } from '../../../node/delivery/journal.ts'
import { createSelf, Self } from '../../../node/friendship/self.ts'
import { decodeOwnKeys } from '../../../node/identity/device-keys.ts'
import { type Random, type Store, TABLE } from '../../../node/ports.ts'
import { createHome, openHome } from '../../../node/store/home.ts'
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
})
