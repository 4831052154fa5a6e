/**
 * People, records and handshakes for the tests of sessions, all from one seed; and hand-made legs and envelopes that no
 * honest node would build.
 */
import { NONCE_BYTES, seal, sealOnce } from '../../node/crypto/aead.ts'
import { concat, u32, utf8 } from '../../node/crypto/bytes.ts'
import { ed25519KeyPair, sign, verify } from '../../node/crypto/ed25519.ts'
import { hkdfSha256, sha256 } from '../../node/crypto/hash.ts'
import { kemEncapsulate, type KemKeyPair, kemKeyPair } from '../../node/crypto/kem.ts'
import { typeKey, untypeKey } from '../../node/crypto/key-type.ts'
import { L } from '../../node/crypto/labels.ts'
import { x25519, type X25519KeyPair, x25519KeyPair } from '../../node/crypto/x25519.ts'
import { PeerError } from '../../node/errors.ts'
import { takeSendingKey } from '../../node/session/double-ratchet.ts'
import {
  acceptTranscript,
  extendTranscript,
  requestKey1,
  requestKey2,
  requestTranscript,
  sessionKeys,
} from '../../node/session/key-schedule.ts'
import {
  createLeg1,
  openLeg1,
  type OwnPrekeys,
  type RequesterRecord,
  type RequestFields,
} from '../../node/session/leg1.ts'
import { type AcceptFields, acceptRequest, openLeg2 } from '../../node/session/leg2.ts'
import type { IncomingRequest } from '../../node/session/pending-request.ts'
import { currentEpoch, takePqSendingKey } from '../../node/session/pq-ratchet.ts'
import type { SessionState } from '../../node/session/session-state.ts'
import {
  type EnvelopeSize,
  nextPosition,
  payloadRoom,
  type SealedEnvelope,
  sealEnvelope,
} from '../../node/session/triple-ratchet.ts'
import { ENVELOPE_KIND, envelopePrefix } from '../../node/wire/envelope.ts'
import { encodeHeader, type RatchetHeader } from '../../node/wire/header.ts'
import {
  C1_PLAINTEXT_BYTES,
  C2_PLAINTEXT_BYTES,
  C3_PLAINTEXT_BYTES,
  encodeLeg2,
  leg1Clear,
  leg1Identity,
  leg1Request,
  type Leg1Request,
  leg2Accept,
  type Leg2Accept,
} from '../../node/wire/legs.ts'
import { pad } from '../../node/wire/payload.ts'
import {
  identityRecord,
  type IdentityRecord,
  inception,
  prekeyRecord,
  type PrekeyRecord,
  REQUEST_POLICY,
  signed,
} from '../../node/wire/records.ts'
import { decode, encode } from '../../node/wire/schema.ts'

export type Random = (length: number) => Uint8Array

export const NOW = 1_790_000_000
export const DAY = 86_400

/** Bytes that follow from a seed alone. */
export function seededRandom(seed: string): Random {
  let block = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      bytes.set(sha256(utf8(seed), u32(block++)).subarray(0, Math.min(32, length - at)), at)
    }
    return bytes
  }
}

export interface Person {
  name: string
  id: Uint8Array
  /** Typed signing key. */
  device: Uint8Array
  deviceSeed: Uint8Array
  rootSeed: Uint8Array
  identity: X25519KeyPair
  prekey: X25519KeyPair
  kem: KemKeyPair
  identityFields: IdentityRecord
  prekeyFields: PrekeyRecord
  record: Uint8Array
  prekeyRecord: Uint8Array
}

export interface PersonOverrides {
  record?: Partial<IdentityRecord>
  prekeys?: Partial<PrekeyRecord>
}

export function createPerson(name: string, overrides: PersonOverrides = {}): Person {
  const random = seededRandom(`person ${name}`)
  const root = ed25519KeyPair(random(32))
  const device = ed25519KeyPair(random(32))
  const identity = x25519KeyPair(random(32))
  const prekey = x25519KeyPair(random(32))
  const kem = kemKeyPair(random(64))
  const birth = encode(inception, {
    version: 1,
    root: typeKey('ed25519', root.public),
    next: random(32),
    salt: random(16),
  })
  const id = sha256(L('id'), birth)
  const typedDevice = typeKey('ed25519', device.public)
  const identityFields: IdentityRecord = {
    version: 1,
    seq: NOW - 5 * DAY,
    issued: NOW - 5 * DAY,
    expires: NOW + 60 * DAY,
    inception: birth,
    events: [],
    devices: [{ signing: typedDevice, identity: typeKey('x25519', identity.public), added: NOW - 5 * DAY }],
    revoked: [],
    policy: REQUEST_POLICY.invite,
    minVersion: 1,
    maxVersion: 1,
    ...overrides.record,
  }
  const prekeyFields: PrekeyRecord = {
    version: 1,
    id,
    device: typedDevice,
    seq: NOW - DAY,
    issued: NOW - DAY,
    expires: NOW + 20 * DAY,
    prekey: typeKey('x25519', prekey.public),
    kem: typeKey('mlKem768', kem.public),
    ...overrides.prekeys,
  }
  return {
    name,
    id,
    device: typedDevice,
    deviceSeed: device.seed,
    rootSeed: root.seed,
    identity,
    prekey,
    kem,
    identityFields,
    prekeyFields,
    record: signIdentity(root.seed, identityFields),
    prekeyRecord: signPrekeys(device.seed, prekeyFields),
  }
}

export function signIdentity(rootSeed: Uint8Array, fields: IdentityRecord): Uint8Array {
  const body = encode(identityRecord, fields)
  return encode(signed, { body, signature: sign(rootSeed, 'identityRecord', body) })
}

export function signPrekeys(deviceSeed: Uint8Array, fields: PrekeyRecord): Uint8Array {
  const body = encode(prekeyRecord, fields)
  return encode(signed, { body, signature: sign(deviceSeed, 'prekeyRecord', body) })
}

/** Stands for identity's check of a stranger's record. */
export function readRecord(record: Uint8Array): RequesterRecord {
  const { body, signature } = decode(signed, record, 4096)
  const fields = decode(identityRecord, body, 4096)
  const root = untypeKey('ed25519', decode(inception, fields.inception, 128).root)
  if (!verify(root, 'identityRecord', body, signature)) throw new PeerError('BAD_SIGNATURE', 'signature does not fit')
  return { ...fields, id: sha256(L('id'), fields.inception) }
}

export function prekeysOf(person: Person): OwnPrekeys {
  return {
    record: person.record,
    prekeyRecord: person.prekeyRecord,
    prekeySecret: person.prekey.secret,
    kemSeed: person.kem.seed,
    identitySecret: person.identity.secret,
  }
}

export const REQUEST: RequestFields = {
  replySecret: sha256(utf8('reply mailbox')),
  relays: ['/dns4/relay.example/tcp/4001/p2p/12D3KooW'],
  rekey: 0,
  name: 'alice of the tests',
  note: 'hello, it is me from the library',
}

export function acceptFields(person: Person, rekey = 1): AcceptFields {
  return {
    head: { events: 0, seq: person.identityFields.seq, hash: sha256(person.record) },
    relays: [],
    rekey,
    name: 'bob',
  }
}

export function request(a: Person, b: Person, random: Random, fields: RequestFields = REQUEST, now = NOW) {
  return createLeg1({
    random,
    now,
    self: { record: a.record, device: a.device, identitySecret: a.identity.secret },
    peer: { record: b.record, prekeyRecord: b.prekeyRecord },
    request: fields,
  })
}

export function receive(b: Person, leg: Uint8Array, now = NOW) {
  return openLeg1({ leg, now, findKeys: () => prekeysOf(b), readRecord })
}

export interface Pair {
  a: SessionState
  b: SessionState
}

/** Two friends right after leg 2. */
export function befriend(random: Random, a = createPerson('a'), b = createPerson('b')): Pair {
  const { leg, outgoing } = request(a, b, random)
  const { incoming } = receive(b, leg)
  const accepted = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
  const opened = openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })
  return { a: opened.session, b: accepted.session }
}

/** Seals with the fields that a test does not care about; nothing older is alive unless a floor is named. */
export function sealText(
  session: SessionState,
  random: Random,
  text: string,
  fields: { floor?: number; size?: EnvelopeSize; now?: number } = {},
): SealedEnvelope {
  return sealEnvelope(session, {
    random,
    now: fields.now ?? NOW,
    payload: utf8(text),
    kind: ENVELOPE_KIND.pairwise,
    tag: new Uint8Array(16).fill(7),
    tagCounter: session.sentSerial + 100,
    expiryDay: 20_800,
    floor: fields.floor ?? 0,
    size: fields.size,
  })
}

// ---- what no honest node builds ----

/** A leg 1 whose parts are chosen freely: `identityShared` stands for DH(DIKa,SPKb). */
export function craftLeg1(
  b: Person,
  claim: {
    record: Uint8Array
    device: Uint8Array
    identityShared: Uint8Array
    random: Random
    request?: Partial<Leg1Request>
  },
) {
  const { random } = claim
  const ephemeral = x25519KeyPair(random(32))
  const kem = kemEncapsulate(b.kem.public, random(32))
  const oneTime = x25519KeyPair(random(32))
  const oneTimeKem = kemKeyPair(random(64))
  const clear = leg1Clear(b.device.slice(1), b.prekeyFields.seq, b.identityFields.seq)
  const { ciphertext } = kem
  const th0 = requestTranscript({ clear, ...b, ephemeral: ephemeral.public, ciphertext })
  const k1 = requestKey1(th0, [x25519(ephemeral.secret, b.prekey.public), kem.secret])
  const c1 = sealOnce(k1, pad(encode(leg1Identity, claim), C1_PLAINTEXT_BYTES), th0)
  const th1 = extendTranscript(th0, c1)
  const { k2, sk1 } = requestKey2(th1, [
    k1,
    claim.identityShared,
    x25519(ephemeral.secret, b.identity.public),
    kem.secret,
  ])
  const fields: Leg1Request = {
    ...REQUEST,
    oneTimeKey: typeKey('x25519', oneTime.public),
    oneTimeKem: typeKey('mlKem768', oneTimeKem.public),
    created: NOW,
    expires: NOW + 10 * DAY,
    minVersion: 1,
    maxVersion: 1,
    ...claim.request,
  }
  const c2 = sealOnce(k2, pad(encode(leg1Request, fields), C2_PLAINTEXT_BYTES), th1)
  const leg = concat(clear, ephemeral.public, ciphertext, c1, c2)
  return { leg, th1, tc2: extendTranscript(th1, c2), sk1, oneTime, oneTimeKem }
}

/** A leg 2 that is keyed as it should be and says what a test wants. */
export function craftLeg2(b: Person, incoming: IncomingRequest, random: Random, said: Partial<Leg2Accept>): Uint8Array {
  const oneTimeKey = untypeKey('x25519', incoming.request.oneTimeKey)
  const ephemeral = x25519KeyPair(random(32))
  const kem = kemEncapsulate(untypeKey('mlKem768', incoming.request.oneTimeKem), random(32))
  const th2 = acceptTranscript(incoming.tc2, ephemeral.public, kem.ciphertext)
  const keys = sessionKeys(th2, [
    incoming.sk1,
    x25519(b.identity.secret, oneTimeKey),
    x25519(ephemeral.secret, incoming.identityKey),
    x25519(ephemeral.secret, oneTimeKey),
    kem.secret,
  ])
  const accept: Leg2Accept = {
    ...acceptFields(b),
    ratchetKey: typeKey('x25519', x25519KeyPair(random(32)).public),
    device: b.device,
    version: 1,
    ...said,
  }
  const c3 = sealOnce(keys.confirm, pad(encode(leg2Accept, accept), C3_PLAINTEXT_BYTES), th2)
  return encodeLeg2({ ephemeral: ephemeral.public, ciphertext: kem.ciphertext, c3 })
}

/** An envelope under the session's true keys whose header, or padded payload, says what a test wants. */
export function craftEnvelope(
  session: SessionState,
  random: Random,
  said: Partial<RatchetHeader> = {},
  padded: Uint8Array = pad(utf8('crafted'), payloadRoom(4096) + 1),
): { prefix: Uint8Array; body: Uint8Array } {
  const ec = takeSendingKey(session.ec, random)
  const pq = takePqSendingKey(session.pq)
  const prefix = envelopePrefix(ENVELOPE_KIND.pairwise, new Uint8Array(16), 20_800)
  const header = encodeHeader({
    ratchetKey: ec.ratchetKey,
    previousCount: session.ec.previousCount,
    count: nextPosition(session).count,
    floor: 0,
    tagCounter: 1,
    serial: session.sentSerial + 1,
    highestSerialOpened: session.openedSerial,
    pqEpoch: pq.epoch,
    pqCount: pq.count,
    highestPqEpoch: currentEpoch(session.pq),
    piece: undefined,
    ...said,
  })
  const associated = concat(session.th3, prefix)
  const encryptedHeader = seal(ec.headerKey, random(NONCE_BYTES), header, associated)
  const messageKey = hkdfSha256(pq.key, ec.key, L('messageKey'), 32)
  const sealed = seal(messageKey, random(NONCE_BYTES), padded, concat(associated, encryptedHeader))
  return { prefix, body: concat(encryptedHeader, sealed) }
}

/** Low-order and non-canonical encodings of X25519 public keys. */
export function badX25519Keys(): Uint8Array[] {
  const p = new Uint8Array(32).fill(0xff)
  p[0] = 0xed
  p[31] = 0x7f
  const highBit = x25519KeyPair(new Uint8Array(32).fill(9)).public.slice()
  highBit[31] = highBit[31]! | 0x80
  const minusOne = p.slice()
  minusOne[0] = 0xec
  const orderEight = new Uint8Array(
    Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'),
  )
  return [
    new Uint8Array(32),
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
    p,
    minusOne,
    highBit,
    orderEight,
  ]
}
