/**
 * The secrets of an identity on this device (PROTOCOL 1) and their form at rest, which moves apart from the wire's:
 * seed of the current root key, device keys, prekeys by seq, own identity records by seq (a request names the one it was made
 * for). Prekeys are replaced every 7 days and destroyed when 45 days old. The vault and the rows are the store's work.
 */
import { equal } from '../crypto/bytes.ts'
import { type Ed25519KeyPair, ed25519KeyPair } from '../crypto/ed25519.ts'
import { KEM_SEED_BYTES, kemKeyPair } from '../crypto/kem.ts'
import { typeKey } from '../crypto/key-type.ts'
import { type X25519KeyPair, x25519KeyPair } from '../crypto/x25519.ts'
import { StoreError, UsageError } from '../errors.ts'
import * as limits from '../limits.ts'
import type { Random } from '../ports.ts'
import { type Device, seconds } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, type Infer, list, optional, struct, uint } from '../wire/schema.ts'
import { createIdentityRecord, createPrekeyRecord, nextSeq, readIdentityRecord } from './records.ts'
import { createInception, createKeyEvent, inceptionId, rootKeyPair } from './root.ts'

const DAY_SECONDS = 86_400
const STORAGE_VERSION = 1
/** Prekeys alive at once: 45 days of one a week, and room for a clock that was put right. */
const MAX_PREKEYS = 16

const deviceSecrets = struct({
  /** Seed of the device signing key. */
  signing: [1, bytes(32)],
  /** Secret of the device identity key, X25519. */
  identity: [2, bytes(32)],
  /** Protocol time in seconds. */
  added: [3, seconds],
})
export type DeviceSecrets = Infer<typeof deviceSecrets>

const prekeySet = struct({
  seq: [1, seconds],
  /** Protocol time in seconds. */
  created: [2, seconds],
  /** X25519. */
  secret: [3, bytes(32)],
  /** Seed of the last-resort ML-KEM-768 key. */
  kemSeed: [4, bytes(KEM_SEED_BYTES)],
  /** The signed record. */
  record: [5, bytesBetween(1, limits.MAX_RECORD_BYTES)],
})
/** A prekey with its secrets and its published record. */
export type PrekeySet = Infer<typeof prekeySet>

const formerDevice = struct({
  /** Typed signing key. */
  signing: [1, bytes(33)],
  /** Secret of its identity key, X25519. */
  identity: [2, bytes(32)],
  /** Protocol time in seconds: nobody can answer a leg that was made with it after this. */
  until: [3, seconds],
})
/** A revoked device of this home, for the handshakes that were under way when its keys were replaced. */
export type FormerDevice = Infer<typeof formerDevice>

const ownRecord = struct({ seq: [1, seconds], record: [2, bytesBetween(1, limits.MAX_RECORD_BYTES)] })
/** An own identity record, signed. */
export type OwnRecord = Infer<typeof ownRecord>

const ownKeys = struct({
  version: [1, uint(255)],
  rootSeed: [2, bytes(32)],
  device: [3, deviceSecrets],
  /** Oldest first. */
  prekeys: [4, list(prekeySet, MAX_PREKEYS)],
  /** Oldest first; the last one is current. */
  records: [5, list(ownRecord, limits.MAX_OWN_RECORDS)],
  /** Newest first. */
  former: [6, optional(list(formerDevice, limits.MAX_KEY_EVENTS))],
})

/** All that an identity keeps on this device. */
export interface OwnKeys {
  /**
   * Seed of the current root key, 32 bytes. What the words stand for is not kept: whoever takes this device cannot make
   * the next root, which the words alone give.
   */
  rootSeed: Uint8Array
  device: DeviceSecrets
  prekeys: readonly PrekeySet[]
  records: readonly OwnRecord[]
  former?: readonly FormerDevice[]
}

/** Draws the keys of a new device: 64 random bytes. `now` is protocol time in seconds. */
export function createDevice(random: Random, now: number): DeviceSecrets {
  return { signing: random.bytes(32), identity: random.bytes(32), added: now }
}

/** Key pairs of a device. */
export function deviceKeyPairs(device: DeviceSecrets): { signing: Ed25519KeyPair; identity: X25519KeyPair } {
  return { signing: ed25519KeyPair(device.signing), identity: x25519KeyPair(device.identity) }
}

/** What the identity record says of a device. */
export function deviceEntry(device: DeviceSecrets): Device {
  const { signing, identity } = deviceKeyPairs(device)
  return {
    signing: typeKey('ed25519', signing.public),
    identity: typeKey('x25519', identity.public),
    added: device.added,
  }
}

/**
 * Drops prekeys that are 45 days old and adds a new one when the newest is 7 days old or there is none. The caller
 * stores the new list before it publishes the last record of it.
 * @param now protocol time in seconds
 * @returns the list, oldest first; the same array when nothing changed
 */
export function rotatePrekeys(
  owner: { id: Uint8Array; device: DeviceSecrets },
  prekeys: readonly PrekeySet[],
  now: number,
  random: Random,
): readonly PrekeySet[] {
  const alive = prekeys.filter((set) => !isPrekeyOver(set, now))
  const newest = alive.at(-1)
  if (newest && now - newest.created < limits.PREKEY_ROTATION_DAYS * DAY_SECONDS) {
    return alive.length === prekeys.length ? prekeys : alive
  }
  // against the list before dropping: a seq must never come back
  const seq = nextSeq(now, prekeys.at(-1)?.seq)
  const secret = random.bytes(32)
  const kemSeed = random.bytes(KEM_SEED_BYTES)
  const { bytes: record } = createPrekeyRecord({
    id: owner.id,
    device: ed25519KeyPair(owner.device.signing),
    seq,
    prekey: x25519KeyPair(secret).public,
    kem: kemKeyPair(kemSeed).public,
  })
  return [...alive, { seq, created: now, secret, kemSeed, record }].slice(-MAX_PREKEYS)
}

/** Whether a prekey is old enough to be destroyed, at `now`, protocol time in seconds. */
export function isPrekeyOver({ created }: PrekeySet, now: number): boolean {
  return now - created >= limits.PREKEY_DESTROYED_DAYS * DAY_SECONDS
}

/** The prekey that a request names; undefined when it is unknown or destroyed. */
export function findPrekey(prekeys: readonly PrekeySet[], seq: number): PrekeySet | undefined {
  return prekeys.find((set) => set.seq === seq)
}

/**
 * Appends a new current identity record and drops those that were replaced 45 days ago or earlier: no prekey that a
 * request could have used beside them is left.
 * @param now protocol time in seconds
 */
export function keepRecord(records: readonly OwnRecord[], record: OwnRecord, now: number): readonly OwnRecord[] {
  const all = [...records, record]
  const horizon = now - limits.PREKEY_DESTROYED_DAYS * DAY_SECONDS
  return all.filter((_, index) => (all[index + 1]?.seq ?? now) > horizon).slice(-limits.MAX_OWN_RECORDS)
}

/** The own identity record that a request names; undefined when it is unknown or was dropped. */
export function findRecord(records: readonly OwnRecord[], seq: number): OwnRecord | undefined {
  return records.find((entry) => entry.seq === seq)
}

/**
 * The keys after the next root key was revealed (PROTOCOL 1): its seed, a new device, one new prekey, and a record that names
 * them and revokes the devices before. What the old device was known by stays as long as somebody may answer a leg of its.
 * @param now protocol time in seconds
 * @throws UsageError `WRONG_WORDS` when the entropy is another identity's, `TOO_MANY` after the eighth rotation
 */
export function rotateRoot(keys: OwnKeys, entropy: Uint8Array, random: Random, now: number): OwnKeys {
  const current = readIdentityRecord(keys.records.at(-1)!.record)
  if (!equal(inceptionId(createInception(entropy)), current.id)) {
    throw new UsageError('WRONG_WORDS', 'the words belong to another identity', {
      hint: 'use the 24 words that `kith init` showed for this one',
    })
  }
  const { inception, events, devices, revoked, policy, requestReader, relays } = current.record
  const device = createDevice(random, now)
  const root = rootKeyPair(entropy, events.length + 1)
  const record = createIdentityRecord({
    root,
    seq: nextSeq(now, current.head.seq),
    previous: current.hash,
    inception,
    events: [...events, createKeyEvent(entropy, events)],
    devices: [deviceEntry(device)],
    revoked: [...revoked, ...devices.map(({ signing }) => signing)].slice(-limits.MAX_REVOKED_DEVICES),
    policy,
    requestReader,
    relays,
  })
  const old: FormerDevice = {
    signing: deviceEntry(keys.device).signing,
    identity: keys.device.identity,
    until: now + limits.ONE_TIME_KEY_DAYS * DAY_SECONDS,
  }
  return {
    rootSeed: root.seed,
    device,
    prekeys: rotatePrekeys({ id: current.id, device }, [], now, random),
    records: keepRecord(keys.records, { seq: record.head.seq, record: record.bytes }, now),
    former: [old, ...stillKept(keys.former, now)].slice(0, limits.MAX_KEY_EVENTS),
  }
}

/** The former devices whose keys are kept at `now`, protocol time in seconds. */
export function stillKept(former: readonly FormerDevice[] = [], now: number): readonly FormerDevice[] {
  return former.filter(({ until }) => until > now)
}

/** The form at rest: at most about 300 KiB. It is secret: the store encrypts it. */
export function encodeOwnKeys(keys: OwnKeys): Uint8Array {
  return encode(ownKeys, {
    version: STORAGE_VERSION,
    rootSeed: keys.rootSeed,
    device: keys.device,
    prekeys: [...keys.prekeys],
    records: [...keys.records],
    ...(keys.former && { former: [...keys.former] }),
  })
}

/** @throws StoreError `STORE_DAMAGED` for bytes that `encodeOwnKeys` did not make, `SCHEMA` for a newer version's */
export function decodeOwnKeys(encoded: Uint8Array): OwnKeys {
  let decoded: Infer<typeof ownKeys>
  try {
    decoded = decode(ownKeys, encoded, limits.MAX_OWN_KEYS_BYTES)
  } catch (cause) {
    throw new StoreError('STORE_DAMAGED', 'the row of the own keys has another form', { cause })
  }
  const { version, ...keys } = decoded
  if (version !== STORAGE_VERSION) {
    throw new StoreError('SCHEMA', `expected own keys of version ${STORAGE_VERSION}, got ${version}`, {
      hint: 'a newer version wrote this directory: use that one',
    })
  }
  return keys
}
