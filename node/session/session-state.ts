/**
 * What a node keeps of one session (PROTOCOL 8) as plain data, and the shape of its form at rest (`session-codec.ts`), which
 * has nothing to do with the wire and may change without it. States are never written to: every step gives a new one that
 * shares what did not change. Who keeps them, and in which batch, is delivery's work.
 */
import { compare, concat, readUint, u32, u64 } from '../crypto/bytes.ts'
import { KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_BYTES, KEM_SEED_BYTES } from '../crypto/kem.ts'
import { PeerError } from '../errors.ts'
import { KEPT_PQ_EPOCHS, MAX_SKIPPED_KEYS } from '../limits.ts'
import { bytes, bytesBetween, type Infer, list, optional, type Shape, struct, uint } from '../wire/schema.ts'

export const SESSION_STATE_VERSION = 2
export const SESSION_ROLE = { requester: 1, accepter: 2 } as const

/**
 * Chains whose skipped keys are kept beside the current one's. Lower loses mail that a friend's relay holds back over
 * several turns of talk; higher means more trial decryptions for every envelope that does not open.
 */
export const MAX_SKIPPED_CHAINS = 5

/** A message key, of both halves together, that was passed over: the message may still come. */
export interface SkippedKey {
  /** Number of the message in its chain. */
  count: number
  /** Post-quantum epoch of the message, and its number in that epoch. */
  epoch: number
  pqCount: number
  /** When it was passed over, seconds. */
  stored: number
  /** 32 bytes. */
  key: Uint8Array
}

export const SKIPPED_KEY_BYTES = 52

/**
 * Skipped keys in one byte string, `count(4) || epoch(4) || pq count(4) || stored(8) || key(32)` each: thousands of them are
 * written with every message.
 */
const skippedKeys: Shape<SkippedKey[]> = {
  write: (keys) =>
    concat(
      ...keys.flatMap(({ count, epoch, pqCount, stored, key }) => [
        u32(count),
        u32(epoch),
        u32(pqCount),
        u64(stored),
        key,
      ]),
    ),
  read(value) {
    const fits = value instanceof Uint8Array && value.length % SKIPPED_KEY_BYTES === 0
    if (!fits || value.length > MAX_SKIPPED_KEYS * SKIPPED_KEY_BYTES) {
      throw new PeerError('MALFORMED', `expected at most ${MAX_SKIPPED_KEYS} skipped keys`)
    }
    const keys: SkippedKey[] = []
    for (let at = 0; at < value.length; at += SKIPPED_KEY_BYTES) {
      // a u64 above 2^53 - 1 is malformed
      if (readUint(value, at + 12, 2) > 0x1f) throw new PeerError('MALFORMED', 'expected a time of a skipped key')
      keys.push({
        count: readUint(value, at, 4),
        epoch: readUint(value, at + 4, 4),
        pqCount: readUint(value, at + 8, 4),
        stored: readUint(value, at + 12, 8),
        key: value.slice(at + 20, at + SKIPPED_KEY_BYTES),
      })
    }
    return keys
  },
}

const key = bytes(32)
const count = uint(2 ** 32)
export const chain = struct({ key: [1, key], count: [2, count] })
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

/** Fields of the classical half. */
export const doubleRatchetFields = {
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
} as const
const doubleRatchet = struct(doubleRatchetFields)
export type DoubleRatchetState = Infer<typeof doubleRatchet>

/** Chains of one post-quantum epoch; each is absent when nothing is sealed, or opened in order, with it any more. */
const pqEpoch = struct({
  epoch: [1, count],
  sending: [2, optional(chain)],
  receiving: [3, optional(chain)],
})
export type PqEpoch = Infer<typeof pqEpoch>

/** A piece of ours that every header repeats, byte for byte, until the friend shows that it holds the epoch. */
const outgoingPiece = struct({
  /** One of PIECE_TYPE. */
  type: [1, uint(2)],
  epoch: [2, count],
  /** Encapsulation key of 1184 or ciphertext of 1088 bytes. */
  bytes: [3, bytesBetween(KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_BYTES)],
  mac: [4, key],
  /** What an encapsulation key was made from, until its ciphertext came. */
  seed: [5, optional(bytes(KEM_SEED_BYTES))],
})

/** SHA-256 over the piece that the friend sent for an epoch: another one would be an alarm. */
const heardPiece = struct({ epoch: [1, count], digest: [2, key] })

/** The post-quantum half. */
const pqRatchet = struct({
  /** Of the highest epoch held, as is the MAC key. */
  rootKey: [1, key],
  macKey: [2, key],
  /** Highest epoch that the friend has shown to hold: the one that is sent in. */
  theirEpoch: [3, count],
  /** In order; the last is the highest that is held. */
  epochs: [4, list(pqEpoch, 2, 1)],
  /** Seconds: when the highest epoch was first used here; 0 before. */
  since: [5, uint()],
  /** Messages sealed and opened since it is held. */
  messages: [6, uint()],
  outgoing: [7, optional(outgoingPiece)],
  /** The friend's encapsulation key for the next epoch, until the next message of ours answers it. */
  offered: [8, optional(bytes(KEM_PUBLIC_BYTES))],
  /** Of the epochs that are kept, the next one among them; oldest first. */
  heard: [9, list(heardPiece, KEPT_PQ_EPOCHS)],
  /** One above the highest epoch of which a contradicting piece was told; 0 for none. */
  alarmed: [10, uint()],
})
export type PqRatchetState = Infer<typeof pqRatchet>

/** Fields of a session that every version has. */
export const sessionFields = {
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
} as const

export const sessionState = struct({
  ...sessionFields,
  ec: [10, doubleRatchet],
  pq: [11, pqRatchet],
  /** Chains of which something may still come, oldest first. */
  skipped: [12, list(skippedChain, MAX_SKIPPED_CHAINS)],
})
export type SessionState = Infer<typeof sessionState>

/** Order in which sessions of one friend are sent on, first the best: higher rekey number, then lower th1. */
export function compareSessions(a: SessionState, b: SessionState): number {
  return b.rekey - a.rekey || compare(a.th1, b.th1)
}

/**
 * Overwrites every buffer of `before` that `after` does not share, chain keys and used message keys among them. For the
 * owner of both, once `after` is on the disk; `before` is useless then.
 */
export function wipeReplaced(before: SessionState, after: SessionState | undefined): void {
  const kept = new Set<unknown>()
  gather(after, kept)
  wipeUnless(before, kept)
}

/** Every object and buffer of a state. */
function gather(value: unknown, all: Set<unknown>): void {
  if (typeof value !== 'object' || value === null) return
  all.add(value)
  if (value instanceof Uint8Array) return
  for (const part of Object.values(value)) gather(part, all)
}

function wipeUnless(value: unknown, kept: ReadonlySet<unknown>): void {
  // what is shared as a whole is kept as a whole
  if (typeof value !== 'object' || value === null || kept.has(value)) return
  if (value instanceof Uint8Array) value.fill(0)
  else for (const part of Object.values(value)) wipeUnless(part, kept)
}
