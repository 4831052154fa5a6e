/**
 * Twelve messages of a session (PROTOCOL 8): both sides send first, one comes late, one is overtaken by the step to epoch 1,
 * one is dead by the floor. For each: what was drawn, the step, the keys of both halves, the header, the bytes; then the order
 * in which they arrive, with the keys that are kept, and what is refused.
 */
import { open, SEAL_OVERHEAD_BYTES } from '../../../node/crypto/aead.ts'
import { concat, u32, u64, utf8 } from '../../../node/crypto/bytes.ts'
import { hkdfSha256, NO_SALT, split } from '../../../node/crypto/hash.ts'
import { kemDecapsulate } from '../../../node/crypto/kem.ts'
import { L } from '../../../node/crypto/labels.ts'
import { x25519, x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { tag, tagKey } from '../../../node/mailbox/tags.ts'
import { takeSendingKey } from '../../../node/session/double-ratchet.ts'
import { turnPq } from '../../../node/session/pq-pieces.ts'
import { takePqSendingKey } from '../../../node/session/pq-ratchet.ts'
import { encodeSession } from '../../../node/session/session-codec.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import { combineKeys } from '../../../node/session/symmetric-chain.ts'
import { openEnvelope, payloadRoom, sealEnvelope } from '../../../node/session/triple-ratchet.ts'
import { ENVELOPE_KIND } from '../../../node/wire/envelope.ts'
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../../../node/wire/header.ts'
import { pad, unpad } from '../../../node/wire/payload.ts'
import { craftEnvelope } from '../../support/session-fixtures.ts'
import { FIRST } from './handshake.ts'
import { DAY, drawn, type Fields, flipped, NOW, publicRandom, refused, same, type VectorFile } from './vector-file.ts'

type Side = 'A' | 'B'
type Case = Fields & { name: string }

/** What is sealed, in this order. */
interface Sending {
  side: Side
  now: number
  text: string
  floor?: number
}

/** Numbers of messages, from 1, as they arrive; between two sendings, named by the number of the next one. */
interface Arrival {
  message: number
  now: number
}

const LATER = NOW + 2 * DAY
const SENDINGS: Sending[] = [
  { side: 'B', now: NOW + 10, text: 'B speaks first: header key B, chain of step 0' },
  { side: 'A', now: NOW + 20, text: 'A speaks: step 1' },
  { side: 'A', now: NOW + 21, text: 'this one comes late' },
  { side: 'A', now: NOW + 22, text: 'and this one before it' },
  { side: 'B', now: NOW + 30, text: 'B answers: step 2' },
  { side: 'A', now: LATER, text: 'a day later: A offers epoch 1, piece 1' },
  { side: 'A', now: LATER + 1, text: 'the same piece again; this one comes last of all' },
  { side: 'B', now: LATER + 2, text: 'B holds epoch 1: piece 2, still sealed in epoch 0' },
  { side: 'A', now: LATER + 3, text: 'A seals in epoch 1, in a new chain' },
  { side: 'B', now: LATER + 4, text: 'B seals in epoch 1, without a piece' },
  { side: 'A', now: LATER + 5, text: 'this one is given up before it arrives' },
  { side: 'A', now: LATER + 6, text: 'the floor is this count: what lies below is dead', floor: 1 },
]
/** What has arrived before message `before` is sealed. */
const ARRIVALS: (Arrival & { before: number })[] = [
  { message: 1, now: NOW + 11, before: 2 },
  { message: 2, now: NOW + 23, before: 5 },
  { message: 4, now: NOW + 24, before: 5 },
  { message: 3, now: NOW + 25, before: 5 },
  { message: 5, now: NOW + 31, before: 6 },
  { message: 6, now: LATER + 2, before: 8 },
  { message: 8, now: LATER + 3, before: 9 },
  { message: 9, now: LATER + 4, before: 10 },
  { message: 10, now: LATER + 5, before: 11 },
  { message: 12, now: LATER + 7, before: 13 },
  { message: 7, now: LATER + 8, before: 13 },
]

interface Sealed {
  prefix: Uint8Array
  body: Uint8Array
  case: Case
}

interface Talk {
  states: Record<Side, SessionState>
  sealed: Sealed[]
  /** What is sealed and opened, in one order. */
  events: Fields[]
  epoch1: Fields | undefined
}

export function ratchetVectors(): VectorFile {
  const talk: Talk = { states: { A: FIRST.a, B: FIRST.b }, sealed: [], events: [], epoch1: undefined }
  for (let next = 1; next <= SENDINGS.length + 1; next++) {
    for (const arrival of ARRIVALS) if (arrival.before === next) arrive(talk, arrival)
    if (next <= SENDINGS.length) send(talk, next)
  }
  return {
    name: 'ratchet',
    shows: ['Symmetric chains', 'Classical half', 'Post-quantum half', 'Message key, header, body', 'Opening', 'Tags'],
    about:
      'Twelve messages of the session of the file `handshake`. `steps` of a message are the steps of the classical half that its ' +
      'writer takes with it. The case `events` is the one order of all that is sealed and opened, by the numbers of the messages, with ' +
      'what the reader keeps of late messages afterwards. Each case after it, and each of what is refused, comes by itself to the ' +
      'state that a side has after the last of the events.',
    cases: [
      sessionCase(),
      ...talk.sealed.map((one) => one.case),
      ...(talk.epoch1 ? [talk.epoch1 as Case] : []),
      eventsCase(talk),
      alarmCase(talk),
      ...takenCases(talk),
      lateFloorCase(talk),
    ],
    refused: [...badEnvelopes(talk), ...badHeaders()],
  }
}

function sessionCase(): Case {
  const { keys, draws } = FIRST
  const oneTime = x25519KeyPair(draws.oneTimeKey)
  const ratchet = x25519KeyPair(draws.ratchetKey)
  return {
    name: 'session',
    th3: FIRST.a.th3,
    ecRoot: keys.ecRoot,
    pqRoot: keys.pqRoot,
    headerKeyA: keys.headerKeyA,
    headerKeyB: keys.headerKeyB,
    oneTimeKey: { secret: oneTime.secret, public: oneTime.public },
    ratchetKeyB: { secret: ratchet.secret, public: ratchet.public },
    step0: step(keys.ecRoot, ratchet.secret, oneTime.public),
    mailboxAB: keys.mailboxAB,
    mailboxBA: keys.mailboxBA,
    tagKeyAB: tagKey(keys.mailboxAB),
    tagKeyBA: tagKey(keys.mailboxBA),
    epoch0: { epoch: 0, ...epochKeys(keys.pqRoot) },
  }
}

function step(rootKey: Uint8Array, secret: Uint8Array, theirKey: Uint8Array): Record<string, Uint8Array> {
  const shared = x25519(secret, theirKey)
  const derived = split(hkdfSha256(rootKey, shared, L('ratchetRoot'), 96), 32, 32, 32)
  const [newRootKey, chainKey, nextHeaderKey] = derived as [Uint8Array, Uint8Array, Uint8Array]
  return { rootKey, secret, theirKey, shared, newRootKey, chainKey, nextHeaderKey }
}

function epochKeys(s: Uint8Array): Record<string, Uint8Array> {
  const [chainA, chainB] = split(hkdfSha256(NO_SALT, s, L('pqChains'), 64), 32, 32) as [Uint8Array, Uint8Array]
  const rootKey = hkdfSha256(NO_SALT, s, L('pqRoot'), 32)
  return { s, chainA, chainB, rootKey, macKey: hkdfSha256(NO_SALT, s, L('pqMac'), 32) }
}

/** What a sealing draws, in the order in which the code asks for it. */
function recording(seed: string): { random: (length: number) => Uint8Array; drawnNow: Uint8Array[] } {
  const { bytes } = publicRandom(`kith vectors: ${seed}`)
  const drawnNow: Uint8Array[] = []
  const random = (length: number): Uint8Array => {
    const value = bytes(length)
    drawnNow.push(value.slice())
    return value
  }
  return { random, drawnNow }
}

function send(talk: Talk, number: number): void {
  const { side, now, text, floor = 0 } = SENDINGS[number - 1]!
  const before = talk.states[side]
  const seed = `message ${number}`
  const tagCounter = before.sentSerial
  const expiryDay = Math.ceil(now / DAY) + 30
  const mailbox = side === 'A' ? FIRST.keys.mailboxAB : FIRST.keys.mailboxBA
  const payload = utf8(text)
  const { random, drawnNow } = recording(seed)
  const sealed = sealEnvelope(before, {
    random,
    now,
    payload,
    kind: ENVELOPE_KIND.pairwise,
    tag: tag(tagKey(mailbox), tagCounter),
    tagCounter,
    expiryDay,
    floor,
  })
  const keys = sendingKeys(before, side, now, seed)
  same(
    'session',
    encodeSession({ ...sealed.session, ec: keys.ec.state, pq: keys.pq.state }),
    encodeSession(sealed.session),
  )
  const headerBytes = HEADER_BYTES + SEAL_OVERHEAD_BYTES
  const associated = concat(before.th3, sealed.prefix)
  const encryptedHeader = sealed.body.slice(0, headerBytes)
  const sealedPayload = sealed.body.slice(headerBytes)
  const header = open(keys.ec.headerKey, encryptedHeader, associated)
  const padded = open(keys.messageKey, sealedPayload, concat(associated, encryptedHeader))
  same('payload', unpad(padded), payload)
  same('padding', padded, pad(payload, payloadRoom(sealed.size) + 1))
  const { piece, ...said } = decodeHeader(header)
  if (drawnNow.length !== (keys.stepped ? 1 : 0) + (keys.turned ? 1 : 0) + 2) throw new Error('unexpected draws')
  talk.states[side] = sealed.session
  talk.events.push({ seals: number, side, now })
  talk.sealed.push({
    prefix: sealed.prefix,
    body: sealed.body,
    case: {
      name: `message ${number}`,
      side,
      now,
      steps: keys.stepped ? [step(before.ec.rootKey, drawnNow[0]!, before.ec.theirKey)] : [],
      ...(keys.turned && { [keys.turned]: drawnNow[keys.stepped ? 1 : 0] }),
      headerNonce: drawnNow.at(-2),
      payloadNonce: drawnNow.at(-1),
      tagCounter,
      expiryDay,
      prefix: sealed.prefix,
      associated,
      header: { ...said, piece: piece && { ...piece } },
      headerBytes: header,
      headerKey: keys.ec.headerKey,
      encryptedHeader,
      ecMessageKey: keys.ecKey,
      pqMessageKey: keys.pqKey,
      messageKey: keys.messageKey,
      payload,
      sealedPayload,
    },
  })
}

/** The same sealing, step by step, to see the keys that it uses and wipes. */
function sendingKeys(before: SessionState, side: Side, now: number, seed: string) {
  const { random } = recording(seed)
  const ec = takeSendingKey(before.ec, random)
  const turned = turnPq(before.pq, side, random, now)
  const pq = takePqSendingKey(turned)
  const [ecKey, pqKey] = [ec.key.slice(), pq.key.slice()]
  const messageKey = combineKeys(ec.key, pq.key)
  const isOffer = turned.outgoing?.seed !== undefined && before.pq.outgoing?.seed === undefined
  const isAnswer = before.pq.offered !== undefined
  const drawnFor: 'pieceSeed' | 'pieceCoins' | undefined = isOffer ? 'pieceSeed' : isAnswer ? 'pieceCoins' : undefined
  return { ec, pq, ecKey, pqKey, messageKey, stepped: before.ec.sending === undefined, turned: drawnFor }
}

function arrive(talk: Talk, { message, now }: Arrival): void {
  const { prefix, body } = talk.sealed[message - 1]!
  const from = SENDINGS[message - 1]!.side
  const to: Side = from === 'A' ? 'B' : 'A'
  const before = talk.states[to]
  const opened = openEnvelope(before, { prefix, body, now })
  same('payload', opened.payload, utf8(SENDINGS[message - 1]!.text))
  const { session } = opened
  if (before.pq.outgoing?.seed && session.pq.epochs.at(-1)!.epoch === 1) talk.epoch1 ??= epoch1Case(talk, before)
  talk.states[to] = session
  talk.events.push({
    opens: message,
    side: to,
    now,
    keptKeys: session.skipped.flatMap(({ headerKey, keys }) =>
      keys.map(({ count, epoch, pqCount, key }) => ({ headerKey, count, pqEpoch: epoch, pqCount, messageKey: key })),
    ),
    highestPqEpoch: session.pq.epochs.at(-1)!.epoch,
    highestSerialOpened: session.openedSerial,
  })
}

/** Epoch 1 as A, its generator, comes to it. */
function epoch1Case(talk: Talk, before: SessionState): Case {
  const seed = before.pq.outgoing!.seed!
  const answer = talk.sealed.map(({ case: { header } }) => header as { piece?: { type: number; bytes: Uint8Array } })
  const ciphertext = answer.find(({ piece }) => piece?.type === 2)!.piece!.bytes
  const sharedSecret = kemDecapsulate(seed, ciphertext)
  const rootKeyBefore = before.pq.rootKey
  const s = hkdfSha256(rootKeyBefore, sharedSecret, L('pqRoot'), 32)
  return { name: 'epoch 1', epoch: 1, seed, ciphertext, sharedSecret, rootKeyBefore, ...epochKeys(s) }
}

function eventsCase(talk: Talk): Case {
  return { name: 'events', events: talk.events }
}

/** What a reader does not look at: the message opens as if it were not there. */
function takenCases({ states }: Talk): Case[] {
  const { bytes: random } = publicRandom('kith vectors: taken all the same')
  const now = LATER + 60
  const padded = pad(utf8('taken'), payloadRoom(4096) + 1)
  const cases: [string, Parameters<typeof craftEnvelope>[2]][] = [
    ['a serial of 0', { serial: 0 }],
    ['a serial that was used', { serial: 1 }],
    ['another previous count within the chain', { previousCount: 77 }],
  ]
  return cases.map(([name, said]) => {
    const { prefix, body } = craftEnvelope(states.A, random, said, padded)
    const { payload, alarm, session } = openEnvelope(states.B, { prefix, body, now })
    const highestSerialOpened = session.openedSerial
    return { name: `taken: ${name}`, side: 'B', now, prefix, body, payload, alarm, highestSerialOpened }
  })
}

/** Three more messages of A's in one chain: the third, which is opened first, then the second, whose floor is its count. */
function lateFloorCase({ states }: Talk): Case {
  const now = LATER + 60
  const { bytes: random } = publicRandom('kith vectors: a floor in a late message')
  const base = { random, now, kind: ENVELOPE_KIND.pairwise, tag: drawn('tag of a late message', 16), tagCounter: 50 }
  let writer = states.A
  const [first, second, third] = [false, true, false].map((isFloor) => {
    const floor = isFloor ? undefined : 0
    const made = sealEnvelope(writer, { ...base, payload: utf8('late'), expiryDay: Math.ceil(now / DAY) + 30, floor })
    writer = made.session
    return { prefix: made.prefix, body: made.body }
  })
  let reader = states.B
  const opened = [third!, second!].map((envelope) => {
    reader = openEnvelope(reader, { ...envelope, now }).session
    return { ...envelope, keptCounts: reader.skipped.flatMap(({ keys }) => keys.map(({ count }) => count)) }
  })
  refused('first', 'its key is gone', {}, () => openEnvelope(reader, { ...first!, now }))
  return { name: 'a floor in a late message', side: 'B', now, opened, refusedThen: { ...first } }
}

/** A piece that the friend cannot have: the message counts, the piece changes nothing, and the person is told. */
function alarmCase({ states }: Talk): Case {
  const piece = { type: 1, epoch: 2, bytes: drawn('no key', 1184), mac: drawn('no MAC') }
  const random = publicRandom('kith vectors: contradiction').bytes
  const { prefix, body } = craftEnvelope(states.A, random, { piece }, pad(utf8('with a piece'), payloadRoom(4096) + 1))
  const now = LATER + 60
  const { payload, alarm } = openEnvelope(states.B, { prefix, body, now })
  return { name: 'after all of these: a piece that contradicts', side: 'B', now, prefix, body, payload, alarm }
}

// ---- refused ----

function badHeaders() {
  const header = encodeHeader({
    ratchetKey: drawn('ratchet key of a header'),
    previousCount: 0,
    count: 0,
    floor: 0,
    tagCounter: 0,
    serial: 1,
    highestSerialOpened: 0,
    pqEpoch: 0,
    pqCount: 0,
    highestPqEpoch: 0,
    piece: undefined,
  })
  const counter = (offset: number): Uint8Array => {
    const changed = header.slice()
    changed.set(u64(2 ** 48 + 1), offset)
    return changed
  }
  const withPiece = concat(header.slice(0, 80), Uint8Array.of(2), u32(1), new Uint8Array(1088), header.slice(85 + 1088))
  const cases: [string, string, Uint8Array][] = [
    ['1300 bytes', 'a header has 1301', header.slice(1)],
    ['piece type 3', 'there are 0, 1 and 2', concat(header.slice(0, 80), Uint8Array.of(3), header.slice(81))],
    ['an epoch without a piece', '0 without a piece', flipped(header, 84)],
    ['a piece without a type', 'zeros without a piece', flipped(header, 85)],
    ['a MAC without a piece', 'zeros without a piece', flipped(header, 1300)],
    ['bytes behind a ciphertext', 'zeros follow a shorter piece', flipped(withPiece, 85 + 1088)],
    ['a tag counter above 2^48', 'at most 2^48', counter(44)],
    ['a serial above 2^48', 'at most 2^48', counter(52)],
    ['a highest serial above 2^48', 'at most 2^48', counter(60)],
  ]
  return cases.map(([name, reason, headerBytes]) =>
    refused(`header: ${name}`, reason, { headerBytes }, () => decodeHeader(headerBytes)),
  )
}

function badEnvelopes({ states, sealed }: Talk) {
  const now = LATER + 60
  const bad = (name: string, reason: string, side: Side, envelope: { prefix: Uint8Array; body: Uint8Array }) => {
    const { prefix, body } = envelope
    const before = encodeSession(states[side])
    const entry = refused(name, reason, { side, prefix, body, now }, () =>
      openEnvelope(states[side], { prefix, body, now }),
    )
    same('state', encodeSession(states[side]), before)
    return entry
  }
  const { bytes: random } = publicRandom('kith vectors: crafted envelopes')
  const crafted = (...said: [said?: Parameters<typeof craftEnvelope>[2], padded?: Uint8Array]) =>
    craftEnvelope(states.A, random, ...said)
  openEnvelope(states.B, { ...crafted(), now })
  const fresh = crafted()
  const { count } = decodeHeaderOf(states.A)
  const message = (number: number): Sealed => sealed[number - 1]!
  const room = payloadRoom(4096) + 1
  return [
    bad('message 2 again', 'its key is gone', 'B', message(2)),
    bad('message 3, which came late, again', 'its key is gone', 'B', message(3)),
    bad('message 11, which comes last', 'it lies below the floor of message 12', 'B', message(11)),
    bad('message 12 to its own writer', 'no header key fits', 'A', message(12)),
    bad('a bit of the tag', 'the prefix is bound', 'B', { ...fresh, prefix: flipped(fresh.prefix, 2) }),
    bad('a bit of the expiry day', 'the prefix is bound', 'B', { ...fresh, prefix: flipped(fresh.prefix, 19) }),
    bad('a bit of the encrypted header', 'no header key fits', 'B', { ...fresh, body: flipped(fresh.body, 30) }),
    bad('a bit of the sealed payload', 'mk does not open it', 'B', { ...fresh, body: flipped(fresh.body, -1) }),
    bad('a body of another length', 'no envelope has this size', 'B', { ...fresh, body: fresh.body.slice(1) }),
    bad('no padding', 'the last byte that is not zero must be 0x80', 'B', crafted({}, new Uint8Array(room).fill(1))),
    bad('a floor above the count', 'the floor is not above the count', 'B', crafted({ floor: count + 1 })),
    bad('another pq count', 'it follows from the classical counts', 'B', crafted({ pqCount: 9 })),
    bad(
      'an epoch that the reader does not hold',
      'the reader must hold it',
      'B',
      crafted({ pqEpoch: 2, highestPqEpoch: 2 }),
    ),
    bad('a highest epoch below the own', 'not below pq epoch', 'B', crafted({ highestPqEpoch: 0 })),
    bad(
      'another ratchet key in the same chain',
      'counts and keys contradict',
      'B',
      crafted({ ratchetKey: drawn('no ratchet key') }),
    ),
    bad(
      '1001 messages missing',
      'at most 1000 are stored for one message',
      'B',
      crafted({ count: count + 1001, pqCount: count + 1001 }),
    ),
  ]
}

/** Where the next message of a side stands. */
function decodeHeaderOf(state: SessionState): { count: number } {
  return { count: state.ec.sending?.count ?? 0 }
}
