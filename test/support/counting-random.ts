/** Randomness for tests: the same bytes in every run, other bytes at every call. */
import { concat, u32, utf8 } from '../../node/crypto/bytes.ts'
import { sha256 } from '../../node/crypto/hash.ts'
import type { Random } from '../../node/ports.ts'

/** A Random whose bytes follow from `seed` and the number of the call. */
export function countingRandom(seed = 'test'): Random {
  let calls = 0
  return {
    bytes(length) {
      const call = concat(utf8(seed), u32(calls++))
      const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, block) => sha256(call, u32(block)))
      return concat(...blocks).slice(0, length)
    },
  }
}
