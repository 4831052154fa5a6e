/**
 * libp2p peer IDs of Ed25519 keys as multihash bytes (libp2p specs, peer-ids): identity hash 0x00, length 0x24, then the
 * protobuf {type 1 = Ed25519, data = 32-byte key}. The key stands inside, so a server's signature needs no look-up.
 */
import { base58 } from '@scure/base'
import { concat, equal, fromHex } from '../crypto/bytes.ts'
import { ED25519_PUBLIC_BYTES, isValidEd25519 } from '../crypto/ed25519.ts'
import { PeerError } from '../errors.ts'

const PREFIX = fromHex('002408011220')
/** Length of the peer ID of an Ed25519 key. */
export const ED25519_PEER_ID_BYTES = PREFIX.length + ED25519_PUBLIC_BYTES

/** The 38-byte peer ID of a 32-byte Ed25519 public key. */
export function peerIdOf(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== ED25519_PUBLIC_BYTES) {
    throw new RangeError(`expected a public key of 32 bytes, got ${publicKey.length}`)
  }
  return concat(PREFIX, publicKey)
}

/**
 * The Ed25519 public key inside a peer ID, 32 bytes.
 * @throws PeerError `BAD_KEY` for every other kind of peer ID and for a key that is not of prime order
 */
export function peerIdPublicKey(peerId: Uint8Array): Uint8Array {
  if (peerId.length !== ED25519_PEER_ID_BYTES || !equal(peerId.subarray(0, PREFIX.length), PREFIX)) {
    throw new PeerError('BAD_KEY', 'expected a peer ID of an ed25519 key')
  }
  const key = peerId.slice(PREFIX.length)
  if (!isValidEd25519(key)) throw new PeerError('BAD_KEY', 'ed25519 public key is not of prime order')
  return key
}

/** A peer ID as people see it: base58btc. */
export function peerIdText(peerId: Uint8Array): string {
  return base58.encode(peerId)
}
