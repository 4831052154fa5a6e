/*
 * Section 9, rendezvous: keys of a week, the record, what does not fit, and the order of records.
 */
import {
  byteAt,
  compare,
  concat,
  cut,
  L,
  must,
  pad,
  readUint,
  same,
  split,
  u32,
  u64,
  u8,
  unpad,
  utf8,
} from './bytes.ts'
import type { Of } from './cbor.ts'
import { checkSignature, ed25519Public, signLabelled } from './keys.ts'
import { place } from './maps.ts'
import { H, HKDF, none, open, seal } from './primitives.ts'

/** A rendezvous record, always. */
const RENDEZVOUS_BYTES = 512
const PLACE_BYTES = 399
const WEEK = 604_800
const PREFIX = utf8('/kith-rv/')

/** What is said in a record. */
export type Place = Of<typeof place>

/** Keys of a week. */
interface WeekKeys {
  hkdf: Uint8Array
  seed: Uint8Array
  public: Uint8Array
  sealingKey: Uint8Array
  key: Uint8Array
}

/** Number of the week of a second. */
export function weekOf(now: number): number {
  return Math.floor(now / WEEK)
}

/** Keys of a direction in a week. */
export function weekKeys(reachSecret: Uint8Array, week: number): WeekKeys {
  const hkdf = HKDF(none, reachSecret, concat(L('rv-keys'), u32(week)), 64)
  const [seed, sealingKey] = split(hkdf, [32, 32])
  const key = ed25519Public(seed)
  return { hkdf, seed, public: key, sealingKey, key: concat(PREFIX, key) }
}

/** Leaves out from the end what does not fit: addresses, the peer ID with the last of them, then relays. */
export function fitted(wanted: Place): Place {
  let fitting = wanted
  while (place.encode(fitting).length >= PLACE_BYTES) {
    const { addresses, relays } = fitting
    if (addresses === undefined) fitting = { relays: relays.slice(0, -1) }
    else if (addresses.length < 2) fitting = { relays }
    else fitting = { ...fitting, addresses: addresses.slice(0, -1) }
  }
  if (fitting.addresses?.length) return fitting
  const { relays } = fitting
  return { relays }
}

/** What a record is made of. */
interface Made {
  sealed: Uint8Array
  signature: Uint8Array
  record: Uint8Array
}

/** Makes a record under a given nonce. */
export function makeRecord(keys: WeekKeys, seq: number, said: Place, nonce: Uint8Array): Made {
  const sealed = seal(keys.sealingKey, nonce, pad(place.encode(said), PLACE_BYTES), L('rv-record'))
  const body = concat(u8(1), u64(seq), sealed)
  const signature = signLabelled(keys.seed, 'rv-record', body)
  return { sealed, signature, record: concat(body, signature) }
}

/** What the DHT checks of a value at a key: form, time, signature. Gives `seq` and what is sealed. */
export function checkRecord(key: Uint8Array, value: Uint8Array, now?: number): { seq: number; sealed: Uint8Array } {
  must(value.length === RENDEZVOUS_BYTES, 'always 512')
  must(byteAt(value, 0) === 1, 'the version is 1')
  const seq = readUint(value, 1, 8)
  if (now !== undefined) must(now >= seq - 3600 && now < seq + WEEK, 'from an hour before `seq` to a week after it')
  must(key.length === 41 && same(cut(key, 0, 9), PREFIX), 'a key of a rendezvous record')
  checkSignature(cut(key, 9, 41), 'rv-record', cut(value, 0, 448), cut(value, 448, 512))
  return { seq, sealed: cut(value, 9, 448) }
}

/** The place that a record tells its reader. */
export function readRecord(keys: WeekKeys, key: Uint8Array, value: Uint8Array, now: number): Place {
  const { sealed } = checkRecord(key, value, now)
  return place.decode(unpad(open(keys.sealingKey, sealed, L('rv-record'))))
}

/** Above zero when the first record wins. */
export function compareRecords(key: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  return checkRecord(key, a).seq - checkRecord(key, b).seq || compare(H(b), H(a))
}
