/**
 * Making and checking the identity record and the prekey record (PROTOCOL 2). On the wire both are `signed` {body,
 * signature}: the current root signs an identity record, the device its prekey record. Checks go from cheap to dear:
 * size, canonical form, version, key, times, event chain, keys and lists, and the signatures last. Which record a node
 * believes, remembers or publishes is `directory/`'s work.
 *
 * seq is the issue time: `seq = issued`, strictly rising from record to record.
 */
import { compare, equal, toHex } from '../crypto/bytes.ts'
import { type Ed25519KeyPair, sign, verify } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import { KEY_TYPE, typeKey, untypeKey } from '../crypto/key-type.ts'
import { ForgedError, PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import * as wire from '../wire/records.ts'
import { decode, encode } from '../wire/schema.ts'
import { inceptionId, nextDigest } from './root.ts'

const DAY_SECONDS = 86_400

/** An identity record that was checked. The byte strings are its own: do not write to them. */
export interface IdentityView {
  readonly kind: 'identity'
  /** The whole record as it travels. */
  readonly bytes: Uint8Array
  /** H(bytes), 32 bytes. */
  readonly hash: Uint8Array
  readonly head: wire.Head
  /** 32 bytes. */
  readonly id: Uint8Array
  /** Current root key, typed Ed25519, 33 bytes. */
  readonly root: Uint8Array
  readonly record: wire.IdentityRecord
}

/** A prekey record that was checked. Whether its device belongs to the ID is told by `prekeyBelongs` alone. */
export interface PrekeyView {
  readonly kind: 'prekey'
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
  /** `events` is 0. */
  readonly head: wire.Head
  /** 32 bytes, as claimed. */
  readonly id: Uint8Array
  /** Typed device signing key, 33 bytes. */
  readonly device: Uint8Array
  readonly record: wire.PrekeyRecord
}

export interface ReadOptions {
  /** What the record's key must be; called after the form is known to be good, before anything dear. */
  matches?: (content: { id: Uint8Array; device?: Uint8Array }) => boolean
  /** Protocol time in seconds; without it the window is not looked at (records of the past, for a transcript). */
  now?: number
  /** How signatures are checked. @default the one Ed25519 rule of `crypto/` */
  verify?: typeof verify
}

export interface IdentityRecordInit {
  /** Current root: root i after i key events. */
  root: Ed25519KeyPair
  /** Issue time in seconds, see `nextSeq`. */
  seq: number
  /** @default seq + 90 days */
  expires?: number
  /** Hash of the record before this one. */
  previous?: Uint8Array
  inception: Uint8Array
  /** @default none */
  events?: Uint8Array[]
  devices: wire.Device[]
  /** Typed signing keys. @default none */
  revoked?: Uint8Array[]
  /** @default invite */
  policy?: number
  requestReader?: Uint8Array
  relays?: string[]
  /** @default 1 to 1 */
  minVersion?: number
  maxVersion?: number
}

/** The seq of a new record: the time, but above the one before, so that two changes in one second keep their order. */
export function nextSeq(now: number, previous: number | undefined): number {
  return Math.max(now, (previous ?? -1) + 1)
}

/** Signs an identity record and reads it again as a stranger would. @throws PeerError when it breaks a rule */
export function createIdentityRecord(init: IdentityRecordInit): IdentityView {
  const { root, ...fields } = init
  const body = encode(wire.identityRecord, {
    events: [],
    revoked: [],
    policy: wire.REQUEST_POLICY.invite,
    minVersion: limits.PROTOCOL_VERSION,
    maxVersion: limits.PROTOCOL_VERSION,
    ...fields,
    expires: init.expires ?? init.seq + limits.MAX_IDENTITY_RECORD_DAYS * DAY_SECONDS,
    version: limits.PROTOCOL_VERSION,
    issued: init.seq,
  })
  return readIdentityRecord(encode(wire.signed, { body, signature: sign(root.seed, 'identityRecord', body) }))
}

/**
 * Checks an identity record of at most 4096 bytes.
 * @throws PeerError `OVERSIZED`, `MALFORMED`, `VERSION`, `WRONG_KEY`, `RECORD_EXPIRED`, `RECORD_AHEAD`, `BAD_RECORD`,
 * `BAD_KEY`; ForgedError for a signature
 */
export function readIdentityRecord(bytes: Uint8Array, options: ReadOptions = {}): IdentityView {
  const { body, signature } = decode(wire.signed, bytes, limits.MAX_RECORD_BYTES)
  const record = decode(wire.identityRecord, body, limits.MAX_RECORD_BYTES)
  checkVersion(record.version)
  const id = inceptionId(record.inception)
  checkContent(record, { id }, limits.MAX_IDENTITY_RECORD_DAYS, options)
  const { root, events } = readChain(record)
  checkLists(record)

  const check = options.verify ?? verify
  for (const event of events) {
    if (!check(event.root.subarray(1), 'keyEvent', event.body, event.signature)) throw new ForgedError()
  }
  if (!check(root.subarray(1), 'identityRecord', body, signature)) throw new ForgedError()

  const hash = sha256(bytes)
  const head = Object.freeze({ events: events.length, seq: record.seq, hash })
  return Object.freeze({
    kind: 'identity',
    bytes: bytes.slice(),
    hash,
    head,
    id,
    root,
    record: Object.freeze(record),
  })
}

export interface PrekeyRecordInit {
  /** 32 bytes. */
  id: Uint8Array
  /** Device signing key. */
  device: Ed25519KeyPair
  /** Issue time in seconds, see `nextSeq`. */
  seq: number
  /** @default seq + 30 days */
  expires?: number
  /** Signed prekey, X25519 public key of 32 bytes. */
  prekey: Uint8Array
  /** ML-KEM-768 encapsulation key of 1184 bytes. */
  kem: Uint8Array
}

/** Signs a prekey record and reads it again. @throws PeerError when it breaks a rule */
export function createPrekeyRecord(init: PrekeyRecordInit): PrekeyView {
  const body = encode(wire.prekeyRecord, {
    version: limits.PROTOCOL_VERSION,
    id: init.id,
    device: typeKey('ed25519', init.device.public),
    seq: init.seq,
    issued: init.seq,
    expires: init.expires ?? init.seq + limits.PREKEY_VALID_DAYS * DAY_SECONDS,
    prekey: typeKey('x25519', init.prekey),
    kem: typeKey('mlKem768', init.kem),
  })
  return readPrekeyRecord(encode(wire.signed, { body, signature: sign(init.device.seed, 'prekeyRecord', body) }))
}

/** Checks a prekey record of at most 4096 bytes, signed by the device that it names. @throws as `readIdentityRecord` */
export function readPrekeyRecord(bytes: Uint8Array, options: ReadOptions = {}): PrekeyView {
  const { body, signature } = decode(wire.signed, bytes, limits.MAX_RECORD_BYTES)
  const record = decode(wire.prekeyRecord, body, limits.MAX_RECORD_BYTES)
  checkVersion(record.version)
  checkContent(record, { id: record.id, device: record.device }, limits.MAX_PREKEY_RECORD_DAYS, options)
  untypeKey('x25519', record.prekey)
  untypeKey('mlKem768', record.kem)
  const device = untypeKey('ed25519', record.device)

  const check = options.verify ?? verify
  if (!check(device, 'prekeyRecord', body, signature)) throw new ForgedError()

  const hash = sha256(bytes)
  const head = Object.freeze({ events: 0, seq: record.seq, hash })
  return Object.freeze({
    kind: 'prekey',
    bytes: bytes.slice(),
    hash,
    head,
    id: record.id,
    device: record.device,
    record: Object.freeze(record),
  })
}

/** Whether the identity record names the prekey record's device, and has not revoked it. */
export function prekeyBelongs(identity: IdentityView, prekey: PrekeyView): boolean {
  return equal(identity.id, prekey.id) && deviceOf(identity, prekey.device) !== undefined
}

/** The device of an identity record under a typed signing key; undefined when it is unknown or revoked. */
function deviceOf(identity: IdentityView, typedSigning: Uint8Array): wire.Device | undefined {
  return identity.record.devices.find((device) => equal(device.signing, typedSigning))
}

/**
 * Whether a record may be used at `now`, protocol time in seconds.
 * @throws PeerError `RECORD_EXPIRED`, or `RECORD_AHEAD` when its seq lies more than an hour ahead
 */
export function checkWindow(view: { record: { seq: number; expires: number } }, now: number): void {
  if (view.record.expires <= now) throw new PeerError('RECORD_EXPIRED', 'the record has expired')
  if (view.record.seq > now + limits.MAX_RECORD_AHEAD_SECONDS) {
    throw new PeerError('RECORD_AHEAD', 'the record was issued in the future')
  }
}

/** The order of two records of one key (PROTOCOL 2): more events, then higher seq, then lower hash. Positive when `a` wins. */
export function compareHeads(a: wire.Head, b: wire.Head): number {
  return a.events - b.events || a.seq - b.seq || compare(b.hash, a.hash)
}

/** Whether two heads show that somebody signed two records for one place in the order. */
export function equivocates(a: wire.Head, b: wire.Head): boolean {
  return a.events === b.events && a.seq === b.seq && !equal(a.hash, b.hash)
}

function checkVersion(version: number): void {
  if (version !== limits.PROTOCOL_VERSION) {
    throw new PeerError('VERSION', `expected version ${limits.PROTOCOL_VERSION}, got ${version}`)
  }
}

function checkContent(
  record: { seq: number; issued: number; expires: number },
  content: { id: Uint8Array; device?: Uint8Array },
  maxDays: number,
  options: ReadOptions,
): void {
  if (options.matches?.(content) === false) throw new PeerError('WRONG_KEY', 'the record belongs to another key')
  if (record.seq !== record.issued) bad('a seq that is the issue time')
  if (record.expires <= record.issued || record.expires > record.issued + maxDays * DAY_SECONDS) {
    bad(`an expiry within ${maxDays} days of the issue time`)
  }
  if (options.now !== undefined) checkWindow({ record }, options.now)
}

interface ReadEvent {
  root: Uint8Array
  body: Uint8Array
  signature: Uint8Array
}

/** Follows the rotations from the inception to the current root; their signatures are left to the caller. */
function readChain(record: wire.IdentityRecord): { root: Uint8Array; events: ReadEvent[] } {
  const start = decode(wire.inception, record.inception, 128)
  checkVersion(start.version)
  checkType(start.root)
  let { root, next } = start
  let previous = sha256(record.inception)
  const events: ReadEvent[] = []
  for (const bytes of record.events) {
    const { body, signature } = decode(wire.signed, bytes, 256)
    const event = decode(wire.keyEvent, body, 256)
    checkVersion(event.version)
    if (event.index !== events.length + 1) bad(`the key event ${events.length + 1}, got ${event.index}`)
    if (!equal(event.previous, previous)) bad('a key event that follows the one before')
    if (!equal(nextDigest(event.root), next)) bad('the root key that was committed to')
    checkType(event.root)
    events.push({ root: event.root, body, signature })
    ;({ root, next } = event)
    previous = sha256(body)
  }
  return { root, events }
}

function checkLists(record: wire.IdentityRecord): void {
  if (record.minVersion < 1 || record.minVersion > record.maxVersion) bad('a version range from low to high')
  const open = record.policy === wire.REQUEST_POLICY.open
  if (open !== (record.requestReader !== undefined)) bad('a request reader exactly when requests are open')
  if (!open && record.relays !== undefined) bad('no relays when requests need an invite')
  const names = [...record.devices.map((device) => device.signing), ...record.revoked]
  if (new Set(names.map(toHex)).size !== names.length) bad('each device once, listed or revoked')
  for (const key of record.revoked) checkType(key)
  for (const device of record.devices) {
    untypeKey('x25519', device.identity)
    untypeKey('ed25519', device.signing)
  }
  if (record.requestReader) untypeKey('ed25519', record.requestReader)
}

// The form of a key that verifies, or is only a name, is not worth curve arithmetic here.
function checkType(typed: Uint8Array): void {
  if (typed[0] !== KEY_TYPE.ed25519) throw new PeerError('BAD_KEY', 'expected a key of type 2 (ed25519)')
}

function bad(expected: string): never {
  throw new PeerError('BAD_RECORD', `expected ${expected}`)
}
