/** What friends were last told of where this node is reached: they are told anew only when it is another place. */
import { concat, equal, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Reach } from '../delivery/direct-links.ts'
import { type RowKey, type Store, TABLE } from '../ports.ts'

const ROW: RowKey = { table: TABLE.meta, scope: utf8('reach'), position: new Uint8Array(0) }
const NOTHING = new Uint8Array(0)

/** Runs `tell` when `reach` is not what was told last, and remembers it when that is done. */
export async function tellReach(store: Store, reach: Reach, tell: () => Promise<void>): Promise<void> {
  const { peerId = NOTHING, addresses = [] } = reach
  const digest = sha256(concat(peerId, utf8(addresses.toSorted().join())))
  const before = await store.get(ROW)
  if (before ? equal(before, digest) : addresses.length === 0) return
  await tell()
  await store.write([{ key: ROW, value: digest }])
}
