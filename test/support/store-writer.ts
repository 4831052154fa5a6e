/**
 * A process that writes rows without end and prints the number of each after its write resolved, until it is killed.
 * Arguments: the directory of the database.
 */
import { writeSync } from 'node:fs'
import { u32, utf8 } from '../../node/crypto/bytes.ts'
import { TABLE } from '../../node/ports.ts'
import { openLevel } from '../../node/store/level.ts'
import { createRowStore, deriveStoreKeys } from '../../node/store/rows.ts'
import { countingRandom } from './counting-random.ts'

const store = createRowStore(
  await openLevel(process.argv[2]!, true),
  deriveStoreKeys(new Uint8Array(32)),
  countingRandom(),
)
const half = (name: string, i: number) => ({
  key: { table: TABLE.history, scope: utf8(name), position: u32(i) },
  value: new Uint8Array(500).fill(i),
})
let next = 0
async function writeOn(): Promise<never> {
  for (;;) {
    const i = next++
    await store.write([half('left', i), half('right', i)])
    writeSync(1, `${i}\n`)
  }
}
// Several at once, so that batches are groups.
await Promise.all([writeOn(), writeOn(), writeOn(), writeOn()])
