/**
 * Both legs of a friend request and of a rekey (PROTOCOL 7): every drawn value, every intermediate value that the document
 * names, how the legs travel, and what is refused. The legs are built and opened by the code of the node; the values between
 * are made by its key schedule.
 */
import { open, openOnce, seal, sealOnce } from '../../../node/crypto/aead.ts'
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { hkdfSha256, hmacSha256, sha256 } from '../../../node/crypto/hash.ts'
import { kemDecapsulate, kemEncapsulate, kemKeyPair } from '../../../node/crypto/kem.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { L } from '../../../node/crypto/labels.ts'
import { x25519, x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { boxDoor, legFromBox } from '../../../node/friendship/request-door.ts'
import { openCopy, reachMailbox, reachQuarter, friendMailbox, sealCopy } from '../../../node/mailbox/keys.ts'
import { readIdentityRecord } from '../../../node/identity/records.ts'
import {
  acceptTranscript,
  extendTranscript,
  requestKey1,
  requestKey2,
  requestTranscript,
  sessionKeys,
} from '../../../node/session/key-schedule.ts'
import { createLeg1, openLeg1, type RequestFields } from '../../../node/session/leg1.ts'
import { acceptRequest, openLeg2 } from '../../../node/session/leg2.ts'
import type { IncomingRequest, OutgoingRequest } from '../../../node/session/pending-request.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import { copyId } from '../../../node/wire/commands.ts'
import {
  C1_PLAINTEXT_BYTES,
  C2_PLAINTEXT_BYTES,
  C3_PLAINTEXT_BYTES,
  decodeLeg1,
  decodeLeg2,
  leg1Identity,
  leg1Request,
  leg2Accept,
} from '../../../node/wire/legs.ts'
import { pad, unpad } from '../../../node/wire/payload.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { craftLeg1, craftLeg2, prekeysOf } from '../../support/session-fixtures.ts'
import { ALICE, BOB, personFields, RELAY_A, RELAY_B, type VectorPerson } from './people.ts'
import {
  DAY,
  drawn,
  type Fields,
  flipped,
  handingOut,
  NOW,
  publicRandom,
  refused,
  same,
  type VectorFile,
} from './vector-file.ts'

type Case = Fields & { name: string }

/** The values that a handshake draws. */
interface Draws {
  ephemeralA: Uint8Array
  coins1: Uint8Array
  oneTimeKey: Uint8Array
  oneTimeKemSeed: Uint8Array
  ephemeralB: Uint8Array
  coins2: Uint8Array
  ratchetKey: Uint8Array
}

export interface Handshake {
  draws: Draws
  now: number
  leg1: Uint8Array
  leg2: Uint8Array
  outgoing: OutgoingRequest
  incoming: IncomingRequest
  a: SessionState
  b: SessionState
  keys: ReturnType<typeof sessionKeys>
  /** For the file. */
  fields: Case
}

export const INVITE_SEAL = drawn('invite, seal')
/** Bob, if he took requests from everybody. */
const OPEN_VIEW = {
  ...BOB.view,
  record: {
    ...BOB.view.record,
    requestReader: typeKey('ed25519', ed25519KeyPair(drawn('open box of Bob, R')).public),
    relays: [RELAY_B.address],
  },
}

/** The request that begins the friendship of Alice and Bob. */
export const FIRST = handshake('friend request', 0, NOW, {
  replySecret: drawn('request, reply secret'),
  relays: [RELAY_A.address],
  rekey: 0,
  name: 'Alice',
  note: 'We met at the library. Grüße!',
})

/** A rekey between them, ten days later, at which Alice asks again. */
export const REKEY = handshake('rekey', 1, NOW + 10 * DAY, {
  replySecret: new Uint8Array(32),
  relays: [RELAY_A.address],
  rekey: 1,
  name: 'Alice',
  note: '',
})

export function handshakeVectors(): VectorFile {
  return {
    name: 'handshake',
    shows: ['Leg 1', 'Leg 2', 'What the legs seal', 'Keys', 'Rekey', 'Reach mailboxes', 'Invite', 'Open request box'],
    about:
      'A friend request and a rekey of the same two people, from private keys, records and drawn values to the keys of the session, ' +
      'and the bytes that lie at a server.',
    cases: [
      { name: 'Alice, who asks', ...personFields(ALICE) },
      { name: 'Bob, who is asked', ...personFields(BOB) },
      FIRST.fields,
      throughInvite(),
      inOpenBox(),
      inReplyMailbox(),
      REKEY.fields,
      ...inReachMailboxes(),
    ],
    refused: [...badLeg1(), ...badLeg2(), ...badWrappings()],
  }
}

function handshake(name: string, rekey: number, now: number, request: RequestFields): Handshake {
  const of = (what: string, length?: number): Uint8Array => drawn(`${name}, ${what}`, length)
  const draws: Draws = {
    ephemeralA: of('EKa'),
    coins1: of('coins of ct1'),
    oneTimeKey: of('OTa'),
    oneTimeKemSeed: of('one-time KEM seed', 64),
    ephemeralB: of('EKb'),
    coins2: of('coins of ct2'),
    ratchetKey: of('first ratchet key of B'),
  }
  const { leg, outgoing, th1 } = createLeg1({
    random: handingOut(draws.ephemeralA, draws.coins1, draws.oneTimeKey, draws.oneTimeKemSeed),
    now,
    self: { record: ALICE.record, device: ALICE.device, identitySecret: ALICE.identity.secret },
    peer: { record: BOB.record, prekeyRecord: BOB.prekeyRecord },
    request,
  })
  const { incoming, replayTag } = openAsBob(leg, now)
  const accepted = acceptRequest({
    random: handingOut(draws.ephemeralB, draws.coins2, draws.ratchetKey),
    incoming,
    identitySecret: BOB.identity.secret,
    accept: { head: { ...BOB.view.head }, relays: [RELAY_B.address], rekey: rekey + 1, name: 'Bob' },
  })
  const opened = openLeg2({ outgoing, leg: accepted.leg, identitySecret: ALICE.identity.secret })
  same('th1', th1, incoming.th1)
  same('th3', opened.session.th3, accepted.session.th3)
  const one = valuesOfLeg1(leg, draws)
  const two = valuesOfLeg2(accepted.leg, one, draws)
  same('SK1', one.sk1, outgoing.sk1)
  same('th3', two.th3, opened.session.th3)
  same('mailbox AB', two.keys.mailboxAB, opened.secrets.mailboxOut)
  const { th1: _th1, ...rest } = one
  const { confirm: kc, ...otherKeys } = two.keys
  return {
    draws,
    now,
    leg1: leg,
    leg2: accepted.leg,
    outgoing,
    incoming,
    a: opened.session,
    b: accepted.session,
    keys: two.keys,
    fields: {
      name,
      now,
      drawn: { ...draws },
      leg1: { ...rest, th1, replayTag, inner: leg },
      leg2: { ...two.fields, leg: accepted.leg },
      sessionKeys: { kc, ...otherKeys },
    },
  }
}

function openAsBob(leg: Uint8Array, now: number, bob: VectorPerson = BOB) {
  return openLeg1({
    leg,
    now,
    findKeys: (device, prekeySeq, recordSeq) => {
      const known = prekeySeq === bob.prekeyFields.seq && recordSeq === bob.identityFields.seq
      return known && Buffer.compare(device, bob.device.subarray(1)) === 0 ? prekeysOf(bob) : undefined
    },
    readRecord: (bytes) => {
      const { id, record } = readIdentityRecord(bytes, { now })
      return { id, ...record }
    },
  })
}

function valuesOfLeg1(leg: Uint8Array, draws: Draws) {
  const { clear, ephemeral, ciphertext, c1, c2 } = decodeLeg1(leg)
  const kem = kemEncapsulate(BOB.kem.public, draws.coins1)
  same('ct1', ciphertext, kem.ciphertext)
  const ss1 = kemDecapsulate(BOB.kem.seed, ciphertext)
  const dhEkaSpkb = x25519(draws.ephemeralA, BOB.prekey.public)
  const dhDikaSpkb = x25519(ALICE.identity.secret, BOB.prekey.public)
  const dhEkaDikb = x25519(draws.ephemeralA, BOB.identity.public)
  const th0 = requestTranscript({ clear, record: BOB.record, prekeyRecord: BOB.prekeyRecord, ephemeral, ciphertext })
  const k1 = requestKey1(th0, [dhEkaSpkb, ss1])
  const identity = encode(leg1Identity, { record: ALICE.record, device: ALICE.device })
  const th1 = extendTranscript(th0, c1)
  const { k2, sk1 } = requestKey2(th1, [k1, dhDikaSpkb, dhEkaDikb, ss1])
  const request = openPadded(k2, c2, th1)
  const value = { ...decode(leg1Request, request, C2_PLAINTEXT_BYTES) }
  same('c1', c1, sealPadded(k1, identity, C1_PLAINTEXT_BYTES, th0))
  same('c2', c2, sealPadded(k2, request, C2_PLAINTEXT_BYTES, th1))
  return {
    clear,
    eka: ephemeral,
    ct1: ciphertext,
    ss1,
    dhEkaSpkb,
    th0,
    k1,
    leg1Identity: identity,
    c1,
    th1,
    dhDikaSpkb,
    dhEkaDikb,
    k2,
    sk1,
    leg1Request: request,
    leg1RequestValue: value,
    oneTimeKemPublic: kemKeyPair(draws.oneTimeKemSeed).public,
    c2,
    tc2: extendTranscript(th1, c2),
  }
}

function valuesOfLeg2(leg: Uint8Array, one: ReturnType<typeof valuesOfLeg1>, draws: Draws) {
  const { ephemeral, ciphertext, c3 } = decodeLeg2(leg)
  const oneTime = x25519KeyPair(draws.oneTimeKey)
  const ss2 = kemDecapsulate(draws.oneTimeKemSeed, ciphertext)
  same('ct2', ciphertext, kemEncapsulate(one.oneTimeKemPublic, draws.coins2).ciphertext)
  const th2 = acceptTranscript(one.tc2, ephemeral, ciphertext)
  const dhDikbOta = x25519(BOB.identity.secret, oneTime.public)
  const dhEkbDika = x25519(draws.ephemeralB, ALICE.identity.public)
  const dhEkbOta = x25519(draws.ephemeralB, oneTime.public)
  const keys = sessionKeys(th2, [one.sk1, dhDikbOta, dhEkbDika, dhEkbOta, ss2])
  const sk = hkdfSha256(th2, concat(one.sk1, dhDikbOta, dhEkbDika, dhEkbOta, ss2), L('session'), 32)
  const all = concat(...Object.values(keys))
  same('session keys', all, hkdfSha256(th2, sk, L('sessionKeys'), 288))
  const accept = openPadded(keys.confirm, c3, th2)
  const value = { ...decode(leg2Accept, accept, C3_PLAINTEXT_BYTES) }
  same('c3', c3, sealPadded(keys.confirm, accept, C3_PLAINTEXT_BYTES, th2))
  const th3 = extendTranscript(th2, c3)
  const fields = {
    ekb: ephemeral,
    ct2: ciphertext,
    ss2,
    th2,
    dhDikbOta,
    dhEkbDika,
    dhEkbOta,
    sk,
    kc: keys.confirm,
    leg2Accept: accept,
    leg2AcceptValue: value,
    c3,
    th3,
  }
  return { keys, th3, fields }
}

function openPadded(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  return unpad(openOnce(key, sealed, associated))
}

function sealPadded(key: Uint8Array, plaintext: Uint8Array, length: number, associated: Uint8Array): Uint8Array {
  return sealOnce(key, pad(plaintext, length), associated)
}

// ---- how legs travel ----

function throughInvite(): Case {
  const nonce = hmacSha256(INVITE_SEAL, L('inviteSeal'), FIRST.leg1).slice(0, 24)
  const sealed = seal(INVITE_SEAL, nonce, FIRST.leg1, L('inviteSeal'))
  return {
    name: 'leg 1 through an invite',
    seal: INVITE_SEAL,
    inner: FIRST.leg1,
    nonce,
    leg: sealed,
    cid: copyId(sealed),
  }
}

/** The same leg 1 as it would lie in an open box: what fills it up is the writer's alone. */
function inOpenBox(): Case {
  const { replySecret } = FIRST.incoming.request
  const door = boxDoor(OPEN_VIEW, replySecret)
  const leg = door!.wrap(FIRST.leg1)
  const salt = sha256(FIRST.leg1)
  const fill = hkdfSha256(salt, replySecret, L('boxFill'), 40)
  same('leg', leg, concat(FIRST.leg1, fill))
  same('inner leg', legFromBox(leg), FIRST.leg1)
  return { name: 'leg 1 in an open box', inner: FIRST.leg1, replySecret, salt, fill, leg, cid: copyId(leg) }
}

/** A copy of a leg, as a writer makes it. */
export function copyCase(name: string, copyKey: Uint8Array, plaintext: Uint8Array): Case & { copy: Uint8Array } {
  const nonce = hmacSha256(copyKey, L('copy'), sha256(plaintext)).slice(0, 24)
  const copy = sealCopy(copyKey, nonce, plaintext)
  return { name, copyKey, plaintext, nonce, copy, cid: copyId(copy) }
}

function inReplyMailbox(): Case {
  const { replySecret } = FIRST.incoming.request
  const mailbox = friendMailbox(replySecret, RELAY_A.peerId)
  return {
    ...copyCase('leg 2 in the reply mailbox', mailbox.copyKey, FIRST.leg2),
    replySecret,
    server: RELAY_A.peerId,
    address: mailbox.address,
  }
}

function inReachMailboxes(): Case[] {
  const quarter = reachQuarter(REKEY.now)
  const { reachAB, reachBA } = FIRST.keys
  const there = reachMailbox(reachAB, RELAY_B.peerId, quarter)
  const back = reachMailbox(reachBA, RELAY_A.peerId, quarter)
  const filled = concat(REKEY.leg1, new Uint8Array(40))
  const place = (secret: Uint8Array, server: Uint8Array) => ({ reachSecret: secret, server, quarter, now: REKEY.now })
  return [
    {
      ...copyCase('leg 1 of the rekey in the reach mailbox AB', there.copyKey, filled),
      ...place(reachAB, RELAY_B.peerId),
      address: there.address,
    },
    {
      ...copyCase('leg 2 of the rekey in the reach mailbox BA', back.copyKey, REKEY.leg2),
      ...place(reachBA, RELAY_A.peerId),
      address: back.address,
    },
  ]
}

// ---- refused ----

function badLeg1() {
  const { leg1, now } = FIRST
  const bad = (name: string, reason: string, leg: Uint8Array, at = now) =>
    refused(`leg 1: ${name}`, reason, { inner: leg, now: at }, () => openAsBob(leg, at))
  const crafted = (claim: Partial<Parameters<typeof craftLeg1>[1]>): Uint8Array =>
    craftLeg1(BOB, {
      record: ALICE.record,
      device: ALICE.device,
      identityShared: x25519(ALICE.identity.secret, BOB.prekey.public),
      random: publicRandom('kith vectors: bad leg 1').bytes,
      ...claim,
      request: { created: now, expires: now + DAY, relays: [], ...claim.request },
    }).leg
  openAsBob(crafted({}), now)
  const lowOrder = typeKey('x25519', new Uint8Array(32))
  const withEka = leg1.slice()
  withEka.set(new Uint8Array(32), 50)
  return [
    bad('8151 bytes', 'an inner leg has 8152', leg1.slice(0, -1)),
    bad('version 2', 'version 1', flipped(flipped(leg1, 0, 0), 0, 1)),
    bad('kind 0x12', 'kind 0x11', concat(leg1.slice(0, 1), Uint8Array.of(0x12), leg1.slice(2))),
    bad('another device', 'no such device of B', flipped(leg1, 2)),
    bad('another prekey seq', 'no such prekey of B', flipped(leg1, 41)),
    bad('another record seq', 'no such record of B', flipped(leg1, 49)),
    bad('a prekey seq above 2^53 − 1', 'a u64 above 2^53 − 1 is malformed', flipped(leg1, 34, 6)),
    bad('EKa of zeros', 'the shared secret is zero', withEka),
    bad('a bit of EKa', 'c1 does not open', flipped(leg1, 50)),
    bad('a bit of ct1', 'c1 does not open', flipped(leg1, 82)),
    bad('a bit of c1', 'c1 does not open', flipped(leg1, 1170)),
    bad('a bit of c2', 'c2 does not open', flipped(leg1, 5324)),
    bad(
      'expired',
      'its time is over at min(created + 14 days, expires, end of the prekey record)',
      leg1,
      now + 14 * DAY,
    ),
    bad('created ahead', 'created more than an hour ahead', leg1, now - 3601),
    bad(
      'a record of somebody else',
      'the shared secret is not that of its device',
      crafted({ record: BOB.record, device: BOB.device }),
    ),
    bad('a device that the record does not list', 'the device must be in the record', crafted({ device: BOB.device })),
    bad('OTa of low order', 'OTa is checked when the leg is opened', crafted({ request: { oneTimeKey: lowOrder } })),
    bad('no common version', 'the ranges do not meet', crafted({ request: { minVersion: 2, maxVersion: 3 } })),
  ]
}

function badLeg2() {
  const { leg2, outgoing, incoming } = FIRST
  const bad = (name: string, reason: string, leg: Uint8Array) =>
    refused(`leg 2: ${name}`, reason, { leg }, () => openLeg2({ outgoing, leg, identitySecret: ALICE.identity.secret }))
  const { bytes: random } = publicRandom('kith vectors: bad leg 2')
  const crafted = (said: Parameters<typeof craftLeg2>[3]): Uint8Array => craftLeg2(BOB, incoming, random, said)
  openLeg2({ outgoing, leg: crafted({}), identitySecret: ALICE.identity.secret })
  const withEkb = leg2.slice()
  withEkb.set(new Uint8Array(32), 2)
  return [
    bad('8191 bytes', 'a leg 2 has 8192', leg2.slice(0, -1)),
    bad('version 2', 'version 1', concat(Uint8Array.of(2), leg2.slice(1))),
    bad('kind 0x11', 'kind 0x12', concat(leg2.slice(0, 1), Uint8Array.of(0x11), leg2.slice(2))),
    bad('EKb of zeros', 'the shared secret is zero', withEkb),
    bad('a bit of EKb', 'c3 does not open', flipped(leg2, 2)),
    bad('a bit of ct2', 'c3 does not open', flipped(leg2, 34)),
    bad('a bit of c3', 'c3 does not open', flipped(leg2, -1)),
    bad('a rekey number that is not higher', 'above the number in leg 1', crafted({ rekey: 0 })),
    bad('another version', 'the version that follows from leg 1', crafted({ version: 2 })),
    bad('another device', 'the device that leg 1 names', crafted({ device: ALICE.device })),
    bad('a ratchet key of another type', 'type byte 1', crafted({ ratchetKey: ALICE.device })),
  ]
}

function badWrappings() {
  const { leg: sealed } = throughInvite() as unknown as { leg: Uint8Array }
  const { copy, copyKey } = inReplyMailbox() as unknown as { copy: Uint8Array; copyKey: Uint8Array }
  const wrong = flipped(sealed, 100)
  const wrongCopy = flipped(copy, -1)
  return [
    refused('leg 1 through an invite: one bit', 'the seal does not open', { seal: INVITE_SEAL, leg: wrong }, () =>
      open(INVITE_SEAL, wrong, L('inviteSeal')),
    ),
    refused(
      'leg 1 through an invite: as a copy',
      'the associated data is another',
      { copyKey: INVITE_SEAL, copy: sealed },
      () => openCopy(INVITE_SEAL, sealed),
    ),
    refused('leg 2 in the reply mailbox: one bit', 'the copy does not open', { copyKey, copy: wrongCopy }, () =>
      openCopy(copyKey, wrongCopy),
    ),
  ]
}
