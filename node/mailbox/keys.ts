/**
 * A mailbox is two keys (PROTOCOL 3): W may write, R may read, acknowledge and release. Here are its address, the one
 * table of what each kind may do, the keys of a friend's mailbox at each server, and the copies that lie in it.
 *
 *   address = H(L("mbx") || u8 kind || W || R)
 *   W seed || R seed || copy key = HKDF(salt none, secret, L("mailbox-keys") || 0x00 || server's peer ID, 96)
 *   reach mailboxes: the same from L("reach-keys") || u32 quarter || server's peer ID
 *   W seed of an open request box = HKDF(salt none, ID, L("open-box"), 32)
 *   copy = nonce(24) || XChaCha20-Poly1305(copy key, envelope or leg; AD L("copy")), 40 bytes longer
 */
import { open, seal } from '../crypto/aead.ts'
import { concat, toHex, u32, u8 } from '../crypto/bytes.ts'
import { type Ed25519KeyPair, ed25519KeyPair } from '../crypto/ed25519.ts'
import { hkdfSha256, NO_SALT, sha256, split } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { MAX_ENVELOPE_DAYS } from '../limits.ts'
import { VERB, type Verb } from '../wire/commands.ts'

export const KIND = { friend: 1, reach: 2, invite: 3, box: 4, group: 5, pack: 6 } as const
export type KindName = keyof typeof KIND
export type Kind = (typeof KIND)[KindName]

/** What a server lets each holder do with a kind of mailbox, and how much it keeps for how long. */
export interface KindRules {
  readonly kind: Kind
  readonly name: KindName
  /** Verbs that W signs. */
  readonly writer: readonly Verb[]
  /** Verbs that R signs. */
  readonly reader: readonly Verb[]
  /** Verbs for everybody who knows the address. */
  readonly anyone: readonly Verb[]
  /** Cap of a fresh claim; it doubles with each week in which its reader acknowledged, up to the maximum. */
  readonly startCopies: number
  readonly startBytes: number
  readonly maxCopies: number
  readonly maxBytes: number
  /** A claim lives this long after its last use. */
  readonly lifeDays: number
}

const DAY_SECONDS = 86_400
const QUARTER_SECONDS = 91 * DAY_SECONDS
const KIB = 1024
const MIB = 1024 * KIB
const LOOK: readonly Verb[] = [VERB.stat, VERB.fetch, VERB.subscribe, VERB.pull]
const OWN: readonly Verb[] = [VERB.claim, VERB.acknowledge, VERB.release]

const MAIL = { writer: [VERB.put], reader: OWN, anyone: LOOK } as const
const KNOCK = { writer: [VERB.request], reader: [...OWN, ...LOOK], anyone: [] } as const

/** A leg of the handshake, sealed as a copy or not, has this room in a cap. */
const LEG_ROOM = 8 * KIB + 64

/** The one table of kinds. */
export const KINDS: Readonly<Record<KindName, KindRules>> = {
  friend: { kind: KIND.friend, name: 'friend', ...MAIL, ...caps(128, MIB, 1024, 16 * MIB), lifeDays: 90 },
  reach: { kind: KIND.reach, name: 'reach', ...MAIL, ...caps(16, 16 * LEG_ROOM), lifeDays: 90 },
  invite: { kind: KIND.invite, name: 'invite', ...KNOCK, ...caps(16, 16 * LEG_ROOM), lifeDays: 90 },
  box: { kind: KIND.box, name: 'box', ...KNOCK, ...caps(64, 64 * LEG_ROOM), lifeDays: 90 },
  // nobody may delete for the others: messages leave by expiry
  group: {
    kind: KIND.group,
    name: 'group',
    ...MAIL,
    reader: [VERB.claim, VERB.release],
    ...caps(128, MIB, 1024, 16 * MIB),
    lifeDays: 90,
  },
  pack: { kind: KIND.pack, name: 'pack', ...MAIL, ...caps(8, 256 * KIB), lifeDays: 400 },
}

const byCode = new Map<number, KindRules>(Object.values(KINDS).map((rules) => [rules.kind, rules]))

/** The rules of a kind as it stands on the wire; undefined when there is none. */
export function kindRules(kind: number): KindRules | undefined {
  return byCode.get(kind)
}

/** Address of the mailbox of two raw Ed25519 public keys (32 bytes each); 32 bytes. */
export function mailboxAddress(kind: Kind, writer: Uint8Array, reader: Uint8Array): Uint8Array {
  // fixed widths are what makes the joined bytes say one thing only
  if (writer.length !== 32 || reader.length !== 32) throw new RangeError('expected two public keys of 32 bytes')
  return sha256(L('mailbox'), u8(kind), writer, reader)
}

/** The keys of one direction of a friendship at one server: both friends hold all of it. */
export interface FriendMailbox {
  writer: Ed25519KeyPair
  reader: Ed25519KeyPair
  /** 32 bytes. */
  copyKey: Uint8Array
  /** 32 bytes. */
  address: Uint8Array
}

// two key pairs cost ten times what opening a copy does; they live as long as the array that holds the secret
const MAX_KNOWN = 16
const knownMailboxes = new WeakMap<Uint8Array, Map<string, FriendMailbox>>()

/**
 * The mailbox of a direction's 32-byte secret at the server with these peer ID bytes. Reply mailboxes of a request are
 * made the same way. The array of the secret must not change afterwards.
 */
export function friendMailbox(secret: Uint8Array, serverPeerId: Uint8Array): FriendMailbox {
  return mailboxOf(KIND.friend, secret, concat(L('mailboxKeys'), new Uint8Array(1), serverPeerId))
}

/**
 * The reach mailbox of a direction's 32-byte secret at the server with these peer ID bytes, in one quarter: for the legs
 * of a rekey alone. The array of the secret must not change afterwards.
 */
export function reachMailbox(secret: Uint8Array, serverPeerId: Uint8Array, quarter: number): FriendMailbox {
  return mailboxOf(KIND.reach, secret, concat(L('reachKeys'), u32(quarter), serverPeerId))
}

/** Number of the quarter of a year (91 days) that a moment (seconds) lies in: reach mailboxes are written in this one. */
export function reachQuarter(now: number): number {
  return Math.floor(now / QUARTER_SECONDS)
}

/** Quarters in whose reach mailboxes something may lie: this one, and the last while what was put there is alive. */
export function quartersRead(now: number): number[] {
  const quarter = reachQuarter(now)
  return now - quarter * QUARTER_SECONDS < (MAX_ENVELOPE_DAYS + 1) * DAY_SECONDS ? [quarter, quarter - 1] : [quarter]
}

function mailboxOf(kind: Kind, secret: Uint8Array, info: Uint8Array): FriendMailbox {
  if (secret.length !== 32) throw new RangeError(`expected a mailbox secret of 32 bytes, got ${secret.length}`)
  const known = knownMailboxes.get(secret) ?? new Map<string, FriendMailbox>()
  const name = toHex(info)
  const mailbox = known.get(name) ?? deriveMailbox(kind, secret, info)
  knownMailboxes.set(secret, known.set(name, mailbox))
  if (known.size > MAX_KNOWN) known.delete(known.keys().next().value!)
  return mailbox
}

function deriveMailbox(kind: Kind, secret: Uint8Array, info: Uint8Array): FriendMailbox {
  const keys = hkdfSha256(NO_SALT, secret, info, 96)
  const [writerSeed, readerSeed, copyKey] = split(keys, 32, 32, 32) as [Uint8Array, Uint8Array, Uint8Array]
  const writer = ed25519KeyPair(writerSeed)
  const reader = ed25519KeyPair(readerSeed)
  return { writer, reader, copyKey, address: mailboxAddress(kind, writer.public, reader.public) }
}

/** Who holds an invite: its writing key, and the address to knock at. */
export function inviteMailbox(invite: { writerSeed: Uint8Array; reader: Uint8Array }): {
  writer: Ed25519KeyPair
  address: Uint8Array
} {
  const writer = ed25519KeyPair(invite.writerSeed)
  return { writer, address: mailboxAddress(KIND.invite, writer.public, invite.reader) }
}

/**
 * The open request box of an ID (32 bytes): its writing key, which everybody who knows the ID can make, and the address to
 * knock at. Who reads, `reader` (a raw public key of 32 bytes), stands in the identity record.
 */
export function openBox(id: Uint8Array, reader: Uint8Array): { writer: Ed25519KeyPair; address: Uint8Array } {
  const writer = ed25519KeyPair(hkdfSha256(NO_SALT, id, L('openBox'), 32))
  return { writer, address: mailboxAddress(KIND.box, writer.public, reader) }
}

/** What is PUT at one server: the bytes sealed under that server's copy key with 24 fresh random bytes. */
export function sealCopy(copyKey: Uint8Array, nonce: Uint8Array, bytes: Uint8Array): Uint8Array {
  return seal(copyKey, nonce, bytes, L('copy'))
}

/** The bytes inside a copy. @throws ForgedError when the friend did not write it */
export function openCopy(copyKey: Uint8Array, copy: Uint8Array): Uint8Array {
  return open(copyKey, copy, L('copy'))
}

function caps(startCopies: number, startBytes: number, maxCopies = startCopies, maxBytes = startBytes) {
  return { startCopies, startBytes, maxCopies, maxBytes }
}
