/**
 * This node's own identity at work (PROTOCOL 1 and 2): current record and prekeys, their rotation, and what the two legs
 * and every message say about ourselves.
 */
import { equal, utf8 } from '../crypto/bytes.ts'
import { ed25519KeyPair } from '../crypto/ed25519.ts'
import { typeKey } from '../crypto/key-type.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import { ConfigError } from '../errors.ts'
import {
  createDevice,
  decodeOwnKeys,
  deviceEntry,
  deviceKeyPairs,
  encodeOwnKeys,
  findPrekey,
  findRecord,
  isPrekeyOver,
  keepRecord,
  type OwnKeys,
  rotatePrekeys,
  rotateRoot,
  stillKept,
} from '../identity/device-keys.ts'
import { createIdentityRecord, type IdentityView, nextSeq, readIdentityRecord } from '../identity/records.ts'
import { createInception, idToText, inceptionId, rootKeyPair } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { type Random, type Store, TABLE } from '../ports.ts'
import type { OwnPrekeys } from '../session/leg1.ts'
import { type Head, type IdentityRecord, REQUEST_POLICY } from '../wire/records.ts'
import { decode, encode, struct, text } from '../wire/schema.ts'

const NO_SCOPE = new Uint8Array(0)
const KEYS = utf8('keys')
const PROFILE = utf8('profile')
const profileRow = struct({ name: [1, text(limits.MAX_NAME_BYTES)] })
const DAY = 86_400
/** The identity record is signed again when less than this is left of its 90 days. */
const RENEW_DAYS = 45

/** What an identity record says of friend requests. */
export type RequestTerms = Pick<IdentityRecord, 'policy' | 'requestReader' | 'relays'>

/** Draws and signs a new identity; the rows to write, and the ID. `entropy` is what the words stand for. */
export function createSelf(init: { entropy: Uint8Array; name: string; random: Random; now: number }): {
  id: Uint8Array
  tx: Transaction
} {
  const { entropy, name, random, now } = init
  if (utf8(name).length > limits.MAX_NAME_BYTES || name.trim() === '') {
    throw new ConfigError('BAD_NAME', `expected a name of 1 to ${limits.MAX_NAME_BYTES} bytes`)
  }
  const inception = createInception(entropy)
  const id = inceptionId(inception)
  const device = createDevice(random, now)
  const record = createIdentityRecord({
    root: rootKeyPair(entropy, 0),
    seq: now,
    inception,
    devices: [deviceEntry(device)],
  })
  const keys: OwnKeys = {
    rootSeed: rootKeyPair(entropy, 0).seed,
    device,
    prekeys: rotatePrekeys({ id, device }, [], now, random),
    records: keepRecord([], { seq: record.head.seq, record: record.bytes }, now),
  }
  const tx = new Transaction()
  tx.put(TABLE.identity, NO_SCOPE, KEYS, encodeOwnKeys(keys))
  tx.put(TABLE.identity, NO_SCOPE, PROFILE, encode(profileRow, { name }))
  return { id, tx }
}

export class Self {
  readonly id: Uint8Array
  readonly idText: string
  readonly name: string
  #keys: OwnKeys
  #record: IdentityView

  private constructor(keys: OwnKeys, name: string) {
    this.#keys = keys
    this.#record = readIdentityRecord(keys.records.at(-1)!.record)
    this.id = this.#record.id
    this.idText = idToText(this.id)
    this.name = name
  }

  /** @throws ConfigError `NO_IDENTITY` when the store holds none */
  static async load(store: Store): Promise<Self> {
    const keys = await store.get({ table: TABLE.identity, scope: NO_SCOPE, position: KEYS })
    const profile = await store.get({ table: TABLE.identity, scope: NO_SCOPE, position: PROFILE })
    if (!keys || !profile)
      throw new ConfigError('NO_IDENTITY', 'there is no identity here', { hint: 'run `kith init`' })
    return new Self(decodeOwnKeys(keys), decode(profileRow, profile, 1024).name)
  }

  get record(): IdentityView {
    return this.#record
  }

  get head(): Head {
    return this.#record.head
  }

  /** Current root key, typed. */
  get root(): Uint8Array {
    return this.#record.root
  }

  /** Typed signing key of this device. */
  get device(): Uint8Array {
    return typeKey('ed25519', deviceKeyPairs(this.#keys.device).signing.public)
  }

  /** X25519 identity secret of this device. */
  get identitySecret(): Uint8Array {
    return this.#keys.device.identity
  }

  /** The same of this device and of those before it, newest first: a handshake may have begun with any. */
  get identitySecrets(): Uint8Array[] {
    return [this.#keys.device.identity, ...(this.#keys.former ?? []).map(({ identity }) => identity)]
  }

  /** Identity secret of the own device, or former one, under a typed signing key; undefined when it is not kept any more. */
  identitySecretOf(device: Uint8Array): Uint8Array | undefined {
    if (equal(device, this.device)) return this.identitySecret
    return this.#keys.former?.find(({ signing }) => equal(signing, device))?.identity
  }

  /** The signed prekey record that others should use now. */
  get prekeyRecord(): Uint8Array {
    return this.#keys.prekeys.at(-1)!.record
  }

  /** Name of that prekey, seconds. */
  get prekeySeq(): number {
    return this.#keys.prekeys.at(-1)!.seq
  }

  /** Whether a head is one that this identity signed, as far as it remembers; older ones than it keeps are believed. */
  signed(head: Head): boolean {
    // every message brings a head: reading a record again checks its signature again
    if (head.seq === this.head.seq) return equal(this.head.hash, head.hash)
    const known = this.#keys.records.find((entry) => entry.seq === head.seq)
    if (known) return equal(readIdentityRecord(known.record).hash, head.hash)
    return head.seq < this.#keys.records[0]!.seq
  }

  /**
   * Own keys that a leg 1 names; undefined once they are destroyed, or old enough to be.
   * @param now protocol time in seconds
   */
  findKeys(
    { device, prekeySeq, recordSeq }: { device: Uint8Array; prekeySeq: number; recordSeq: number },
    now: number,
  ): OwnPrekeys | undefined {
    if (!equal(typeKey('ed25519', device), this.device)) return undefined
    const prekey = findPrekey(this.#keys.prekeys, prekeySeq)
    const record = findRecord(this.#keys.records, recordSeq)
    if (!prekey || !record || isPrekeyOver(prekey, now)) return undefined
    return {
      record: record.record,
      prekeyRecord: prekey.record,
      prekeySecret: prekey.secret,
      kemSeed: prekey.kemSeed,
      identitySecret: this.#keys.device.identity,
    }
  }

  /**
   * Replaces what is due: a weekly prekey, a record that is old or says something else of requests than `terms`. Durable
   * before it resolves.
   * @param now protocol time in seconds
   * @returns whether there is something new to publish
   */
  async renew(
    { journal, random, now }: { journal: Journal; random: Random; now: number },
    terms: RequestTerms = { policy: REQUEST_POLICY.invite },
  ): Promise<boolean> {
    const prekeys = rotatePrekeys({ id: this.id, device: this.#keys.device }, this.#keys.prekeys, now, random)
    let { records } = this.#keys
    let record = this.#record
    if (record.record.expires < now + RENEW_DAYS * DAY || !areTerms(record.record, terms)) {
      const { inception, events, devices, revoked } = record.record
      record = createIdentityRecord({
        root: ed25519KeyPair(this.#keys.rootSeed),
        seq: nextSeq(now, record.head.seq),
        previous: record.hash,
        inception,
        events,
        devices,
        revoked,
        ...terms,
      })
      records = keepRecord(records, { seq: record.head.seq, record: record.bytes }, now)
    }
    const former = this.#keys.former && stillKept(this.#keys.former, now)
    const isSame = prekeys === this.#keys.prekeys && record === this.#record
    if (isSame && former?.length === this.#keys.former?.length) return false
    const tx = new Transaction()
    this.#put(tx, { ...this.#keys, prekeys, records, ...(former && { former }) })
    await journal.commit(tx)
    return true
  }

  /** Resolves when the files hold nothing of the keys that were destroyed. The caller lets nothing renew meanwhile. */
  async shred(store: Store): Promise<void> {
    await store.shred?.({ table: TABLE.identity, scope: NO_SCOPE, position: KEYS }, encodeOwnKeys(this.#keys))
  }

  /**
   * Reveals the next root key and draws a new device, in the transaction of the caller; nothing else may renew meanwhile.
   * @param entropy what the words stand for, 32 bytes; not kept
   * @param now protocol time in seconds
   * @throws UsageError `WRONG_WORDS`, `TOO_MANY`
   */
  rotate(tx: Transaction, entropy: Uint8Array, random: Random, now: number): void {
    this.#put(tx, rotateRoot(this.#keys, entropy, random, now))
  }

  #put(tx: Transaction, keys: OwnKeys): void {
    tx.put(TABLE.identity, NO_SCOPE, KEYS, encodeOwnKeys(keys))
    tx.afterCommit(() => {
      this.#keys = keys
      this.#record = readIdentityRecord(keys.records.at(-1)!.record)
    })
  }
}

function areTerms(record: IdentityRecord, terms: RequestTerms): boolean {
  const nothing = new Uint8Array(0)
  return (
    record.policy === terms.policy &&
    equal(record.requestReader ?? nothing, terms.requestReader ?? nothing) &&
    record.relays?.join() === terms.relays?.join()
  )
}
