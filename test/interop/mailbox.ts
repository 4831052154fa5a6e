/*
 * Section 3: addresses and kinds of mailboxes, their keys at one server, copies, reach mailboxes by quarter, invites.
 */
import { fromBech32m, toBech32m } from './bech32m.ts'
import { concat, cut, L, must, split, u32, u8, zeros } from './bytes.ts'
import { ED25519, ed25519Public, typed, untyped } from './keys.ts'
import { invite, type Head } from './maps.ts'
import { H, HKDF, HMAC, none, open, seal } from './primitives.ts'

/** Codes of the kinds. */
export const KIND = { friend: 1, reach: 2, invite: 3, box: 4, group: 5, pack: 6 } as const

const QUARTER_SECONDS = 7_862_400
const FORMER_QUARTER_SECONDS = 31 * 86_400

/** Address of a mailbox by its raw public keys. */
export function addressOf(kind: number, writer: Uint8Array, reader: Uint8Array): Uint8Array {
  return H(L('mbx'), u8(kind), writer, reader)
}

/** What the two ends of a mailbox hold at one server. */
export interface MailboxKeys {
  writerSeed: Uint8Array
  writer: Uint8Array
  readerSeed: Uint8Array
  reader: Uint8Array
  copyKey: Uint8Array
  address: Uint8Array
}

function keysOf(kind: number, secret: Uint8Array, info: Uint8Array): MailboxKeys {
  const [writerSeed, readerSeed, copyKey] = split(HKDF(none, secret, info, 96), [32, 32, 32])
  const [writer, reader] = [ed25519Public(writerSeed), ed25519Public(readerSeed)]
  return { writerSeed, writer, readerSeed, reader, copyKey, address: addressOf(kind, writer, reader) }
}

/** Mailbox of a friend at the server with these peer ID bytes. */
export function friendMailbox(secret: Uint8Array, server: Uint8Array): MailboxKeys {
  return keysOf(KIND.friend, secret, concat(L('mailbox-keys'), u8(0), server))
}

/** Reach mailbox of a quarter. */
export function reachMailbox(secret: Uint8Array, quarter: number, server: Uint8Array): MailboxKeys {
  return keysOf(KIND.reach, secret, concat(L('reach-keys'), u32(quarter), server))
}

/** Quarter of a second. */
export function quarterOf(now: number): number {
  return Math.floor(now / QUARTER_SECONDS)
}

/** Quarters whose reach mailboxes are read: this one, and in its first 31 days the last. */
export function quartersRead(now: number): number[] {
  const quarter = quarterOf(now)
  return now - quarter * QUARTER_SECONDS < FORMER_QUARTER_SECONDS ? [quarter, quarter - 1] : [quarter]
}

/** Nonce of a copy. */
export function copyNonce(copyKey: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return cut(HMAC(copyKey, L('copy'), H(plaintext)), 0, 24)
}

/** The copy of an envelope or leg. */
export function makeCopy(copyKey: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return seal(copyKey, copyNonce(copyKey, plaintext), plaintext, L('copy'))
}

/** What is in a copy, under whatever nonce. */
export function openCopy(copyKey: Uint8Array, copy: Uint8Array): Uint8Array {
  return open(copyKey, copy, L('copy'))
}

/** Name of a copy, or of a leg 1 as it lies in an invite. */
export function cidOf(copy: Uint8Array): Uint8Array {
  return H(L('copy'), copy)
}

/** Nonce of a leg 1 through an invite. */
export function inviteNonce(sealKey: Uint8Array, inner: Uint8Array): Uint8Array {
  return cut(HMAC(sealKey, L('invite-seal'), inner), 0, 24)
}

/** Leg 1 as it travels through an invite. */
export function sealThroughInvite(sealKey: Uint8Array, inner: Uint8Array): Uint8Array {
  return seal(sealKey, inviteNonce(sealKey, inner), inner, L('invite-seal'))
}

/** The inner leg 1 of what lies in an invite. */
export function openThroughInvite(sealKey: Uint8Array, leg: Uint8Array): Uint8Array {
  return open(sealKey, leg, L('invite-seal'))
}

/** Seed of W of the open request box of an ID. */
export function openBoxWriterSeed(id: Uint8Array): Uint8Array {
  return HKDF(none, id, L('open-box'), 32)
}

/** Leg 1 as it lies in an open box, with the values between. */
export function fillForBox(inner: Uint8Array, replySecret: Uint8Array) {
  const salt = H(inner)
  const fill = HKDF(salt, replySecret, L('box-fill'), 40)
  return { salt, fill, leg: concat(inner, fill) }
}

/** The inner leg 1 of what lies in an open box. */
export function openFromBox(leg: Uint8Array): Uint8Array {
  must(leg.length === 8192, 'a leg of 8192 bytes')
  return cut(leg, 0, 8152)
}

/** The inner leg 1 filled up for a reach mailbox. */
export function filled(inner: Uint8Array): Uint8Array {
  return concat(inner, zeros(8192 - inner.length))
}

/** An invite as its reader has it. */
interface Invite {
  version: number
  id: Uint8Array
  writerSeed: Uint8Array
  reader: Uint8Array
  seal: Uint8Array
  pin: Head
  relays: string[]
  expires: number
}

/** Text of an invite. */
export function inviteText(value: Invite): string {
  return toBech32m('kithinvite', invite.encode(value))
}

/** Reads the text of an invite; spaces and line breaks are ignored. */
export function readInvite(text: string): Invite {
  const value = invite.decode(fromBech32m('kithinvite', text.replace(/\s/g, '')))
  must(value.version === 1, 'the version is 1')
  untyped(ED25519, typed(ED25519, value.reader))
  return value
}

/** Address of the mailbox of an invite. */
export function inviteAddress(value: Invite): Uint8Array {
  return addressOf(KIND.invite, ed25519Public(value.writerSeed), value.reader)
}

/** An invite is not used from `expires` on. */
export function checkUsable(value: Invite, now: number): void {
  must(now < value.expires, 'the invite has expired')
}
