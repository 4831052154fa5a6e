/**
 * Sessions as version 1 of their form at rest wrote them: its post-quantum half stood at epoch 0, and each half kept the keys
 * that it had passed over. They are read into the present form, and go on from there.
 */
import { concat, readUint, u32, u64 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import { MAX_SKIPPED_KEYS } from '../limits.ts'
import { bytes, decode, list, type Shape, struct, uint } from '../wire/schema.ts'
import {
  chain,
  doubleRatchetFields,
  MAX_SKIPPED_CHAINS,
  SESSION_STATE_VERSION,
  sessionFields,
  type SessionState,
  type SkippedChain,
} from './session-state.ts'
import { combineKeys } from './symmetric-chain.ts'

export const OLDER_SESSION_VERSION = 1

/** A key of one half; the same message's key of the other half stands in the other list. */
interface HalfKey {
  count: number
  stored: number
  key: Uint8Array
}

/** `count(4) || stored(8) || key(32)`. */
const HALF_KEY_BYTES = 44
const MAX_OLDER_SESSION_BYTES = 2 * MAX_SKIPPED_KEYS * HALF_KEY_BYTES + 8192

const halfKeys: Shape<HalfKey[]> = {
  write: (keys) => concat(...keys.flatMap(({ count, stored, key }) => [u32(count), u64(stored), key])),
  read(value) {
    const fits = value instanceof Uint8Array && value.length % HALF_KEY_BYTES === 0
    if (!fits || value.length > MAX_SKIPPED_KEYS * HALF_KEY_BYTES) {
      throw new PeerError('MALFORMED', `expected at most ${MAX_SKIPPED_KEYS} skipped keys`)
    }
    return Array.from({ length: value.length / HALF_KEY_BYTES }, (_, n) => {
      const at = n * HALF_KEY_BYTES
      // a u64 above 2^53 - 1 is malformed
      if (readUint(value, at + 4, 2) > 0x1f) throw new PeerError('MALFORMED', 'expected a time of a skipped key')
      const key = value.slice(at + 12, at + HALF_KEY_BYTES)
      return { count: readUint(value, at, 4), stored: readUint(value, at + 4, 8), key }
    })
  },
}

const key = bytes(32)
const olderChain = struct({ headerKey: [1, key], keys: [2, halfKeys] })
const olderEpoch = struct({
  epoch: [1, uint(0)],
  sending: [2, chain],
  receiving: [3, chain],
  skipped: [4, halfKeys],
})
const olderSession = struct({
  ...sessionFields,
  ec: [10, struct({ ...doubleRatchetFields, skipped: [9, list(olderChain, MAX_SKIPPED_CHAINS)] })],
  pq: [
    11,
    struct({
      rootKey: [1, key],
      macKey: [2, key],
      /** What the friend says: nothing that this version could use. */
      theirEpoch: [3, uint(2 ** 32)],
      epochs: [4, list(olderEpoch, 1, 1)],
    }),
  ],
})

/** @throws PeerError `OVERSIZED` or `MALFORMED` for anything that version 1 did not write */
export function readOlderSession(encoded: Uint8Array): SessionState {
  const { ec, pq, ...fields } = decode(olderSession, encoded, MAX_OLDER_SESSION_BYTES)
  const { skipped: chains, ...classical } = ec
  const [{ sending, receiving, skipped: pqKeys }] = pq.epochs as [(typeof pq.epochs)[0] & object]
  return {
    ...fields,
    version: SESSION_STATE_VERSION,
    ec: classical,
    pq: {
      rootKey: pq.rootKey,
      macKey: pq.macKey,
      theirEpoch: 0,
      epochs: [{ epoch: 0, sending, receiving }],
      since: 0,
      messages: 0,
      heard: [],
      alarmed: 0,
    },
    skipped: joinHalves(chains, pqKeys),
  }
}

/** Both lists were written in one order; of chains that were forgotten, the oldest, only the post-quantum half had keys left. */
function joinHalves(chains: { headerKey: Uint8Array; keys: HalfKey[] }[], pqKeys: HalfKey[]): SkippedChain[] {
  let at = pqKeys.length - chains.reduce((sum, { keys }) => sum + keys.length, 0)
  if (at < 0) throw new PeerError('MALFORMED', 'expected a post-quantum key for every skipped key')
  return chains.map(({ headerKey, keys }) => ({
    headerKey,
    keys: keys.map(({ count, stored, key: ecKey }) => {
      const { count: pqCount, key: pqKey } = pqKeys[at++]!
      return { count, epoch: 0, pqCount, stored, key: combineKeys(ecKey, pqKey) }
    }),
  }))
}
