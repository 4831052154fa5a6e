/**
 * Leg 2 of the handshake, the acceptance (PROTOCOL 7): B answers with fresh keys to A's one-time keys, and A becomes a
 * friend when c3 opens, not before: ML-KEM never fails. DH(EKb,DIKa) makes it hold even when B's long-term keys are in a
 * thief's hands. What A does with its one-time keys then, and in which batch, is friendship's work.
 */
import { openOnce, sealOnce } from '../crypto/aead.ts'
import { equal } from '../crypto/bytes.ts'
import { kemDecapsulate } from '../crypto/kem.ts'
import { typeKey, untypeKey } from '../crypto/key-type.ts'
import { X25519_BYTES, x25519, x25519KeyPair } from '../crypto/x25519.ts'
import { ForgedError, UsageError } from '../errors.ts'
import { C3_PLAINTEXT_BYTES, decodeLeg2, encodeLeg2, leg2Accept, type Leg2Accept } from '../wire/legs.ts'
import { pad, unpad } from '../wire/payload.ts'
import { decode, encode } from '../wire/schema.ts'
import { type Draw, encapsulateTo } from './draw.ts'
import { acceptTranscript, extendTranscript, type SessionKeys, sessionKeys } from './key-schedule.ts'
import { orForged } from './leg1.ts'
import type { IncomingRequest, OutgoingRequest } from './pending-request.ts'
import type { SessionState } from './session-state.ts'
import { accepterSession, requesterSession } from './triple-ratchet.ts'
import { wipe } from './wipe.ts'

/** Secrets of the mailboxes of both directions, 32 bytes each; `Out` is what this side writes. */
export interface MailboxSecrets {
  mailboxOut: Uint8Array
  mailboxIn: Uint8Array
  reachOut: Uint8Array
  reachIn: Uint8Array
}

/** What B says in c3; keys and version are filled in. `rekey` = 1 + the higher number that either side knows. */
export type AcceptFields = Omit<Leg2Accept, 'ratchetKey' | 'version' | 'device'>

export interface AcceptInit {
  random: Draw
  incoming: IncomingRequest
  /** X25519 identity secret of the device that was asked, 32 bytes. */
  identitySecret: Uint8Array
  accept: AcceptFields
}

/**
 * Builds leg 2 (8192 bytes) and B's session, which is confirmed by A's first message.
 * It is built once, stored and sent again byte for byte.
 * @throws UsageError `BAD_REKEY` for a rekey number that the requester knows already
 */
export function acceptRequest(init: AcceptInit): { leg: Uint8Array; session: SessionState; secrets: MailboxSecrets } {
  const { random, incoming, identitySecret } = init
  const { request } = incoming
  if (init.accept.rekey <= request.rekey) {
    throw new UsageError('BAD_REKEY', `expected a rekey number above ${request.rekey}, got ${init.accept.rekey}`)
  }
  const oneTimeKey = untypeKey('x25519', request.oneTimeKey)
  const ephemeral = x25519KeyPair(random(X25519_BYTES))
  const kem = encapsulateTo(untypeKey('mlKem768', request.oneTimeKem), random)
  const ratchet = x25519KeyPair(random(X25519_BYTES))
  const { ciphertext } = kem
  const th2 = acceptTranscript(incoming.tc2, ephemeral.public, ciphertext)
  const keys = sessionKeys(th2, [
    incoming.sk1,
    x25519(identitySecret, oneTimeKey),
    x25519(ephemeral.secret, incoming.identityKey),
    x25519(ephemeral.secret, oneTimeKey),
    kem.secret,
  ])
  const accept = encode(leg2Accept, {
    ...init.accept,
    ratchetKey: typeKey('x25519', ratchet.public),
    device: incoming.ownDevice,
    version: incoming.protocol,
  })
  const c3 = sealOnce(keys.confirm, pad(accept, C3_PLAINTEXT_BYTES), th2)
  const { th1, protocol } = incoming
  const th3 = extendTranscript(th2, c3)
  const session = accepterSession({ keys, th1, th3, rekey: init.accept.rekey, protocol }, ratchet, oneTimeKey)
  wipe(ephemeral.secret, kem.secret, keys.confirm, keys.ecRoot, keys.pqRoot)
  const leg = encodeLeg2({ ephemeral: ephemeral.public, ciphertext, c3 })
  return { leg, session, secrets: mailboxSecrets(keys, false) }
}

export interface OpenLeg2Init {
  outgoing: OutgoingRequest
  /** 8192 bytes. */
  leg: Uint8Array
  /** A's X25519 identity secret, of the device that leg 1 named. */
  identitySecret: Uint8Array
}

/**
 * Opens leg 2 and makes A's session. Nothing that was handed in is changed, whatever comes.
 * @throws ForgedError when it does not open, or c3 names another device, version or rekey number than leg 1 leads to
 */
export function openLeg2(init: OpenLeg2Init): { accept: Leg2Accept; session: SessionState; secrets: MailboxSecrets } {
  return orForged(() => openAccept(init))
}

function openAccept({ outgoing, leg, identitySecret }: OpenLeg2Init) {
  const { ephemeral, ciphertext, c3 } = decodeLeg2(leg)
  const ss2 = kemDecapsulate(outgoing.oneTimeKemSeed, ciphertext)
  const th2 = acceptTranscript(outgoing.tc2, ephemeral, ciphertext)
  const keys = sessionKeys(th2, [
    outgoing.sk1,
    x25519(outgoing.oneTimeSecret, outgoing.peerIdentityKey),
    x25519(identitySecret, ephemeral),
    x25519(outgoing.oneTimeSecret, ephemeral),
    ss2,
  ])
  const accept = decode(leg2Accept, unpad(openOnce(keys.confirm, c3, th2)), C3_PLAINTEXT_BYTES)
  const { th1, protocol } = outgoing
  if (accept.version !== protocol || accept.rekey <= outgoing.rekey || !equal(accept.device, outgoing.peerDevice)) {
    throw new ForgedError()
  }
  const th3 = extendTranscript(th2, c3)
  const theirKey = untypeKey('x25519', accept.ratchetKey)
  const session = requesterSession({ keys, th1, th3, rekey: accept.rekey, protocol }, outgoing.oneTimeSecret, theirKey)
  wipe(ss2, keys.confirm, keys.ecRoot, keys.pqRoot)
  return { accept, session, secrets: mailboxSecrets(keys, true) }
}

function mailboxSecrets(keys: SessionKeys, requester: boolean): MailboxSecrets {
  const { mailboxAB, mailboxBA, reachAB, reachBA } = keys
  return requester
    ? { mailboxOut: mailboxAB, mailboxIn: mailboxBA, reachOut: reachAB, reachIn: reachBA }
    : { mailboxOut: mailboxBA, mailboxIn: mailboxAB, reachOut: reachBA, reachIn: reachAB }
}
