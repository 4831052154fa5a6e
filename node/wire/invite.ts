/**
 * The invite (PROTOCOL 3): whoever holds it may knock, and can neither read, count nor delete what others left.
 * Text: bech32m with the prefix `kithinvite` over the CBOR.
 */
import { address, addresses, hash32, head, peerIdBytes, seconds } from './records.ts'
import { bytes, type Infer, list, optional, struct, uint } from './schema.ts'

export const MAX_INVITE_BYTES = 1024

export const invite = struct({
  version: [1, uint(255)],
  id: [2, hash32],
  /** Seed of W: may write a request. */
  writerSeed: [3, bytes(32)],
  /** Public key of R. */
  reader: [4, bytes(32)],
  /** Third secret: seals leg 1 so that no server reads its clear header. */
  seal: [5, bytes(32)],
  pin: [6, head],
  relays: [7, list(address, 2)],
  peerId: [8, optional(peerIdBytes)],
  addresses: [9, optional(addresses)],
  expires: [10, seconds],
})
export type Invite = Infer<typeof invite>
