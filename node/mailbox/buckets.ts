/**
 * Bucket topics of the live path (PROTOCOL 5): a reader hides among all whose ID has the same top bits. How many bits is
 * the network's parameter; publishing and subscribing are elsewhere.
 */
import { readUint } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'

/** Most bits that a network may use: 65536 topics are more than gossip can carry, so the real bound lies below. */
const MAX_BUCKET_BITS = 16

/** Top `bits` bits of `H(L("bucket") || id)` as a number; `id` is an ID or a group's. @throws RangeError above 16 bits */
export function bucketIndex(id: Uint8Array, bits: number): number {
  checkBits(bits)
  return readUint(sha256(L('bucket'), id), 0, 2) >>> (MAX_BUCKET_BITS - bits)
}

/** `/kith/1/mail/<bits>/<index>`. */
function bucketTopic(bits: number, index: number): string {
  return `/kith/1/mail/${bits}/${index}`
}

/** The topic on which envelopes for `id` are published. */
export function topicOf(id: Uint8Array, bits: number): string {
  return bucketTopic(bits, bucketIndex(id, bits))
}

/** All 2^bits topics, by index. */
export function allTopics(bits: number): string[] {
  checkBits(bits)
  return Array.from({ length: 2 ** bits }, (_, index) => bucketTopic(bits, index))
}

function checkBits(bits: number): void {
  if (!Number.isInteger(bits) || bits < 0 || bits > MAX_BUCKET_BITS) {
    throw new RangeError(`expected 0 to ${MAX_BUCKET_BITS} bucket bits, got ${bits}`)
  }
}
