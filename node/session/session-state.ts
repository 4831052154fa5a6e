/**
 * What a node keeps of one session (PROTOCOL 8) as plain data, and its form at rest: versioned CBOR that has nothing to do
 * with the wire and may change without it. States are never written to: every step gives a new one that shares what did
 * not change. Who keeps them, and in which batch, is delivery's work.
 */
import { compare, concat, readUint, u32, u64 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import { MAX_SKIPPED_KEYS } from '../limits.ts'
import { bytes, decode, encode, type Infer, list, optional, type Shape, struct, uint } from '../wire/schema.ts'

export const SESSION_STATE_VERSION = 1
export const SESSION_ROLE = { requester: 1, accepter: 2 } as const

/**
 * Chains whose skipped keys are kept beside the current one's. Lower loses mail that a friend's relay holds back over
 * several turns of talk; higher means more trial decryptions for every envelope that does not open.
 */
export const MAX_SKIPPED_CHAINS = 5

/** A message key that was passed over: the message may still come. */
export interface SkippedKey {
  /** Number of the message in its chain. */
  count: number
  /** When it was passed over, seconds. */
  stored: number
  /** 32 bytes. */
  key: Uint8Array
}

const SKIPPED_KEY_BYTES = 44

/** Skipped keys in one byte string, `count(4) || stored(8) || key(32)` each: thousands of them are written with every message. */
const skippedKeys: Shape<SkippedKey[]> = {
  write: (keys) => concat(...keys.flatMap(({ count, stored, key }) => [u32(count), u64(stored), key])),
  read(value) {
    const fits = value instanceof Uint8Array && value.length % SKIPPED_KEY_BYTES === 0
    if (!fits || value.length > MAX_SKIPPED_KEYS * SKIPPED_KEY_BYTES) {
      throw new PeerError('MALFORMED', `expected at most ${MAX_SKIPPED_KEYS} skipped keys`)
    }
    const keys: SkippedKey[] = []
    for (let at = 0; at < value.length; at += SKIPPED_KEY_BYTES) {
      const stored = readUint(value, at + 4, 8)
      keys.push({ count: readUint(value, at, 4), stored, key: value.slice(at + 12, at + SKIPPED_KEY_BYTES) })
    }
    return keys
  },
}

const key = bytes(32)
const count = uint(2 ** 32)
const chain = struct({ key: [1, key], count: [2, count] })
/** A symmetric chain: its key and the number of the message it makes next. */
export type Chain = Infer<typeof chain>

const sendingChain = struct({
  key: [1, key],
  count: [2, count],
  headerKey: [3, key],
  secret: [4, key],
  public: [5, key],
})
const receivingChain = struct({
  key: [1, key],
  count: [2, count],
  headerKey: [3, key],
  /** Highest floor heard: nothing below it will come. */
  floor: [4, count],
})
const skippedChain = struct({ headerKey: [1, key], keys: [2, skippedKeys] })
export type SkippedChain = Infer<typeof skippedChain>

/** The classical half. */
const doubleRatchet = struct({
  rootKey: [1, key],
  /** Absent from a step of the friend's until the next message of ours: its key pair is drawn only then. */
  sending: [2, optional(sendingChain)],
  /** Absent at the accepter until the requester's first message. */
  receiving: [3, optional(receivingChain)],
  nextSendingHeaderKey: [4, key],
  nextReceivingHeaderKey: [5, key],
  /** The friend's ratchet key. */
  theirKey: [6, key],
  /** Messages of our previous sending chain. */
  previousCount: [7, count],
  /** Sending chains so far; names the current one in the outbox. */
  sendingNumber: [8, uint()],
  /** Oldest first. */
  skipped: [9, list(skippedChain, MAX_SKIPPED_CHAINS)],
})
export type DoubleRatchetState = Infer<typeof doubleRatchet>

const pqEpoch = struct({
  epoch: [1, count],
  sending: [2, chain],
  receiving: [3, chain],
  skipped: [4, skippedKeys],
})
export type PqEpoch = Infer<typeof pqEpoch>

/** The post-quantum half. Epoch 0 alone so far; root and MAC key are what epoch 1 starts from. */
const pqRatchet = struct({
  rootKey: [1, key],
  macKey: [2, key],
  /** Highest epoch that the friend has shown to hold. */
  theirEpoch: [3, count],
  epochs: [4, list(pqEpoch, 8, 1)],
})
export type PqRatchetState = Infer<typeof pqRatchet>

const sessionState = struct({
  version: [1, uint(255)],
  /** One of SESSION_ROLE. */
  role: [2, uint(2)],
  /** Version of the protocol that the handshake chose. */
  protocol: [3, uint(255)],
  /** Transcript up to c1: orders sessions of one rekey number. */
  th1: [4, key],
  /** Transcript of the whole handshake: associated data of every message. */
  th3: [5, key],
  rekey: [6, uint()],
  /** 1 when the friend is known to hold the session: an opened c3, or a message that opened. */
  confirmed: [7, uint(1)],
  /** Serial of our last message; the first has 1. */
  sentSerial: [8, uint()],
  /** Highest serial of the friend's that opened; 0 before the first. */
  openedSerial: [9, uint()],
  ec: [10, doubleRatchet],
  pq: [11, pqRatchet],
})
export type SessionState = Infer<typeof sessionState>

/** Largest form at rest, both halves full of skipped keys. */
export const MAX_SESSION_STATE_BYTES = 2 * MAX_SKIPPED_KEYS * SKIPPED_KEY_BYTES + 8192

/** The form at rest. */
export function encodeSession(session: SessionState): Uint8Array {
  return encode(sessionState, session)
}

/** @throws PeerError `OVERSIZED` or `MALFORMED` for anything that `encodeSession` did not make, another version included */
export function decodeSession(encoded: Uint8Array): SessionState {
  const session = decode(sessionState, encoded, MAX_SESSION_STATE_BYTES)
  if (session.version !== SESSION_STATE_VERSION) {
    throw new PeerError('MALFORMED', `expected a session state of version 1, got ${session.version}`)
  }
  return session
}

/** Order in which sessions of one friend are sent on, first the best: higher rekey number, then lower th1. */
export function compareSessions(a: SessionState, b: SessionState): number {
  return b.rekey - a.rekey || compare(a.th1, b.th1)
}

/**
 * Overwrites every buffer of `before` that `after` does not share, chain keys and used message keys among them. For the
 * owner of both, once `after` is on the disk; `before` is useless then.
 */
export function wipeReplaced(before: SessionState, after: SessionState | undefined): void {
  const kept = new Set(after ? buffersOf(after) : [])
  for (const buffer of buffersOf(before)) if (!kept.has(buffer)) buffer.fill(0)
}

function buffersOf(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(buffersOf)
}
