/**
 * The symmetric-key ratchet that both halves run (PROTOCOL 8): KDF_CK, and passing over messages that did not come.
 *   message key = HMAC(chain key, 0x01)      next chain key = HMAC(chain key, 0x02)
 */
import { hmacSha256 } from '../crypto/hash.ts'
import type { Chain, SkippedKey } from './session-state.ts'
import { wipe } from './wipe.ts'

const MESSAGE = Uint8Array.of(0x01)
const NEXT = Uint8Array.of(0x02)

/** Messages passed over in order: first those that will never come, then those that may. */
export interface Gap {
  dead: number
  kept: number
}

/** The next message's key, and the chain after it. */
export function takeKey(chain: Chain): { key: Uint8Array; chain: Chain } {
  return {
    key: hmacSha256(chain.key, MESSAGE),
    chain: { key: hmacSha256(chain.key, NEXT), count: chain.count + 1 },
  }
}

/** Moves a chain over `gaps`, whose sizes the caller has bounded; keys of what may still come are returned in order. */
export function passOver(chain: Chain, gaps: readonly Gap[], now: number): { chain: Chain; skipped: SkippedKey[] } {
  const skipped: SkippedKey[] = []
  let { key, count } = chain
  for (const gap of gaps) {
    for (let step = 0; step < gap.dead + gap.kept; step++) {
      if (step >= gap.dead) skipped.push({ count, stored: now, key: hmacSha256(key, MESSAGE) })
      const next = hmacSha256(key, NEXT)
      if (key !== chain.key) wipe(key)
      key = next
      count++
    }
  }
  return { chain: { key, count }, skipped }
}
