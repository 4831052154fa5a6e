/** Payloads of every type, envelopes of the three sizes with tag, postage and eid, and what gossip refuses (PROTOCOL 4, 5). */
import { concat, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { GossipGate } from '../../../node/delivery/gossip-gate.ts'
import { ENVELOPE_BYTES } from '../../../node/limits.ts'
import { bucketIndex, topicOf } from '../../../node/mailbox/buckets.ts'
import { mintEnvelopePostage, postageBits } from '../../../node/mailbox/postage.ts'
import { TagWindow, tag, tagKey } from '../../../node/mailbox/tags.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import { payloadRoom, sealEnvelope } from '../../../node/session/triple-ratchet.ts'
import { ENVELOPE_KIND, encodeEnvelope, decodeEnvelope, envelopeId } from '../../../node/wire/envelope.ts'
import {
  mailboxUpdateBody,
  payload as payloadShape,
  type Payload,
  PAYLOAD_TYPE,
  payloadMessageId,
  profileBody,
  readPayload,
  textBody,
} from '../../../node/wire/payload.ts'
import { encode } from '../../../node/wire/schema.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { FIRST } from './handshake.ts'
import { ALICE, BOB, RELAY_A } from './people.ts'
import { DAY, drawn, dropped, type Fields, flipped, handingOut, NOW, same, type VectorFile } from './vector-file.ts'

type Case = Fields & { name: string }

const NOTHING = new Uint8Array(0)
const [LOW, HIGH] = Buffer.compare(ALICE.id, BOB.id) < 0 ? [ALICE.id, BOB.id] : [BOB.id, ALICE.id]
const CONVERSATION = sha256(L('conversation'), LOW, HIGH).slice(0, 16)
const EXPIRY_DAY = Math.ceil(NOW / DAY) + 30

export function envelopeVectors(): VectorFile {
  const texts = [utf8('short'), utf8('ä'.repeat(3000)), utf8('x'.repeat(60_000))]
  const sealed = sealedEnvelopes(texts)
  return {
    name: 'envelope',
    shows: ['4. Envelope', 'Tags', 'Padding', 'Payload', '5. Gossip'],
    about:
      'Payloads with their message IDs; envelopes of the three sizes; tags, topics; what gossip rejects and ignores. The three ' +
      'envelopes are the first three messages that Alice seals in the session of the `friend request` of the file `handshake` (the ' +
      'case `session` of `ratchet`, whose own messages are another run of it): `secret`, `headerNonce` and `payloadNonce` are what ' +
      'their sealing draws. Bob opens them in their order, having opened nothing.',
    cases: [...payloadCases(), ...sealed.map(({ entry }) => entry), tagCase(), topicCase()],
    refused: [...badPayloads(), ...badGossip(sealed.map(({ envelope }) => envelope))],
  }
}

function basePayload(type: number, body: Uint8Array, changes: Partial<Payload> = {}): Payload {
  return {
    version: 1,
    type,
    salt: drawn(`salt of type ${type}`, 16),
    conversation: CONVERSATION,
    lamport: 7,
    parents: [drawn('a parent', 16)],
    sentAt: NOW * 1000 + 123,
    body,
    lifetime: 30 * DAY,
    mine: { ...ALICE.view.head },
    yours: { ...BOB.view.head },
    ...changes,
  }
}

function payloadCases(): Case[] {
  const none = { conversation: new Uint8Array(16), lamport: 0, parents: [] }
  const text = { text: 'Grüße, \u{1F407} \uFEFFand a mark' }
  const profile = { name: 'Alice', relays: [RELAY_A.address], peerId: RELAY_A.peerId, addresses: [RELAY_A.address] }
  const update = { rekey: 1, replacement: 1, secret: drawn('a new mailbox secret') }
  const acknowledged = [drawn('message 1', 16), drawn('message 2', 16)]
  const cases: [string, Payload, Fields | undefined][] = [
    ['text', basePayload(PAYLOAD_TYPE.text, encode(textBody, text)), { body: text }],
    ['text with receipts', basePayload(PAYLOAD_TYPE.text, encode(textBody, text), { acknowledged }), { body: text }],
    ['receipt', basePayload(PAYLOAD_TYPE.receipt, NOTHING, { ...none, acknowledged, yours: undefined }), undefined],
    ['profile', basePayload(PAYLOAD_TYPE.profile, encode(profileBody, profile)), { body: profile }],
    [
      'mailbox update',
      basePayload(PAYLOAD_TYPE.mailboxUpdate, encode(mailboxUpdateBody, update), none),
      { body: update },
    ],
  ]
  return cases.map(([name, value, bodyValue]) => {
    const encoded = encode(payloadShape, value)
    return {
      name: `payload: ${name}`,
      map: 'payload',
      value: { ...value },
      ...(bodyValue && { bodyValue: bodyValue['body'] }),
      encoded,
      messageId: payloadMessageId(encoded),
      lowerId: LOW,
      higherId: HIGH,
    }
  })
}

interface SealedCase {
  entry: Case
  envelope: Uint8Array
  session: SessionState
}

/** One after the other in one session. */
function sealedEnvelopes(texts: Uint8Array[]): SealedCase[] {
  let session: SessionState = FIRST.a
  return texts.map((text, i) => {
    const sealed = envelopeCase(session, i, text)
    session = sealed.session
    return sealed
  })
}

/** Envelopes of the first two sizes, for what is put at a server. */
export function envelopesToPut(): Uint8Array[] {
  return sealedEnvelopes([utf8('short'), utf8('ä'.repeat(3000))]).map(({ envelope }) => envelope)
}

function envelopeCase(session: SessionState, index: number, text: Uint8Array): SealedCase {
  const size = ENVELOPE_BYTES[index]!
  const draws = ['secret', 'headerNonce', 'payloadNonce'].slice(index === 0 ? 0 : 1)
  const values = draws.map((what) => drawn(`envelope of ${size}, ${what}`, what === 'secret' ? 32 : 24))
  const key = tagKey(FIRST.keys.mailboxAB)
  const payload = encode(
    payloadShape,
    basePayload(PAYLOAD_TYPE.text, encode(textBody, { text: Buffer.from(text).toString() })),
  )
  const sealed = sealEnvelope(session, {
    random: handingOut(...values),
    now: NOW,
    payload,
    kind: ENVELOPE_KIND.pairwise,
    tag: tag(key, index),
    tagCounter: index,
    expiryDay: EXPIRY_DAY,
    floor: 0,
  })
  if (sealed.size !== size) throw new Error(`expected an envelope of ${size} bytes`)
  const unpaid = concat(sealed.prefix, new Uint8Array(8), sealed.body)
  const eid = envelopeId(unpaid)
  const nonce = mintEnvelopePostage(eid, size, drawn(`postage of ${size}`, 8)).step(2 ** 20)!
  const { kind, tag: tagBytes, expiryDay, body } = decodeEnvelope(unpaid)
  const envelope = encodeEnvelope({ kind, tag: tagBytes, expiryDay, nonce, body })
  same('eid', eid, envelopeId(envelope))
  const entry: Case = {
    name: `envelope of ${size} bytes`,
    size,
    largestPayload: payloadRoom(size),
    now: NOW,
    ...Object.fromEntries(draws.map((what, i) => [what, values[i]!])),
    floor: 0,
    tagKey: key,
    tagCounter: index,
    tag: tagBytes,
    expiryDay,
    prefix: sealed.prefix,
    payload,
    messageId: payloadMessageId(payload),
    eid,
    postageBits: postageBits(size),
    postageNonce: nonce,
    postageHash: sha256(L('postage'), nonce, eid),
    envelope,
  }
  return { entry, envelope, session: sealed.session }
}

function tagCase(): Case {
  const secret = FIRST.keys.mailboxAB
  const key = tagKey(secret)
  const counters = [0, 1, 127, 128, 2 ** 32, 2 ** 48]
  const window = (highest: number) => {
    const known = new TagWindow(key, highest)
    const isKnown = (counter: number): boolean => known.lookup(tag(key, counter)) === counter
    const first = Array.from({ length: 600 }, (_, counter) => counter).find(isKnown)!
    return { highestSeen: highest, first, last: first + known.size - 1 }
  }
  return {
    name: 'tags',
    mailboxSecret: secret,
    tagKey: key,
    tags: counters.map((counter) => ({ counter, tag: tag(key, counter) })),
    windows: [...tagWindowBeforeFirst(key), ...[0, 5, 127, 128, 300].map(window)],
  }
}

function tagWindowBeforeFirst(key: Uint8Array) {
  const { size } = new TagWindow(key)
  return [{ highestSeen: -1, first: 0, last: size - 1 }]
}

function topicCase(): Case {
  return {
    name: 'topics',
    id: ALICE.id,
    hash: sha256(L('bucket'), ALICE.id),
    topics: [0, 1, 2, 8, 9, 16].map((bits) => ({
      bits,
      index: bucketIndex(ALICE.id, bits),
      text: topicOf(ALICE.id, bits),
    })),
  }
}

// ---- not taken ----

function badPayloads() {
  const good = basePayload(PAYLOAD_TYPE.text, encode(textBody, { text: 'hello' }))
  const encoded = encode(payloadShape, good)
  const cases: [string, string, Uint8Array][] = [
    ['of version 2', 'kept, acknowledged and shown as unsupported', encode(payloadShape, { ...good, version: 2 })],
    ['with a trailing byte', 'kept, acknowledged and shown as unsupported', concat(encoded, Uint8Array.of(0))],
    ['that ends early', 'kept, acknowledged and shown as unsupported', encoded.slice(0, -1)],
    ['of nothing', 'kept, acknowledged and shown as unsupported', NOTHING],
  ]
  return cases.map(([name, reason, bytes]) =>
    dropped(
      `payload ${name}`,
      reason,
      { payload: bytes, messageId: payloadMessageId(bytes) },
      readPayload(bytes) === undefined,
    ),
  )
}

function badGossip(envelopes: Uint8Array[]) {
  const [small] = envelopes as [Uint8Array]
  const withDay = (day: number): Uint8Array => {
    const changed = small.slice()
    changed.set([day >> 8, day & 0xff], 18)
    const paid = mintEnvelopePostage(envelopeId(changed), small.length, new Uint8Array(8)).step(2 ** 20)!
    changed.set(paid, 20)
    return changed
  }
  const today = Math.floor(NOW / DAY)
  const unpaid = small.slice()
  for (let last = 0; gossip([unpaid]) !== 'reject'; last++) unpaid[27] = last
  const cases: [string, string, Uint8Array[], string][] = [
    ['4095 bytes', 'one of the three sizes', [small.slice(0, -1)], 'reject'],
    ['version 2', 'version 1', [concat(Uint8Array.of(2), small.slice(1))], 'reject'],
    ['kind 3', 'kind 1 or 2', [concat(small.slice(0, 1), Uint8Array.of(3), small.slice(2))], 'reject'],
    ['a leg', 'kind 1 or 2', [concat(small.slice(0, 1), Uint8Array.of(0x12), small.slice(2))], 'reject'],
    ['the day before yesterday', 'expiry day from yesterday', [withDay(today - 2)], 'ignore'],
    ['34 days ahead', 'expiry day to 33 days ahead', [withDay(today + 34)], 'ignore'],
    ['postage of another nonce', 'the hash has fewer than 10 leading zero bits', [unpaid], 'reject'],
    ['a bit of the body', 'the postage is for another eid', [flipped(small, -1)], 'reject'],
    ['the same twice', 'eid not seen within ten minutes', [small, small], 'ignore'],
  ]
  for (const day of [today - 1, today + 33]) if (gossip([withDay(day)]) !== 'accept') throw new Error(`day ${day}`)
  return cases.map(([name, reason, carried, wanted]) => {
    const admission = gossip(carried)
    return {
      ...dropped(`gossip: ${name}`, reason, { now: NOW, envelope: carried[0]! }, admission === wanted),
      admission,
    }
  })
}

/** What the validator says of the last of some envelopes. */
function gossip(envelopes: Uint8Array[]): string {
  const gate = new GossipGate({
    clock: createManualClock(NOW * 1000),
    protocolTime: () => NOW,
    deliver: () => undefined,
  })
  return envelopes.map((envelope) => gate.admit(envelope, 'neighbour')).at(-1)!
}
