/**
 * Every reader of bytes from outside or from the disk beside the maps of the wire (`wire-codecs.ts`), with inputs that it
 * takes, all made from seeds. Fuzzing starts from them, and no other reader may take them. Texts stand in
 * `outside-texts.ts`.
 */
import { concat } from '../../node/crypto/bytes.ts'
import { readPolicy } from '../../node/delivery/mailbox-answers.ts'
import { encodeProof, verifyProof } from '../../node/delivery/relay-proof.ts'
import { decodeTrail, encodeTrail } from '../../node/delivery/trail.ts'
import * as custody from '../../node/custody/rows.ts'
import { ed25519KeyPair, sign } from '../../node/crypto/ed25519.ts'
import { type KeyType, untypeKey } from '../../node/crypto/key-type.ts'
import type { Label } from '../../node/crypto/labels.ts'
import { decodeOwnKeys, encodeOwnKeys, rotatePrekeys } from '../../node/identity/device-keys.ts'
import { identityRecordKey, prekeyRecordKey, validateRecordAt } from '../../node/identity/record-keys.ts'
import { createRendezvous, openRendezvous, rendezvousKeys, rendezvousWeek } from '../../node/identity/rendezvous.ts'
import { rootKeyPair } from '../../node/identity/root.ts'
import { decodeMailboxes, encodeMailboxes, NO_MAILBOXES, openedSession } from '../../node/mailbox/generations.ts'
import { openCopy, sealCopy } from '../../node/mailbox/keys.ts'
import { acceptRequest, openLeg2 } from '../../node/session/leg2.ts'
import * as pending from '../../node/session/pending-request.ts'
import { decodeSession, encodeSession } from '../../node/session/session-codec.ts'
import { openEnvelope } from '../../node/session/triple-ratchet.ts'
import { COPY_STATE, helloAnswer, policy, putReceipt, signedBody, statAnswer } from '../../node/wire/commands.ts'
import { decodeEnvelope } from '../../node/wire/envelope.ts'
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../../node/wire/header.ts'
import { decodeLeg1, decodeLeg2 } from '../../node/wire/legs.ts'
import { pad, unpad } from '../../node/wire/payload.ts'
import { peerIdOf, peerIdPublicKey } from '../../node/wire/peer-id.ts'
import { decode, encode, type Infer, type Shape } from '../../node/wire/schema.ts'
import * as identities from './identity-fixtures.ts'
import { acceptFields, createPerson, NOW, receive, request, sealText, seededRandom } from './session-fixtures.ts'

export interface OutsideDecoder {
  name: string
  /** @throws KithError for what it does not take */
  read: (bytes: Uint8Array) => unknown
  /** What it takes. */
  valid: readonly Uint8Array[]
}

const random = seededRandom('outside decoders')

// ---- people and their records ----

const person = identities.testPerson(1)
const identityView = person.record()
const prekeyView = person.prekey()
const ownKeys = {
  rootSeed: rootKeyPair(person.entropy, 0).seed,
  device: person.device,
  prekeys: rotatePrekeys(person, [], identities.NOW, identities.seededRandom(2)),
  records: [{ seq: identities.NOW, record: identityView.bytes }],
}
const rendezvous = rendezvousKeys(random(32), rendezvousWeek(NOW))
const place = { relays: ['/ip4/192.0.2.1/tcp/4001'], peerId: random(38), addresses: ['/ip4/192.0.2.2/tcp/1'] }

// ---- a handshake and its messages ----

const [alice, bob] = [createPerson('a'), createPerson('b')]
const asked = request(alice, bob, random)
const { incoming } = receive(bob, asked.leg)
const accepted = acceptRequest({
  random,
  incoming,
  identitySecret: bob.identity.secret,
  accept: acceptFields(bob),
})
const opened = openLeg2({ outgoing: asked.outgoing, leg: accepted.leg, identitySecret: alice.identity.secret })
const sealed = sealText(accepted.session, random, 'first')
const later = sealText(sealText(sealed.session, random, 'second').session, random, 'third')
/** With stored keys of messages that have not come. */
const skipping = openEnvelope(opened.session, { ...later, now: NOW }).session
const envelope = concat(sealed.prefix, random(8), sealed.body)
const copyKey = random(32)

// ---- a server ----

const serverKeys = ed25519KeyPair(random(32))
const server = { seed: serverKeys.seed, peerId: peerIdOf(serverKeys.public) }
const [cid, address, storeId] = [random(32), random(32), random(16)]

function bySigned<T>(shape: Shape<T>, label: Label, value: T): Uint8Array {
  const body = encode(shape, value)
  return encode(signedBody, { body, signature: sign(server.seed, label, body) })
}

const receipt = bySigned(putReceipt, 'putReceipt', {
  server: server.peerId,
  cid,
  address,
  storeId,
  stored: 3600,
  expires: 900_000,
  room: 5,
})
const missing = bySigned(statAnswer, 'statAnswer', {
  server: server.peerId,
  address,
  storeId,
  time: 10_000,
  cids: [cid],
  states: [COPY_STATE.missing],
  proofs: [],
})
const policyBytes = encode(policy, {
  version: 1,
  server: server.peerId,
  issued: 600,
  maxCopies: 1024,
  maxBytes: 2 ** 24,
  maxDays: 90,
  bucketBits: 2,
  claimBits: 18,
  contact: 'operator of the tests',
  forwardKey: concat(Uint8Array.of(1), alice.identity.public),
})
const hello = encode(helloAnswer, {
  policy: policyBytes,
  signature: sign(server.seed, 'policy', policyBytes),
  storeId,
  time: 700,
  challenge: random(32),
})

// ---- the readers ----

const AUTHENTICATED: OutsideDecoder[] = [
  {
    name: 'identity record at its place',
    read: (bytes) => validateRecordAt(identityRecordKey(person.id), bytes, { now: identities.NOW }),
    valid: [identityView.bytes],
  },
  {
    name: 'prekey record at its place',
    read: (bytes) => validateRecordAt(prekeyRecordKey(person.deviceKeys.public), bytes, { now: identities.NOW }),
    valid: [prekeyView.bytes],
  },
  {
    name: 'rendezvous record',
    read: (bytes) => openRendezvous(rendezvous, bytes, NOW),
    valid: [createRendezvous(rendezvous, { seq: NOW, nonce: random(24), place })],
  },
  { name: 'relay proof', read: verifyProof, valid: [encodeProof(receipt, missing)] },
  {
    name: 'policy of a server',
    read: (bytes) => readPolicy(server.peerId, decode(helloAnswer, bytes, 4096)),
    valid: [hello],
  },
  { name: 'sealed leg 1', read: (bytes) => receive(bob, bytes), valid: [asked.leg] },
  {
    name: 'sealed leg 2',
    read: (bytes) => openLeg2({ outgoing: asked.outgoing, leg: bytes, identitySecret: alice.identity.secret }),
    valid: [accepted.leg],
  },
  {
    name: 'sealed envelope',
    read: (bytes) =>
      openEnvelope(opened.session, { prefix: bytes.subarray(0, 20), body: bytes.subarray(28), now: NOW }),
    valid: [envelope],
  },
  {
    name: 'copy',
    read: (bytes) => openCopy(copyKey, bytes),
    valid: [sealCopy(copyKey, random(24), envelope), sealCopy(copyKey, random(24), new Uint8Array(1))],
  },
]

const FORMS: OutsideDecoder[] = [
  { name: 'envelope', read: decodeEnvelope, valid: [envelope] },
  { name: 'leg 1', read: decodeLeg1, valid: [asked.leg] },
  { name: 'leg 2', read: decodeLeg2, valid: [accepted.leg] },
  {
    name: 'header',
    read: decodeHeader,
    valid: [
      new Uint8Array(HEADER_BYTES),
      encodeHeader({
        ratchetKey: random(32),
        previousCount: 1,
        count: 2,
        floor: 1,
        tagCounter: 4,
        serial: 5,
        highestSerialOpened: 6,
        pqEpoch: 7,
        pqCount: 8,
        highestPqEpoch: 9,
        piece: { type: 1, epoch: 1, bytes: random(1184), mac: random(32) },
      }),
    ],
  },
  {
    name: 'padding',
    read: unpad,
    valid: [pad(Uint8Array.of(1, 2, 3), 80)],
  },
  { name: 'peer ID', read: peerIdPublicKey, valid: [server.peerId] },
  key('x25519', concat(Uint8Array.of(1), alice.identity.public)),
  key('ed25519', alice.device),
  key('mlKem768', concat(Uint8Array.of(3), bob.kem.public)),
]

function key(type: KeyType, typed: Uint8Array): OutsideDecoder {
  return { name: `typed ${type} key`, read: (bytes) => untypeKey(type, bytes), valid: [typed] }
}

function row<S extends Shape<object>>(name: string, shape: S, value: Infer<S>): OutsideDecoder {
  return { name, read: (bytes) => custody.readRow(shape, bytes), valid: [encode(shape, value)] }
}

const generations = openedSession(
  NO_MAILBOXES,
  { rekey: 1, session: random(8), mailboxIn: random(32), mailboxOut: random(32), held: true },
  { now: NOW, heard: 3 },
)
const trail = [
  { step: 0, at: 5 },
  { step: 3, at: 6, server: server.peerId, detail: 'put', times: 2, until: 9, stored: 3600 },
]

const AT_REST: OutsideDecoder[] = [
  { name: 'session', read: decodeSession, valid: [opened.session, accepted.session, skipping].map(encodeSession) },
  {
    name: 'outgoing request',
    read: pending.decodeOutgoingRequest,
    valid: [pending.encodeOutgoingRequest(asked.outgoing)],
  },
  { name: 'incoming request', read: pending.decodeIncomingRequest, valid: [pending.encodeIncomingRequest(incoming)] },
  { name: 'own keys', read: decodeOwnKeys, valid: [encodeOwnKeys(ownKeys)] },
  { name: 'mailboxes of a friend', read: decodeMailboxes, valid: [NO_MAILBOXES, generations].map(encodeMailboxes) },
  { name: 'trail of a message', read: decodeTrail, valid: [encodeTrail([]), encodeTrail(trail)] },
  row('row of a claim', custody.claimRow, {
    address,
    kind: 1,
    writer: random(32),
    reader: random(32),
    until: 5,
    next: 6,
    copies: 1,
    bytes: 7,
    tombstones: 0,
    weeks: 1,
    lastWeek: 2,
    release: undefined,
  }),
  row('row of a slip', custody.slipRow, {
    cid,
    stored: 1,
    expires: 2,
    position: 3,
    bytes: 4,
    slot: 5,
    proof: undefined,
  }),
  row('row of an expiry', custody.expiryRow, { address, item: random(8), type: 1 }),
  row('row of a served record', custody.servedRecordRow, {
    key: identityRecordKey(person.id),
    record: identityView.bytes,
    seq: 1,
    expires: 2,
  }),
  row('row of a server', custody.secretsRow, { store: random(32), challenge: random(32), forward: random(32) }),
]

/** All of them. */
export const OUTSIDE_DECODERS: readonly OutsideDecoder[] = [...AUTHENTICATED, ...FORMS, ...AT_REST]
