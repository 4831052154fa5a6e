/**
 * Leg 1 of the handshake, the friend request (PROTOCOL 7): A builds it for the prekeys of B's device, B opens it. The order
 * is Noise IK's, so that A's identity is seen by B alone. Records come in checked: signatures, pins and freshness are
 * identity's and directory's work, wrapping for the invite and remembering of replays friendship's.
 */
import { openOnce, sealOnce } from '../crypto/aead.ts'
import { concat, equal } from '../crypto/bytes.ts'
import { KEM_SEED_BYTES, kemDecapsulate, kemKeyPair } from '../crypto/kem.ts'
import { typeKey, untypeKey } from '../crypto/key-type.ts'
import { X25519_BYTES, x25519, x25519KeyPair } from '../crypto/x25519.ts'
import { ForgedError, PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import {
  C1_PLAINTEXT_BYTES,
  C2_PLAINTEXT_BYTES,
  decodeLeg1,
  type Leg1,
  leg1Clear,
  leg1Identity,
  leg1Request,
  type Leg1Request,
} from '../wire/legs.ts'
import { pad, unpad } from '../wire/payload.ts'
import { type Device, identityRecord, type IdentityRecord, prekeyRecord, signed } from '../wire/records.ts'
import { decode, encode, type Shape } from '../wire/schema.ts'
import { type Draw, encapsulateTo } from './draw.ts'
import { extendTranscript, replayTagOf, requestKey1, requestKey2, requestTranscript } from './key-schedule.ts'
import { type IncomingRequest, type OutgoingRequest, PENDING_REQUEST_VERSION } from './pending-request.ts'
import { wipe } from './wipe.ts'

const DAY_SECONDS = 86_400

/** What A says to B; keys, times and versions are filled in by `createLeg1`. */
export type RequestFields = Omit<
  Leg1Request,
  'oneTimeKey' | 'oneTimeKem' | 'created' | 'expires' | 'minVersion' | 'maxVersion'
>

export interface Leg1Init {
  random: Draw
  /** Protocol time, seconds. */
  now: number
  self: {
    /** Own encoded, signed identity record. */
    record: Uint8Array
    /** Own device, typed signing key. */
    device: Uint8Array
    /** That device's X25519 identity secret, 32 bytes. */
    identitySecret: Uint8Array
  }
  peer: {
    /** B's encoded, signed identity record, checked by the caller. */
    record: Uint8Array
    /** Encoded, signed prekey record of the device that is asked, checked by the caller. */
    prekeyRecord: Uint8Array
  }
  request: RequestFields
}

/**
 * Builds a leg 1; it is built once, stored and sent again byte for byte.
 * @returns the leg (8152 bytes, to be wrapped or filled up to 8192), what A keeps, and th1
 * @throws PeerError `VERSION` when no version is common, `EXPIRED` when the prekey record's time is over, `BAD_KEY` or
 *   `MALFORMED` for records that do not fit each other
 */
export function createLeg1(init: Leg1Init): { leg: Uint8Array; outgoing: OutgoingRequest; th1: Uint8Array } {
  const { random, now, self, peer } = init
  const own = readSigned(identityRecord, self.record)
  const theirs = readSigned(identityRecord, peer.record)
  const prekeys = readSigned(prekeyRecord, peer.prekeyRecord)
  if (now >= prekeys.expires) throw new PeerError('EXPIRED', 'prekey record is not valid any more')
  const protocol = commonVersion(own, theirs)
  const peerIdentityKey = untypeKey('x25519', findDevice(theirs, prekeys.device).identity)
  const prekey = untypeKey('x25519', prekeys.prekey)

  const ephemeral = x25519KeyPair(random(X25519_BYTES))
  const kem = encapsulateTo(untypeKey('mlKem768', prekeys.kem), random)
  const oneTime = x25519KeyPair(random(X25519_BYTES))
  const oneTimeKem = kemKeyPair(random(KEM_SEED_BYTES))

  const clear = leg1Clear(untypeKey('ed25519', prekeys.device), prekeys.seq, theirs.seq)
  const { ciphertext } = kem
  const th0 = requestTranscript({ clear, ...peer, ephemeral: ephemeral.public, ciphertext })
  const k1 = requestKey1(th0, [x25519(ephemeral.secret, prekey), kem.secret])
  const identity = encode(leg1Identity, { record: self.record, device: self.device })
  const c1 = sealOnce(k1, pad(identity, C1_PLAINTEXT_BYTES), th0)
  const th1 = extendTranscript(th0, c1)
  const { k2, sk1 } = requestKey2(th1, [
    k1,
    x25519(self.identitySecret, prekey),
    x25519(ephemeral.secret, peerIdentityKey),
    kem.secret,
  ])
  const expires = Math.min(now + limits.LEG1_DAYS * DAY_SECONDS, prekeys.expires)
  const request = encode(leg1Request, {
    ...init.request,
    oneTimeKey: typeKey('x25519', oneTime.public),
    oneTimeKem: typeKey('mlKem768', oneTimeKem.public),
    created: now,
    expires,
    minVersion: own.minVersion,
    maxVersion: own.maxVersion,
  })
  const c2 = sealOnce(k2, pad(request, C2_PLAINTEXT_BYTES), th1)
  wipe(k1, k2, kem.secret, ephemeral.secret)
  const leg = concat(clear, ephemeral.public, ciphertext, c1, c2)
  const outgoing: OutgoingRequest = {
    version: PENDING_REQUEST_VERSION,
    leg,
    created: now,
    expires,
    th1,
    tc2: extendTranscript(th1, c2),
    sk1,
    oneTimeSecret: oneTime.secret,
    oneTimeKemSeed: oneTimeKem.seed,
    peerDevice: prekeys.device,
    peerIdentityKey,
    rekey: init.request.rekey,
    protocol,
  }
  return { leg, outgoing, th1 }
}

/** The keys of B's that a leg 1 names, and the records that announced them, as they were published. */
export interface OwnPrekeys {
  record: Uint8Array
  prekeyRecord: Uint8Array
  /** X25519 secret of the signed prekey, 32 bytes. */
  prekeySecret: Uint8Array
  /** Seed of the last-resort KEM key, 64 bytes. */
  kemSeed: Uint8Array
  /** X25519 identity secret of the device, 32 bytes. */
  identitySecret: Uint8Array
}

/** What is read of a requester's identity record. */
export interface RequesterRecord extends Pick<IdentityRecord, 'devices' | 'revoked' | 'minVersion' | 'maxVersion'> {
  /** 32 bytes. */
  id: Uint8Array
}

export interface OpenLeg1Init {
  /** 8152 bytes. */
  leg: Uint8Array
  /** Protocol time, seconds. */
  now: number
  /** Finds own keys by device signing key (32 bytes) and the sequence numbers of the two records; undefined once destroyed. */
  findKeys: (device: Uint8Array, prekeySeq: number, recordSeq: number) => OwnPrekeys | undefined
  /** Checks a signed identity record as a stranger's; throws when it is not valid. */
  readRecord: (record: Uint8Array) => RequesterRecord
}

/**
 * Opens a leg 1. Nothing of A's is returned unless both ciphertexts open. The caller remembers `replayTag` until the
 * prekey is destroyed: a leg seen before changes nothing.
 * @throws ForgedError when anything of it does not open or fit
 * @throws PeerError `MALFORMED` for its outer form, `EXPIRED` or `TOO_EARLY` by its times, `VERSION` when none is common
 */
export function openLeg1(init: OpenLeg1Init): { incoming: IncomingRequest; replayTag: Uint8Array } {
  const leg = decodeLeg1(init.leg)
  const keys = init.findKeys(leg.device, leg.prekeySeq, leg.recordSeq)
  if (!keys) throw new ForgedError()
  const opened = orForged(() => openCiphertexts(leg, keys, init.readRecord))
  const { request, requester } = opened
  checkTimes(request, readSigned(prekeyRecord, keys.prekeyRecord).expires, init.now)
  const protocol = commonVersion(requester, request, readSigned(identityRecord, keys.record))
  const incoming: IncomingRequest = {
    version: PENDING_REQUEST_VERSION,
    th1: opened.th1,
    tc2: extendTranscript(opened.th1, leg.c2),
    sk1: opened.sk1,
    id: requester.id,
    record: opened.record,
    device: opened.device,
    identityKey: opened.identityKey,
    ownDevice: typeKey('ed25519', leg.device),
    request,
    protocol,
  }
  return { incoming, replayTag: replayTagOf(opened.sk1) }
}

function openCiphertexts(leg: Leg1, keys: OwnPrekeys, readRecord: OpenLeg1Init['readRecord']) {
  const th0 = requestTranscript({ ...leg, record: keys.record, prekeyRecord: keys.prekeyRecord })
  const ss1 = kemDecapsulate(keys.kemSeed, leg.ciphertext)
  const k1 = requestKey1(th0, [x25519(keys.prekeySecret, leg.ephemeral), ss1])
  const c1 = unpad(openOnce(k1, leg.c1, th0))
  const { record, device } = decode(leg1Identity, c1, C1_PLAINTEXT_BYTES)
  const requester = readRecord(record)
  const identityKey = untypeKey('x25519', findDevice(requester, device).identity)
  const th1 = extendTranscript(th0, leg.c1)
  const { k2, sk1 } = requestKey2(th1, [
    k1,
    x25519(keys.prekeySecret, identityKey),
    x25519(keys.identitySecret, leg.ephemeral),
    ss1,
  ])
  const c2 = unpad(openOnce(k2, leg.c2, th1))
  const request = decode(leg1Request, c2, C2_PLAINTEXT_BYTES)
  wipe(k1, k2, ss1)
  // what accepting will compute with must be good now: a person's "accept" must not fail on a stranger's keys
  wipe(x25519(keys.identitySecret, untypeKey('x25519', request.oneTimeKey)))
  untypeKey('mlKem768', request.oneTimeKem)
  return { record, device, requester, identityKey, request, th1, sk1 }
}

function checkTimes({ created, expires }: Leg1Request, prekeyExpires: number, now: number): void {
  const end = Math.min(created + limits.LEG1_DAYS * DAY_SECONDS, expires, prekeyExpires)
  if (now >= end) throw new PeerError('EXPIRED', `request expired at ${end}, now is ${now}`)
  // else a sender would choose its own lifetime
  if (created > now + limits.MAX_RECORD_AHEAD_SECONDS) {
    throw new PeerError('TOO_EARLY', `request was created at ${created}, now is ${now}`)
  }
}

/** The body of a signed record whose signature the caller has checked. @throws PeerError `MALFORMED` */
function readSigned<T>(shape: Shape<T>, record: Uint8Array): T {
  const { body } = decode(signed, record, limits.MAX_RECORD_BYTES)
  return decode(shape, body, limits.MAX_RECORD_BYTES)
}

function findDevice(record: Pick<IdentityRecord, 'devices' | 'revoked'>, signing: Uint8Array): Device {
  const device = record.devices.find((candidate) => equal(candidate.signing, signing))
  if (!device || record.revoked.some((revoked) => equal(revoked, signing))) {
    throw new PeerError('BAD_KEY', 'device does not stand in the identity record')
  }
  return device
}

/** The highest version in every range. Both sides compute it from what the transcript binds; c3 repeats B's. */
function commonVersion(...ranges: Pick<IdentityRecord, 'minVersion' | 'maxVersion'>[]): number {
  const lowest = Math.max(...ranges.map(({ minVersion }) => minVersion))
  const highest = Math.min(...ranges.map(({ maxVersion }) => maxVersion))
  if (lowest > highest)
    throw new PeerError('VERSION', `no common version: ${lowest} is the lowest, ${highest} the highest`)
  return highest
}

/** Runs `read` on bytes from a peer and turns whatever is wrong with them into the one error. */
export function orForged<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof PeerError || cause instanceof ForgedError) throw new ForgedError()
    throw cause
  }
}
