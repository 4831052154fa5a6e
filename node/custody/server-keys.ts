/**
 * What a mailbox server is to others (PROTOCOL 6): its store ID, its challenges, its signed policy and its signatures.
 * A challenge is a MAC over its ten minutes, so that nothing is kept for it and a restart accepts the last ones.
 */
import { equal, u64, utf8 } from '../crypto/bytes.ts'
import { sign } from '../crypto/ed25519.ts'
import { hmacSha256 } from '../crypto/hash.ts'
import { typeKey } from '../crypto/key-type.ts'
import type { Label } from '../crypto/labels.ts'
import { x25519KeyPair } from '../crypto/x25519.ts'
import * as limits from '../limits.ts'
import { KINDS } from '../mailbox/keys.ts'
import { type Random, type Store, TABLE } from '../ports.ts'
import { policy as policyShape } from '../wire/commands.ts'
import { encode } from '../wire/schema.ts'
import { NO_SCOPE, readRow, type Secrets, secretsRow } from './rows.ts'

const SECRETS_KEY = { table: TABLE.meta, scope: NO_SCOPE, position: utf8('custody') }
const ACCEPTED_SLOTS = limits.CHALLENGE_ACCEPT_SECONDS / limits.CHALLENGE_RENEW_SECONDS

export interface PolicyOptions {
  /** Longest that a copy is kept. @default MAX_ENVELOPE_DAYS */
  maxDays?: number
  /** @default 2 */
  bucketBits?: number
  /** @default CLAIM_POSTAGE_BITS */
  claimBits?: number
  /** How to reach the operator, at most 200 bytes. @default none */
  contact?: string
  /** Seconds since 1970 from which on nothing new is taken. */
  drain?: number
}

/** A policy in its encoding, and the server's signature of it. */
interface SignedPolicy {
  policy: Uint8Array
  signature: Uint8Array
}

export class ServerKeys {
  /** Multihash bytes. */
  readonly peerId: Uint8Array
  /** 16 bytes: another disk and another peer ID each give another one. */
  readonly storeId: Uint8Array
  readonly policy: Required<Omit<PolicyOptions, 'drain'>> & { drain: number | undefined }
  readonly #seed: Uint8Array
  readonly #secrets: Secrets
  readonly #forwardKey: Uint8Array
  /** Policies of the present ten minutes, as they were signed, by the bits of an asker. */
  readonly #policies = new Map<number, SignedPolicy>()
  #policiesIssued = 0

  private constructor(peerId: Uint8Array, seed: Uint8Array, secrets: Secrets, options: PolicyOptions) {
    this.peerId = peerId
    this.storeId = hmacSha256(secrets.store, peerId).slice(0, 16)
    this.policy = {
      maxDays: limits.MAX_ENVELOPE_DAYS,
      bucketBits: 2,
      claimBits: limits.CLAIM_POSTAGE_BITS,
      contact: '',
      drain: undefined,
      ...options,
    }
    this.#seed = seed
    this.#secrets = secrets
    this.#forwardKey = typeKey('x25519', x25519KeyPair(secrets.forward).public)
  }

  /**
   * Reads the secrets, or draws and writes them on an empty disk; a disk that was put back gets a new store ID, as it may
   * not hold what was signed for since. `seed` is the transport key's, 32 bytes.
   */
  static async open(init: {
    store: Store
    random: Random
    peerId: Uint8Array
    seed: Uint8Array
    policy: PolicyOptions
    isRestored: boolean
  }): Promise<ServerKeys> {
    const { store, random, peerId, seed, policy, isRestored } = init
    const value = await store.get(SECRETS_KEY)
    const known = value && readRow(secretsRow, value)
    if (known && !isRestored) return new ServerKeys(peerId, seed, known, policy)
    const drawn = { store: random.bytes(32), challenge: random.bytes(32), forward: random.bytes(32) }
    const secrets = known ? { ...known, store: drawn.store } : drawn
    await store.write([{ key: SECRETS_KEY, value: encode(secretsRow, secrets) }])
    return new ServerKeys(peerId, seed, secrets, policy)
  }

  /** 32 bytes. @param now seconds */
  challenge(now: number): Uint8Array {
    return this.#challengeOf(slotOf(now))
  }

  accepts(challenge: Uint8Array, now: number): boolean {
    const current = slotOf(now)
    for (let slot = current; slot > current - ACCEPTED_SLOTS && slot >= 0; slot--) {
      if (equal(challenge, this.#challengeOf(slot))) return true
    }
    return false
  }

  /** Promises something else from now on. */
  setPolicy(changes: Pick<PolicyOptions, 'maxDays' | 'claimBits' | 'drain'>): void {
    Object.assign(this.policy, changes)
    this.#policies.clear()
  }

  /** The policy as it stands in HELLO. @param claimBits what this asker pays */
  signedPolicy(now: number, claimBits: number): SignedPolicy {
    const issued = slotOf(now) * limits.CHALLENGE_RENEW_SECONDS
    if (issued !== this.#policiesIssued) this.#policies.clear()
    this.#policiesIssued = issued
    const known = this.#policies.get(claimBits)
    if (known) return known
    const { maxDays, bucketBits, contact, drain } = this.policy
    const policy = encode(policyShape, {
      version: limits.PROTOCOL_VERSION,
      server: this.peerId,
      issued,
      maxCopies: KINDS.friend.maxCopies,
      maxBytes: KINDS.friend.maxBytes,
      maxDays,
      bucketBits,
      claimBits,
      contact,
      forwardKey: this.#forwardKey,
      drain,
    })
    const signed = { policy, signature: this.sign('policy', policy) }
    this.#policies.set(claimBits, signed)
    return signed
  }

  sign(label: Label, body: Uint8Array): Uint8Array {
    return sign(this.#seed, label, body)
  }

  #challengeOf(slot: number): Uint8Array {
    return hmacSha256(this.#secrets.challenge, u64(slot))
  }
}

function slotOf(now: number): number {
  return Math.floor(now / limits.CHALLENGE_RENEW_SECONDS)
}
