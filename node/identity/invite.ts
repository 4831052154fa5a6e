/**
 * Invites (PROTOCOL 3): a link is a mailbox with the right to write. It carries W's seed, R's public key, a third secret
 * that seals the request from servers, the ID with its pinned head, where to knock, and when it ends. R's seed stays at
 * home. Text: bech32m with the prefix `kithinvite`, longer than BIP350 foresees, so the checksum only catches slips.
 */
import { bech32m } from '@scure/base'
import { ed25519KeyPair, isValidEd25519 } from '../crypto/ed25519.ts'
import { UsageError } from '../errors.ts'
import { PROTOCOL_VERSION } from '../limits.ts'
import type { Random } from '../ports.ts'
import { type Invite, invite as inviteShape, MAX_INVITE_BYTES } from '../wire/invite.ts'
import type { Head } from '../wire/records.ts'
import { decode, encode } from '../wire/schema.ts'

export const INVITE_PREFIX = 'kithinvite'
/** Prefix, separator, 5 bits a character, checksum. */
const MAX_TEXT = INVITE_PREFIX.length + 1 + Math.ceil((MAX_INVITE_BYTES * 8) / 5) + 6

export interface InviteInit {
  /** Own ID, 32 bytes. */
  id: Uint8Array
  /** Own identity record that the reader of the link must see, or a higher one. */
  pin: Head
  /** At most 2 multiaddrs. */
  relays: string[]
  /** Own transport, for people without relays. */
  peerId?: Uint8Array
  addresses?: string[]
  /** Seconds since 1970. */
  expires: number
}

/** An invite to give away, and the 32-byte seed of R to keep. Draws 96 random bytes. */
export function createInvite(random: Random, init: InviteInit): { invite: Invite; readerSeed: Uint8Array } {
  const readerSeed = random.bytes(32)
  const invite: Invite = {
    version: PROTOCOL_VERSION,
    ...init,
    writerSeed: random.bytes(32),
    reader: ed25519KeyPair(readerSeed).public,
    seal: random.bytes(32),
  }
  return { invite, readerSeed }
}

/** The link. @throws PeerError `MALFORMED` when a field has the wrong form */
export function encodeInvite(invite: Invite): string {
  return bech32m.encode(INVITE_PREFIX, bech32m.toWords(encode(inviteShape, invite)), false)
}

/**
 * Reads a link; spaces and line breaks from copying are forgiven. Whether it has expired is `checkInviteExpiry`'s.
 * @throws UsageError `BAD_INVITE` with a hint
 */
export function decodeInvite(text: string): Invite {
  // a link of the greatest length, broken into lines, is not twice as long
  if (text.length > 2 * MAX_TEXT) throw badInvite('the invite is too long')
  const link = text.replaceAll(/\s+/g, '')
  if (link.length > MAX_TEXT) throw badInvite('the invite is too long')
  if (!link.toLowerCase().startsWith(`${INVITE_PREFIX}1`)) {
    throw badInvite(`expected an invite that begins with ${INVITE_PREFIX}1`)
  }
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(bech32m.fromWords(bech32m.decode(link as `${string}1${string}`, false).words))
  } catch (cause) {
    throw badInvite('the checksum of the invite does not fit', cause)
  }
  let invite: Invite
  try {
    invite = decode(inviteShape, bytes, MAX_INVITE_BYTES)
  } catch (cause) {
    throw badInvite('the invite has another form than this version knows', cause)
  }
  if (invite.version !== PROTOCOL_VERSION) {
    throw new UsageError('BAD_INVITE', `expected an invite of version ${PROTOCOL_VERSION}, got ${invite.version}`, {
      hint: 'it was made by a newer version: update this one',
    })
  }
  if (!isValidEd25519(invite.reader)) throw badInvite('a key of the invite is malformed')
  return invite
}

/** @throws UsageError `INVITE_EXPIRED` when `now` (protocol time, seconds) is not before its end */
export function checkInviteExpiry(invite: Invite, now: number): void {
  if (invite.expires <= now) {
    throw new UsageError('INVITE_EXPIRED', 'the invite has expired', { hint: 'ask for a new one' })
  }
}

function badInvite(message: string, cause?: unknown): UsageError {
  return new UsageError('BAD_INVITE', message, {
    hint: 'a part is missing or mistyped: copy the whole invite again',
    cause,
  })
}
