/**
 * Which records the DHT may hold, and which of two wins (PROTOCOL 2), in the forms that kad-dht asks for. Cheap checks
 * of key and size are made here; the rest, signatures and memory, is the node's.
 */
import type { SelectFn, ValidateFn } from '@libp2p/kad-dht'
import { utf8 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import { MAX_RECORD_BYTES } from '../limits.ts'
import type { Inbound } from '../ports.ts'

type RecordRules = Pick<Inbound, 'validateRecord' | 'compareRecords'>

/** Namespaces of records: the first segment of their keys. */
const NAMESPACES = ['kith-id', 'kith-pk', 'kith-rv'] as const
const HASH_BYTES = 32

const KEY_PREFIXES = NAMESPACES.map((namespace) => utf8(`/${namespace}/`))

/** `/<namespace>/` and a hash or a key of 32 bytes, which may hold any byte: only the first segment is read as text. */
export function isRecordKey(key: Uint8Array): boolean {
  return KEY_PREFIXES.some(
    (prefix) =>
      key.length === prefix.length + HASH_BYTES && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0,
  )
}

/** @throws PeerError when the record may not be stored or believed */
export function checkRecord(rules: RecordRules, key: Uint8Array, value: Uint8Array): void {
  if (!isRecordKey(key)) throw new PeerError('RECORD_REFUSED', 'not a key of a record')
  if (value.length > MAX_RECORD_BYTES) {
    throw new PeerError('RECORD_REFUSED', `expected at most ${MAX_RECORD_BYTES} bytes, got ${value.length}`)
  }
  rules.validateRecord(key, value)
}

/** Whether a record may be stored and believed. */
export function isGoodRecord(rules: RecordRules, key: Uint8Array, value: Uint8Array): boolean {
  try {
    checkRecord(rules, key, value)
    return true
  } catch {
    return false
  }
}

/** Validators by namespace. They run on PUT, on answers to GET and on local reads. */
export function recordValidators(rules: RecordRules): Record<string, ValidateFn> {
  return forEachNamespace((key, value) => checkRecord(rules, key, value))
}

/** Selectors by namespace: the index of the highest of some valid values. */
export function recordSelectors(rules: RecordRules): Record<string, SelectFn> {
  return forEachNamespace((key, values) => {
    let best = 0
    for (let i = 1; i < values.length; i++) {
      if (rules.compareRecords(key, values[i]!, values[best]!) > 0) best = i
    }
    return best
  })
}

function forEachNamespace<T>(value: T): Record<string, T> {
  return Object.fromEntries(NAMESPACES.map((namespace) => [namespace, value]))
}
