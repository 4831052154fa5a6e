/*
 * Section 7: both legs, built and opened. Every value between is given back, so that it can be compared with the vectors.
 */
import { byteAt, concat, cut, L, must, pad, readUint, same, split, u64, u8, unpad } from './bytes.ts'
import type { Of } from './cbor.ts'
import { DH, ED25519, kemDecapsulate, kemPublic, MLKEM768, typed, untyped, X25519, x25519Public } from './keys.ts'
import { leg1Identity, leg1Request, leg2Accept } from './maps.ts'
import { encapsulate } from './mlkem.ts'
import { H, HKDF, HMAC, open1, seal1 } from './primitives.ts'
import { type CheckedIdentity, MAX_RECORD_AHEAD_SECONDS, readIdentity, readPrekey } from './records.ts'

const DAY = 86_400
/** Either leg of the handshake. */
const LEG_BYTES = 8192
/** From creation to the end of a leg 1. */
export const LEG1_DAYS = 14
/** How far a rekey number may lie above the one that the other side knows. */
const MAX_REKEY_STEP = 65536
const INNER_BYTES = 8152
const PADDED = { identity: 4138, request: 2812, accept: 7054 }
const VERSION = 1
const KIND_LEG1 = 0x11
const KIND_LEG2 = 0x12

/** What `leg1Request` holds. */
type Leg1Request = Of<typeof leg1Request>
/** What `leg2Accept` holds. */
type Leg2Accept = Of<typeof leg2Accept>

/** Records of somebody, as they travel. */
interface Records {
  record: Uint8Array
  prekeyRecord: Uint8Array
}

/** Records and secrets of a device that is asked. */
export interface Asked extends Records {
  identitySecret: Uint8Array
  prekeySecret: Uint8Array
  kemSeed: Uint8Array
}

/** What A draws. */
export interface DrawnByA {
  ephemeralA: Uint8Array
  coins1: Uint8Array
  oneTimeKey: Uint8Array
  oneTimeKemSeed: Uint8Array
}

/** What B draws. */
export interface DrawnByB {
  ephemeralB: Uint8Array
  coins2: Uint8Array
  ratchetKey: Uint8Array
}

/** All values of leg 1, under the names of the vectors. */
export interface Leg1 {
  clear: Uint8Array
  eka: Uint8Array
  ct1: Uint8Array
  ss1: Uint8Array
  dhEkaSpkb: Uint8Array
  th0: Uint8Array
  k1: Uint8Array
  leg1Identity: Uint8Array
  c1: Uint8Array
  dhDikaSpkb: Uint8Array
  dhEkaDikb: Uint8Array
  k2: Uint8Array
  sk1: Uint8Array
  leg1Request: Uint8Array
  leg1RequestValue: Leg1Request
  c2: Uint8Array
  tc2: Uint8Array
  th1: Uint8Array
  /** What B remembers of a leg that it opened. */
  replayTag: Uint8Array
  inner: Uint8Array
}

/** Leg 1 as its reader has it. */
export interface OpenedLeg1 extends Leg1 {
  identity: CheckedIdentity
  /** A's device identity key, raw. */
  dika: Uint8Array
  version: number
}

function beginning(records: Records, clear: Uint8Array, eka: Uint8Array, ct1: Uint8Array): Uint8Array {
  return H(L('req'), clear, H(records.record), H(records.prekeyRecord), eka, ct1)
}

const firstKey = (th0: Uint8Array, dhEkaSpkb: Uint8Array, ss1: Uint8Array): Uint8Array =>
  HKDF(th0, concat(dhEkaSpkb, ss1), L('req/k1'), 32)

function secondKeys(th1: Uint8Array, ...input: Uint8Array[]): [Uint8Array, Uint8Array] {
  return split(HKDF(th1, concat(...input), L('req/k2'), 64), [32, 32])
}

/** Device identity key, raw, of the device that stands in a record. */
function deviceKey(identity: CheckedIdentity, signing: Uint8Array): Uint8Array {
  const device = identity.record.devices.find((one) => same(one.signing, signing))
  must(device !== undefined, 'the device must be in the record')
  return untyped(X25519, device.identity)
}

/** A's device in leg 1: its record, its name, and the secret of its identity key. */
export interface Asking {
  record: Uint8Array
  device: Uint8Array
  identitySecret: Uint8Array
}

/** Builds leg 1 from what was drawn; the keys of the request are filled in from it. */
export function buildLeg1(
  a: Asking,
  b: Records,
  drawn: DrawnByA,
  said: Omit<Leg1Request, 'oneTimeKey' | 'oneTimeKem'>,
): Leg1 {
  const identity = readIdentity(b.record)
  const prekey = readPrekey(b.prekeyRecord)
  const device = untyped(ED25519, prekey.record.device)
  const [spkb, dikb] = [untyped(X25519, prekey.record.prekey), deviceKey(identity, prekey.record.device)]
  const clear = concat(u8(VERSION), u8(KIND_LEG1), device, u64(prekey.record.seq), u64(identity.record.seq))
  const eka = x25519Public(drawn.ephemeralA)
  const { ciphertext: ct1, secret: ss1 } = encapsulate(untyped(MLKEM768, prekey.record.kem), drawn.coins1)
  const dhEkaSpkb = DH(drawn.ephemeralA, spkb)
  const th0 = beginning(b, clear, eka, ct1)
  const k1 = firstKey(th0, dhEkaSpkb, ss1)
  const encodedIdentity = leg1Identity.encode({ record: a.record, device: a.device })
  const c1 = seal1(k1, pad(encodedIdentity, PADDED.identity), th0)
  const th1 = H(th0, c1)
  const dhDikaSpkb = DH(a.identitySecret, spkb)
  const dhEkaDikb = DH(drawn.ephemeralA, dikb)
  const [k2, sk1] = secondKeys(th1, k1, dhDikaSpkb, dhEkaDikb, ss1)
  const leg1RequestValue: Leg1Request = {
    oneTimeKey: typed(X25519, x25519Public(drawn.oneTimeKey)),
    oneTimeKem: typed(MLKEM768, kemPublic(drawn.oneTimeKemSeed)),
    ...said,
  }
  const encodedRequest = leg1Request.encode(leg1RequestValue)
  const c2 = seal1(k2, pad(encodedRequest, PADDED.request), th1)
  const inner = concat(clear, eka, ct1, c1, c2)
  const transcript = { th0, k1, th1, k2, sk1, tc2: H(th1, c2), replayTag: HMAC(sk1, L('replay')) }
  const shared = { ss1, dhEkaSpkb, dhDikaSpkb, dhEkaDikb }
  const maps = { leg1Identity: encodedIdentity, leg1Request: encodedRequest, leg1RequestValue }
  return { clear, eka, ct1, c1, c2, inner, ...transcript, ...shared, ...maps }
}

/** The highest version that lies in every range. */
function commonVersion(...ranges: { minVersion: number; maxVersion: number }[]): number {
  const highest = Math.min(...ranges.map((range) => range.maxVersion))
  must(highest >= Math.max(...ranges.map((range) => range.minVersion)), 'the ranges do not meet')
  return highest
}

/** Opens an inner leg 1 as B, in the steps of the document. */
export function openLeg1(b: Asked, inner: Uint8Array, now: number): OpenedLeg1 {
  must(inner.length === INNER_BYTES, 'an inner leg has 8152 bytes')
  must(byteAt(inner, 0) === VERSION && byteAt(inner, 1) === KIND_LEG1, 'version 1, kind 0x11')
  const [clear, eka, ct1, c1, c2] = split(inner, [50, 32, 1088, 4154, 2828])
  const [prekeySeq, recordSeq] = [readUint(clear, 34, 8), readUint(clear, 42, 8)]
  const own = readIdentity(b.record)
  const prekey = readPrekey(b.prekeyRecord).record
  must(same(cut(clear, 2, 34), untyped(ED25519, prekey.device)), 'a device of B')
  must(prekeySeq === prekey.seq && recordSeq === own.record.seq, 'prekey and record are still kept')
  const ss1 = kemDecapsulate(b.kemSeed, ct1)
  const th0 = beginning(b, clear, eka, ct1)
  const dhEkaSpkb = DH(b.prekeySecret, eka)
  const k1 = firstKey(th0, dhEkaSpkb, ss1)
  const encodedIdentity = unpad(open1(k1, c1, th0))
  const { record, device } = leg1Identity.decode(encodedIdentity)
  const identity = readIdentity(record)
  must(identity.record.expires > now && identity.record.seq <= now + MAX_RECORD_AHEAD_SECONDS, 'the time of the record')
  const dika = deviceKey(identity, device)
  const th1 = H(th0, c1)
  const dhDikaSpkb = DH(b.prekeySecret, dika)
  const dhEkaDikb = DH(b.identitySecret, eka)
  const [k2, sk1] = secondKeys(th1, k1, dhDikaSpkb, dhEkaDikb, ss1)
  const encodedRequest = unpad(open1(k2, c2, th1))
  const request = leg1Request.decode(encodedRequest)
  DH(b.identitySecret, untyped(X25519, request.oneTimeKey))
  untyped(MLKEM768, request.oneTimeKem)
  must(now < Math.min(request.created + LEG1_DAYS * DAY, request.expires, prekey.expires), 'its time is over')
  must(request.created <= now + MAX_RECORD_AHEAD_SECONDS, 'created more than an hour ahead')
  const version = commonVersion(own.record, identity.record, request)
  const transcript = { th0, k1, th1, k2, sk1, tc2: H(th1, c2), replayTag: HMAC(sk1, L('replay')) }
  const shared = { ss1, dhEkaSpkb, dhDikaSpkb, dhEkaDikb }
  const maps = { leg1Identity: encodedIdentity, leg1Request: encodedRequest, leg1RequestValue: request }
  return { clear, eka, ct1, c1, c2, inner, ...transcript, ...shared, ...maps, identity, dika, version }
}

/** The keys of a session, under the names of the vectors. */
interface SessionKeys {
  kc: Uint8Array
  ecRoot: Uint8Array
  pqRoot: Uint8Array
  headerKeyA: Uint8Array
  headerKeyB: Uint8Array
  mailboxAB: Uint8Array
  mailboxBA: Uint8Array
  reachAB: Uint8Array
  reachBA: Uint8Array
}

function sessionKeys(th2: Uint8Array, sk: Uint8Array): SessionKeys {
  const all = split(HKDF(th2, sk, L('session/keys'), 288), [32, 32, 32, 32, 32, 32, 32, 32, 32])
  const [kc, ecRoot, pqRoot, headerKeyA, headerKeyB, mailboxAB, mailboxBA, reachAB, reachBA] = all
  return { kc, ecRoot, pqRoot, headerKeyA, headerKeyB, mailboxAB, mailboxBA, reachAB, reachBA }
}

/** All values of leg 2, under the names of the vectors. */
interface Leg2 {
  ekb: Uint8Array
  ct2: Uint8Array
  ss2: Uint8Array
  th2: Uint8Array
  dhDikbOta: Uint8Array
  dhEkbDika: Uint8Array
  dhEkbOta: Uint8Array
  sk: Uint8Array
  kc: Uint8Array
  leg2Accept: Uint8Array
  leg2AcceptValue: Leg2Accept
  c3: Uint8Array
  th3: Uint8Array
  leg: Uint8Array
}

type Shared2 = Pick<Leg2, 'dhDikbOta' | 'dhEkbDika' | 'dhEkbOta' | 'ss2'>

function finish(leg1: Leg1, ekb: Uint8Array, ct2: Uint8Array, shared: Shared2) {
  const th2 = H(leg1.tc2, L('acc'), ekb, ct2)
  const input = concat(leg1.sk1, shared.dhDikbOta, shared.dhEkbDika, shared.dhEkbOta, shared.ss2)
  const sk = HKDF(th2, input, L('session'), 32)
  const session = sessionKeys(th2, sk)
  return { th2, sk, session, kc: session.kc }
}

/** What both sides have when leg 2 was made or opened. */
export interface Agreed {
  leg2: Leg2
  session: SessionKeys
}

/** Builds leg 2 as B. */
export function buildLeg2(
  b: Asked,
  leg1: OpenedLeg1,
  drawn: DrawnByB,
  said: Omit<Leg2Accept, 'ratchetKey' | 'device' | 'version'>,
): Agreed {
  const request = leg1.leg1RequestValue
  const ota = untyped(X25519, request.oneTimeKey)
  const ekb = x25519Public(drawn.ephemeralB)
  const { ciphertext: ct2, secret: ss2 } = encapsulate(untyped(MLKEM768, request.oneTimeKem), drawn.coins2)
  const dhDikbOta = DH(b.identitySecret, ota)
  const shared = { dhDikbOta, dhEkbDika: DH(drawn.ephemeralB, leg1.dika), dhEkbOta: DH(drawn.ephemeralB, ota), ss2 }
  const { th2, sk, session, kc } = finish(leg1, ekb, ct2, shared)
  const leg2AcceptValue: Leg2Accept = {
    ratchetKey: typed(X25519, x25519Public(drawn.ratchetKey)),
    device: typed(ED25519, cut(leg1.clear, 2, 34)),
    version: leg1.version,
    ...said,
  }
  const encoded = leg2Accept.encode(leg2AcceptValue)
  const c3 = seal1(kc, pad(encoded, PADDED.accept), th2)
  const leg = concat(u8(VERSION), u8(KIND_LEG2), ekb, ct2, c3)
  const leg2 = { ekb, ct2, ...shared, th2, sk, kc, leg2Accept: encoded, leg2AcceptValue, c3, th3: H(th2, c3), leg }
  return { leg2, session }
}

/** Opens leg 2 as A, for a leg 1 whose one-time keys are kept; `version` is the one that follows from that leg. */
export function openLeg2(a: Asking, leg1: Leg1, drawn: DrawnByA, version: number, b: Records, leg: Uint8Array): Agreed {
  must(leg.length === LEG_BYTES, 'a leg 2 has 8192 bytes')
  must(byteAt(leg, 0) === VERSION && byteAt(leg, 1) === KIND_LEG2, 'version 1, kind 0x12')
  const [, ekb, ct2, c3] = split(leg, [2, 32, 1088, 7070])
  const ss2 = kemDecapsulate(drawn.oneTimeKemSeed, ct2)
  const asked = readPrekey(b.prekeyRecord).record.device
  const dikb = deviceKey(readIdentity(b.record), asked)
  const dhDikbOta = DH(drawn.oneTimeKey, dikb)
  const shared = { dhDikbOta, dhEkbDika: DH(a.identitySecret, ekb), dhEkbOta: DH(drawn.oneTimeKey, ekb), ss2 }
  const { th2, sk, session, kc } = finish(leg1, ekb, ct2, shared)
  const encoded = unpad(open1(kc, c3, th2))
  const accept = leg2Accept.decode(encoded)
  must(accept.version === version && same(accept.device, asked), 'version and device follow from leg 1')
  const known = leg1.leg1RequestValue.rekey
  must(accept.rekey > known && accept.rekey <= known + MAX_REKEY_STEP, 'a higher rekey number')
  DH(drawn.oneTimeKey, untyped(X25519, accept.ratchetKey))
  const values = { ekb, ct2, ...shared, th2, sk, kc, leg2Accept: encoded, leg2AcceptValue: accept, c3 }
  return { leg2: { ...values, th3: H(th2, c3), leg }, session }
}
