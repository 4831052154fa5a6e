/**
 * Where a leg 1 is left (PROTOCOL 3 and 7): the mailbox of an invite, or the open box that an identity record names. Which
 * of them holds leg 1 in which form is known here alone; when it is left is `outgoing-requests.ts`.
 */
import { open, seal } from '../crypto/aead.ts'
import { concat } from '../crypto/bytes.ts'
import { hkdfSha256, hmacSha256, sha256 } from '../crypto/hash.ts'
import { untypeKey } from '../crypto/key-type.ts'
import { L } from '../crypto/labels.ts'
import type { IdentityView } from '../identity/records.ts'
import { LEG_BYTES } from '../limits.ts'
import { inviteMailbox, openBox } from '../mailbox/keys.ts'
import type { Invite } from '../wire/invite.ts'
import { LEG1_INNER_BYTES } from '../wire/legs.ts'
import { REQUEST_POLICY } from '../wire/records.ts'

export interface Door {
  /** Multiaddrs of the servers where it is. */
  relays: readonly string[]
  /** Address of the mailbox, 32 bytes. */
  address: Uint8Array
  /** Seed of W, 32 bytes. */
  writerSeed: Uint8Array
  /** The 8192 bytes that are left there: the same at every relay and every try. */
  wrap: (leg: Uint8Array) => Uint8Array
}

export function inviteDoor(invite: Invite): Door {
  const { writer, address } = inviteMailbox(invite)
  // one plaintext under one nonce
  const nonce = (leg: Uint8Array): Uint8Array => hmacSha256(invite.seal, L('inviteSeal'), leg).subarray(0, 24)
  return {
    relays: invite.relays,
    address,
    writerSeed: writer.seed,
    wrap: (leg) => seal(invite.seal, nonce(leg), leg, L('inviteSeal')),
  }
}

/** The inner leg out of an invite's mailbox. @throws ForgedError */
export function legFromInvite(invite: Invite, sealed: Uint8Array): Uint8Array {
  return open(invite.seal, sealed, L('inviteSeal'))
}

/**
 * The open box of whoever the record is of; undefined when they take requests by invite.
 * @param secret 32 bytes that nobody else knows: what fills the leg up comes from it
 */
export function boxDoor({ id, record }: IdentityView, secret: Uint8Array): Door | undefined {
  if (!record.requestReader) return undefined
  const { writer, address } = openBox(id, untypeKey('ed25519', record.requestReader))
  const fill = LEG_BYTES - LEG1_INNER_BYTES
  return {
    relays: record.relays ?? [],
    address,
    writerSeed: writer.seed,
    wrap: (leg) => concat(leg, hkdfSha256(sha256(leg), secret, L('boxFill'), fill)),
  }
}

/** The inner leg out of the open box; what fills it up may be anything. */
export function legFromBox(left: Uint8Array): Uint8Array {
  return left.subarray(0, LEG1_INNER_BYTES)
}

/** Whether whoever the record is of takes requests from those alone who have an invite. */
export function needsInvite({ record }: IdentityView): boolean {
  return record.policy === REQUEST_POLICY.invite
}
