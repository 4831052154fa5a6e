/*
 * Section 2: identity and prekey records, their DHT keys, the checks in their order, and the order of records.
 */
import { compare, concat, cut, L, must, Refused, same, utf8 } from './bytes.ts'
import { idOf, readChain } from './identity.ts'
import { checkSignature, ED25519, MLKEM768, untyped, X25519 } from './keys.ts'
import {
  type Head,
  type IdentityRecord,
  identityRecord,
  MAX_RECORD_BYTES,
  type PrekeyRecord,
  prekeyRecord,
  signed,
} from './maps.ts'
import { H } from './primitives.ts'

const DAY = 86_400
/** From issue to expiry of an identity record. */
const MAX_IDENTITY_RECORD_DAYS = 90
/** From issue to expiry of a prekey record. */
const MAX_PREKEY_RECORD_DAYS = 30
/** How far in the future a record or a request may have been made. */
export const MAX_RECORD_AHEAD_SECONDS = 3600

const IDENTITY = utf8('/kith-id/')
const PREKEY = utf8('/kith-pk/')

/** DHT key of an identity record. */
function identityKey(id: Uint8Array): Uint8Array {
  return concat(IDENTITY, H(L('dht'), id))
}

/** DHT key of a prekey record. */
function prekeyKey(device: Uint8Array): Uint8Array {
  return concat(PREKEY, H(L('pk'), device))
}

/** A record that passed every check but that of the time. */
interface Checked {
  kind: 'identity' | 'prekey'
  record: IdentityRecord | PrekeyRecord
  /** The key that signed, typed. */
  signer: Uint8Array
  /** Place in the order. */
  head: Head
  body: Uint8Array
  signature: Uint8Array
}

/** An identity record that was checked. */
export type CheckedIdentity = Checked & { record: IdentityRecord; id: Uint8Array }
/** A prekey record that was checked. */
type CheckedPrekey = Checked & { record: PrekeyRecord }

function checkSpan(record: { seq: number; issued: number; expires: number }, days: number): void {
  must(record.seq === record.issued, 'seq = issued')
  must(record.expires > record.issued, '`expires` is above `issued`')
  must(record.expires - record.issued <= days * DAY, `at most ${days} days`)
}

function checkLists(record: IdentityRecord): void {
  must(record.minVersion >= 1 && record.minVersion <= record.maxVersion, 'a range of versions')
  const open = record.policy === 1
  must((record.requestReader !== undefined) === open, '`requestReader` exactly with the open policy')
  must(open || record.relays === undefined, '`relays` only with the open policy')
  const names = [...record.devices.map((d) => d.signing), ...record.revoked].map((key) => key.join())
  must(new Set(names).size === names.length, 'each device once')
  for (const device of record.devices) {
    untyped(ED25519, device.signing)
    untyped(X25519, device.identity)
  }
  for (const key of record.revoked) must(key[0] === ED25519, 'type of a revoked key')
  if (record.requestReader) untyped(ED25519, record.requestReader)
}

/** Checks an identity record; `key` is the one that it was found under, if any. */
export function readIdentity(value: Uint8Array, key?: Uint8Array): CheckedIdentity {
  must(value.length <= MAX_RECORD_BYTES, 'a record has 4096 bytes at most')
  const { body, signature } = signed.decode(value)
  const record = identityRecord.decode(body)
  must(record.version === 1, 'the version is 1')
  const id = idOf(record.inception)
  must(key === undefined || same(key, identityKey(id)), 'the content does not fit the key')
  checkSpan(record, MAX_IDENTITY_RECORD_DAYS)
  const chain = readChain(record.inception, record.events)
  checkLists(record)
  chain.checkSignatures()
  checkSignature(untyped(ED25519, chain.root), 'identity-record', body, signature)
  const head = { events: record.events.length, seq: record.seq, hash: H(value) }
  return { kind: 'identity', record, id, signer: chain.root, head, body, signature }
}

/** Checks a prekey record. */
export function readPrekey(value: Uint8Array, key?: Uint8Array): CheckedPrekey {
  must(value.length <= MAX_RECORD_BYTES, 'a record has 4096 bytes at most')
  const { body, signature } = signed.decode(value)
  const record = prekeyRecord.decode(body)
  must(record.version === 1, 'the version is 1')
  must(key === undefined || same(key, prekeyKey(record.device)), 'the content does not fit the key')
  checkSpan(record, MAX_PREKEY_RECORD_DAYS)
  const signer = untyped(ED25519, record.device)
  untyped(X25519, record.prekey)
  untyped(MLKEM768, record.kem)
  checkSignature(signer, 'prekey-record', body, signature)
  const head = { events: 0, seq: record.seq, hash: H(value) }
  return { kind: 'prekey', record, signer: record.device, head, body, signature }
}

/** Checks a value under its DHT key, but for the time. */
export function readRecord(key: Uint8Array, value: Uint8Array): CheckedIdentity | CheckedPrekey {
  must(key.length === 41, 'a key of 41 bytes')
  const space = cut(key, 0, 9)
  if (same(space, IDENTITY)) return readIdentity(value, key)
  must(same(space, PREKEY), 'no such namespace')
  return readPrekey(value, key)
}

/** Check 3 of the time: not expired, not more than an hour ahead. */
export function checkTime(record: { seq: number; expires: number }, now: number): void {
  must(record.expires > now, 'expires > now')
  must(record.seq <= now + MAX_RECORD_AHEAD_SECONDS, 'seq ≤ now + 3600')
}

/** Whether a prekey record found in the DHT counts: the identity record of its ID lists its device. */
export function prekeyCounts(prekey: CheckedPrekey, identity: CheckedIdentity): boolean {
  const listed = identity.record.devices.some((device) => same(device.signing, prekey.record.device))
  return listed && same(identity.id, prekey.record.id)
}

/** Above zero when the first head stands above the second. */
function compareHeads(a: Head, b: Head): number {
  return a.events - b.events || a.seq - b.seq || compare(b.hash, a.hash)
}

/** Whether two heads show that somebody signed twice. */
export function isEquivocation(a: Head, b: Head): boolean {
  return a.events === b.events && a.seq === b.seq && !same(a.hash, b.hash)
}

function headOf(key: Uint8Array, value: Uint8Array): Head | undefined {
  try {
    return readRecord(key, value).head
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

/** Order of any two values at one key; above zero when the first wins. */
export function compareValues(key: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  const [headA, headB] = [headOf(key, a), headOf(key, b)]
  if (headA && headB) return compareHeads(headA, headB)
  if (headA) return 1
  if (headB) return -1
  return compare(b, a)
}
