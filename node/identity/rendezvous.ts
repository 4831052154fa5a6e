/**
 * The rendezvous record (PROTOCOL 9): where one friend can be reached now, for the other alone, when no relay that they
 * told each other of is left. Its place in the DHT is a key that both derive from a secret of their first handshake, so
 * nobody else finds it, can write it, or read it.
 *
 *   seed || sealing key = HKDF(salt none, reach secret, L("rv-keys") || u32 week, 64)        DHT key = "/kith-rv/" || public key
 *   0 version(1)   1 seq(8)   9 sealed(439)   448 signature(64), over all before it
 */
import { open, seal } from '../crypto/aead.ts'
import { compare, concat, equal, readUint, u8, u32, u64, utf8 } from '../crypto/bytes.ts'
import { type Ed25519KeyPair, ed25519KeyPair, sign, verify } from '../crypto/ed25519.ts'
import { hkdfSha256, NO_SALT, sha256, split } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { ForgedError, PeerError } from '../errors.ts'
import { MAX_RECORD_AHEAD_SECONDS, PROTOCOL_VERSION, RENDEZVOUS_BYTES } from '../limits.ts'
import { pad, unpad } from '../wire/payload.ts'
import { addresses, peerIdBytes, relays } from '../wire/records.ts'
import { decode, encode, type Infer, optional, struct } from '../wire/schema.ts'

const PREFIX = utf8('/kith-rv/')
const WEEK_SECONDS = 7 * 86_400
const SIGNATURE_BYTES = 64
const HEAD_BYTES = 9
const SEALED_BYTES = RENDEZVOUS_BYTES - HEAD_BYTES - SIGNATURE_BYTES
const PLAINTEXT_BYTES = SEALED_BYTES - 40

/** What the record says: relays, and where the writer's own node is reached if friends are told. */
export const rendezvousPlace = struct({
  relays: [1, relays],
  peerId: [2, optional(peerIdBytes)],
  addresses: [3, optional(addresses)],
})
export type RendezvousPlace = Infer<typeof rendezvousPlace>

/** Keys of one direction in one week; both friends have them. */
export interface RendezvousKeys {
  signing: Ed25519KeyPair
  /** 32 bytes. */
  sealing: Uint8Array
  /** Place in the DHT, 41 bytes. */
  recordKey: Uint8Array
}

/** Number of the week that a moment (seconds) lies in. */
export function rendezvousWeek(now: number): number {
  return Math.floor(now / WEEK_SECONDS)
}

/** @param reachSecret of the direction, 32 bytes */
export function rendezvousKeys(reachSecret: Uint8Array, week: number): RendezvousKeys {
  const keys = hkdfSha256(NO_SALT, reachSecret, concat(L('rendezvousKeys'), u32(week)), 64)
  const [seed, sealing] = split(keys, 32, 32) as [Uint8Array, Uint8Array]
  const signing = ed25519KeyPair(seed)
  return { signing, sealing, recordKey: concat(PREFIX, signing.public) }
}

/** Whether a DHT key is one of such a record. */
export function isRendezvousKey(key: Uint8Array): boolean {
  return key.length === PREFIX.length + 32 && equal(key.subarray(0, PREFIX.length), PREFIX)
}

/**
 * The record, 512 bytes. Of addresses and then of relays the last are left out until the rest fits.
 * @param init.seq seconds @param init.nonce 24 fresh random bytes
 */
export function createRendezvous(
  keys: RendezvousKeys,
  init: { seq: number; nonce: Uint8Array; place: RendezvousPlace },
): Uint8Array {
  const { seq, nonce, place } = init
  const sealed = seal(keys.sealing, nonce, pad(fitting(place), PLAINTEXT_BYTES), L('rendezvousRecord'))
  const body = concat(u8(PROTOCOL_VERSION), u64(seq), sealed)
  return concat(body, sign(keys.signing.seed, 'rendezvousRecord', body))
}

function fitting(place: RendezvousPlace): Uint8Array {
  const { relays: all, peerId, addresses: known = [] } = place
  for (let kept = all.length + known.length; kept > 0; kept--) {
    const told = known.slice(0, Math.max(0, kept - all.length))
    const reach = told.length > 0 ? { peerId, addresses: told } : {}
    const encoded = encode(rendezvousPlace, { relays: all.slice(0, kept), ...reach })
    if (encoded.length < PLAINTEXT_BYTES) return encoded
  }
  return encode(rendezvousPlace, { relays: [] })
}

/**
 * Checks a record found at its key, as any node of the DHT can; cheap checks first.
 * @param options.now protocol time in seconds; without it the time is not looked at
 * @returns its seq, seconds
 * @throws PeerError `MALFORMED`, `EXPIRED`; ForgedError
 */
export function checkRendezvous(key: Uint8Array, record: Uint8Array, options: { now?: number } = {}): number {
  // a seq above 2^53 - 1 is malformed
  if (record.length !== RENDEZVOUS_BYTES || record[0] !== PROTOCOL_VERSION || readUint(record, 1, 2) > 0x1f) {
    throw new PeerError('MALFORMED', 'expected a rendezvous record')
  }
  const seq = readUint(record, 1, 8)
  const { now } = options
  const isInTime = now === undefined || (seq <= now + MAX_RECORD_AHEAD_SECONDS && seq + WEEK_SECONDS > now)
  if (!isInTime) throw new PeerError('EXPIRED', 'the record is not of this time')
  const body = record.subarray(0, -SIGNATURE_BYTES)
  const signature = record.subarray(-SIGNATURE_BYTES)
  if (!verify(key.subarray(PREFIX.length), 'rendezvousRecord', body, signature)) throw new ForgedError()
  return seq
}

/** Order of two valid records of one key, positive when `a` wins: the higher seq, then the lower hash. */
export function compareRendezvous(a: Uint8Array, b: Uint8Array): number {
  return compare(a.subarray(1, HEAD_BYTES), b.subarray(1, HEAD_BYTES)) || compare(sha256(b), sha256(a))
}

/**
 * What a record says to a friend.
 * @throws as `checkRendezvous`; PeerError or ForgedError when what is sealed is wrong
 */
export function openRendezvous(
  keys: RendezvousKeys,
  record: Uint8Array,
  now: number,
): { seq: number; place: RendezvousPlace } {
  const seq = checkRendezvous(keys.recordKey, record, { now })
  const sealed = record.subarray(HEAD_BYTES, HEAD_BYTES + SEALED_BYTES)
  const place = decode(rendezvousPlace, unpad(open(keys.sealing, sealed, L('rendezvousRecord'))), PLAINTEXT_BYTES)
  return { seq, place }
}
