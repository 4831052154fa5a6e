/**
 * The symmetric-key ratchet that both halves run (PROTOCOL 8): KDF_CK, and passing over messages that did not come.
 *   message key = HMAC(chain key, 0x01)      next chain key = HMAC(chain key, 0x02)
 * and what makes one key of both halves' message keys: mk = HKDF(salt pq key, ikm ec key, L(mk), 32).
 */
import { hkdfSha256, hmacSha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import type { Chain } from './session-state.ts'
import { wipe } from './wipe.ts'

const MESSAGE = Uint8Array.of(0x01)
const NEXT = Uint8Array.of(0x02)

/** Messages passed over in order: first those that will never come, then those that may. */
export interface Gap {
  dead: number
  kept: number
}

/** A key of a message that was passed over and may still come: one half's, 32 bytes. */
export interface PassedKey {
  /** Number of the message in its chain. */
  count: number
  key: Uint8Array
}

/** Messages in all gaps. */
export function sizeOf(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, { dead, kept }) => sum + dead + kept, 0)
}

/** The next message's key, and the chain after it. */
export function takeKey(chain: Chain): { key: Uint8Array; chain: Chain } {
  return {
    key: hmacSha256(chain.key, MESSAGE),
    chain: { key: hmacSha256(chain.key, NEXT), count: chain.count + 1 },
  }
}

/**
 * Moves a chain over `gaps`, whose sizes the caller has bounded; keys of what may still come are returned in order. The
 * chain given stays as it is, those between are overwritten.
 */
export function passOver(chain: Chain, gaps: readonly Gap[]): { chain: Chain; passed: PassedKey[] } {
  const passed: PassedKey[] = []
  let { key, count } = chain
  for (const gap of gaps) {
    for (let step = 0; step < gap.dead + gap.kept; step++) {
      if (step >= gap.dead) passed.push({ count, key: hmacSha256(key, MESSAGE) })
      const next = hmacSha256(key, NEXT)
      if (key !== chain.key) wipe(key)
      key = next
      count++
    }
  }
  return { chain: { key, count }, passed }
}

/** The key of the message after `gaps`, what was passed over, and the chain after it. */
export function takeKeyAfter(
  before: Chain,
  gaps: readonly Gap[],
): { key: Uint8Array; chain: Chain; passed: PassedKey[] } {
  const { chain: reached, passed } = passOver(before, gaps)
  const taken = takeKey(reached)
  if (reached.key !== before.key) wipe(reached.key)
  return { ...taken, passed }
}

/** Cuts `gaps` behind the first `size` messages. */
export function splitGaps(gaps: readonly Gap[], size: number): [Gap[], Gap[]] {
  const first: Gap[] = []
  const rest: Gap[] = []
  let left = size
  for (const { dead, kept } of gaps) {
    const head = { dead: Math.min(dead, left), kept: Math.min(kept, Math.max(0, left - dead)) }
    first.push(head)
    rest.push({ dead: dead - head.dead, kept: kept - head.kept })
    left -= head.dead + head.kept
  }
  return [first, rest]
}

/** The message key of both halves' keys, 32 bytes; overwrites them. */
export function combineKeys(ecKey: Uint8Array, pqKey: Uint8Array): Uint8Array {
  const messageKey = hkdfSha256(pqKey, ecKey, L('messageKey'), 32)
  wipe(ecKey, pqKey)
  return messageKey
}
