/**
 * Message keys that were passed over (PROTOCOL 8), of both halves together: what may still come opens with one of them.
 * They leave when used, below a newer floor, after 31 days, with their post-quantum epoch, and oldest first above the bound.
 */
import { equal } from '../crypto/bytes.ts'
import { ForgedError } from '../errors.ts'
import * as limits from '../limits.ts'
import type { RatchetHeader } from '../wire/header.ts'
import { MAX_SKIPPED_CHAINS, type SkippedChain, type SkippedKey } from './session-state.ts'

/**
 * The key of a late message, 32 bytes, the caller's to wipe, and the chains without it.
 * @throws ForgedError when it was used or dropped, or the header names another post-quantum place than the key has
 */
export function takeSkipped(
  chains: readonly SkippedChain[],
  headerKey: Uint8Array,
  header: RatchetHeader,
): { key: Uint8Array; chains: SkippedChain[] } {
  const chain = chains.find((candidate) => equal(candidate.headerKey, headerKey))
  const found = chain?.keys.find(({ count }) => count === header.count)
  if (!chain || !found || found.epoch !== header.pqEpoch || found.pqCount !== header.pqCount) throw new ForgedError()
  const keys = chain.keys.filter((candidate) => candidate !== found)
  const rest = chains.map((candidate) => (candidate === chain ? { headerKey: chain.headerKey, keys } : candidate))
  return { key: found.key.slice(), chains: rest }
}

/** Adds keys of one chain, which is the newest. */
export function addSkipped(
  chains: readonly SkippedChain[],
  headerKey: Uint8Array,
  added: readonly SkippedKey[],
): SkippedChain[] {
  if (added.length === 0) return [...chains]
  const last = chains.at(-1)
  if (last && equal(last.headerKey, headerKey)) {
    return [...chains.slice(0, -1), { headerKey, keys: [...last.keys, ...added] }]
  }
  return [...chains, { headerKey, keys: [...added] }]
}

/** Without the keys of one chain that lie below its floor: nothing of them will come. */
export function dropBelow(chains: readonly SkippedChain[], headerKey: Uint8Array, floor: number): SkippedChain[] {
  return chains.map((chain) =>
    equal(chain.headerKey, headerKey) ? keepOf(chain, ({ count }) => count >= floor) : chain,
  )
}

/** Without keys that are too old, of destroyed epochs, or too many, the oldest first. */
export function pruneSkipped(before: readonly SkippedChain[], currentEpoch: number, now: number): SkippedChain[] {
  if (before.length === 0) return []
  const oldest = now - limits.SKIPPED_KEY_DAYS * 86_400
  const firstEpoch = currentEpoch - limits.KEPT_PQ_EPOCHS + 1
  let chains = before.map((chain) => keepOf(chain, ({ stored, epoch }) => stored >= oldest && epoch >= firstEpoch))
  let excess = chains.reduce((sum, { keys }) => sum + keys.length, 0) - limits.MAX_SKIPPED_KEYS
  chains = chains.map((chain) => {
    if (excess <= 0) return chain
    const dropped = Math.min(excess, chain.keys.length)
    excess -= dropped
    return { headerKey: chain.headerKey, keys: chain.keys.slice(dropped) }
  })
  return chains.filter(({ keys }) => keys.length > 0).slice(-MAX_SKIPPED_CHAINS)
}

function keepOf(chain: SkippedChain, isKept: (key: SkippedKey) => boolean): SkippedChain {
  return chain.keys.every(isKept) ? chain : { headerKey: chain.headerKey, keys: chain.keys.filter(isKept) }
}
