import { expect } from 'chai'
import { equal, toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { KEM_PUBLIC_BYTES } from '../../../node/crypto/kem.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { x25519, x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { ForgedError, type KithError, UsageError } from '../../../node/errors.ts'
import { createLeg1, openLeg1 } from '../../../node/session/leg1.ts'
import {
  MAX_ADDRESSES,
  MAX_ADDRESS_BYTES,
  MAX_NAME_BYTES,
  MAX_NOTE_BYTES,
  MAX_PEER_ID_BYTES,
  MAX_RELAYS,
} from '../../../node/limits.ts'
import { acceptRequest, openLeg2 } from '../../../node/session/leg2.ts'
import { encodeOutgoingRequest, type OutgoingRequest } from '../../../node/session/pending-request.ts'
import { openEnvelope } from '../../../node/session/triple-ratchet.ts'
import { LEG1_INNER_BYTES } from '../../../node/wire/legs.ts'
import {
  acceptFields,
  badX25519Keys,
  craftLeg1,
  craftLeg2,
  createPerson,
  DAY,
  NOW,
  prekeysOf,
  readRecord,
  receive,
  request,
  REQUEST,
  sealText,
  seededRandom,
  signIdentity,
  signPrekeys,
} from '../../support/session-fixtures.ts'

const a = createPerson('a')
const b = createPerson('b')
const c = createPerson('c')

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as KithError).code
  }
}

function ranged(name: string, minVersion: number, maxVersion: number) {
  return createPerson(name, { record: { minVersion, maxVersion } })
}

/** Random bytes that remember what they were, for those who leak a secret. */
function taped(seed: string) {
  const draw = seededRandom(seed)
  const drawn: Uint8Array[] = []
  const random = (length: number): Uint8Array => {
    const bytes = draw(length)
    drawn.push(bytes.slice())
    return bytes
  }
  const secretOf = (key: Uint8Array): Uint8Array =>
    drawn.find((bytes) => bytes.length === 32 && equal(x25519KeyPair(bytes).public, key))!.slice()
  const beginningWith = (first: Uint8Array) => {
    let isFirst = true
    return (length: number): Uint8Array => {
      const bytes = isFirst ? first.slice() : draw(length)
      isFirst = false
      return bytes
    }
  }
  return { random, secretOf, beginningWith }
}

function handshake(seed: string) {
  const random = seededRandom(seed)
  const asked = request(a, b, random)
  const { incoming, replayTag } = receive(b, asked.leg)
  const accepted = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
  return { random, ...asked, incoming, replayTag, accepted }
}

function flipped(bytes: Uint8Array, at: number, bit = 1): Uint8Array {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ bit
  return copy
}

describe('handshake', () => {
  describe('both legs', () => {
    it('make two sessions that agree on everything', () => {
      const { random, leg, th1, outgoing, incoming, accepted } = handshake('agree')
      expect(leg).to.have.length(LEG1_INNER_BYTES)
      expect(accepted.leg).to.have.length(8192)
      expect(incoming.id).to.deep.equal(a.id)
      expect(incoming.record).to.deep.equal(a.record)
      expect(incoming.device).to.deep.equal(a.device)
      expect(incoming.request).to.include({ name: REQUEST.name, note: REQUEST.note, created: NOW })
      expect(incoming.th1).to.deep.equal(th1)

      const opened = openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })
      expect(opened.accept).to.deep.include({ device: b.device, rekey: 1, version: 1, name: 'bob' })
      expect(opened.session.th3).to.deep.equal(accepted.session.th3)
      expect(opened.secrets.mailboxOut).to.deep.equal(accepted.secrets.mailboxIn)
      expect(opened.secrets.mailboxIn).to.deep.equal(accepted.secrets.mailboxOut)
      expect(opened.secrets.reachOut).to.deep.equal(accepted.secrets.reachIn)
      expect(opened.secrets.reachIn).to.deep.equal(accepted.secrets.reachOut)
      expect(new Set(Object.values(opened.secrets).map(toHex)).size).to.equal(4)

      // both can send at once
      const fromA = sealText(opened.session, random, 'from a')
      const fromB = sealText(accepted.session, random, 'from b')
      expect(openEnvelope(accepted.session, { ...fromA, now: NOW }).payload).to.deep.equal(utf8('from a'))
      expect(openEnvelope(opened.session, { ...fromB, now: NOW }).payload).to.deep.equal(utf8('from b'))
    })

    it('confirm the requester at once and the accepter by the first message', () => {
      const { random, outgoing, accepted } = handshake('confirm')
      const { session } = openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })
      expect(session.confirmed).to.equal(1)
      expect(accepted.session.confirmed).to.equal(0)
      const first = sealText(session, random, 'profile')
      expect(openEnvelope(accepted.session, { ...first, now: NOW }).session.confirmed).to.equal(1)
    })

    it('T12 hold the largest record, request and answer in the same number of bytes as the smallest', () => {
      const random = seededRandom('largest')
      const address = 'x'.repeat(MAX_ADDRESS_BYTES)
      const places = {
        relays: Array.from({ length: MAX_RELAYS }, () => address),
        peerId: random(MAX_PEER_ID_BYTES),
        addresses: Array.from({ length: MAX_ADDRESSES }, () => address),
      }
      const largest = {
        ...places,
        replySecret: random(32),
        rekey: Number.MAX_SAFE_INTEGER - 1,
        name: 'n'.repeat(MAX_NAME_BYTES),
        note: 'é'.repeat(MAX_NOTE_BYTES / 2),
      }
      const identityShared = x25519(a.identity.secret, b.prekey.public)
      const { leg } = craftLeg1(b, { ...a, record: random(4096), identityShared, random, request: largest })
      expect(leg).to.have.length(LEG1_INNER_BYTES)
      const { incoming } = openLeg1({
        leg,
        now: NOW,
        findKeys: () => prekeysOf(b),
        readRecord: () => ({ ...a.identityFields, id: a.id }),
      })
      expect(incoming.request).to.deep.include(largest)
      const accept = { ...acceptFields(b, Number.MAX_SAFE_INTEGER), ...places, name: largest.name }
      const accepted = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept })
      expect(accepted.leg).to.have.length(8192)
      const smallest = request(a, b, random, { ...REQUEST, relays: [], name: '', note: '' })
      expect(smallest.leg).to.have.length(LEG1_INNER_BYTES)
    })

    it('draw everything fresh for each leg and nothing else', () => {
      const one = request(a, b, seededRandom('1'))
      const two = request(a, b, seededRandom('2'))
      expect(one.leg.subarray(50)).to.not.deep.equal(two.leg.subarray(50))
      expect(request(a, b, seededRandom('1')).leg).to.deep.equal(one.leg)
    })

    it('refuse a rekey number that does not rise', () => {
      const { random, incoming } = handshake('rekey')
      const raised = { ...incoming, request: { ...incoming.request, rekey: 4 } }
      const accept = acceptFields(b, 4)
      expect(() => acceptRequest({ random, incoming: raised, identitySecret: b.identity.secret, accept })).to.throw(
        UsageError,
      )
    })

    it('answer a replayed leg 1 with the same tag, which only the leg has', () => {
      const { leg, replayTag } = handshake('replay')
      expect(receive(b, leg, NOW + DAY).replayTag).to.deep.equal(replayTag)
      expect(handshake('another').replayTag).to.not.deep.equal(replayTag)
    })
  })

  describe('times of a leg 1', () => {
    it('end after 14 days', () => {
      const { leg } = request(a, b, seededRandom('late'))
      expect(codeOf(() => receive(b, leg, NOW + 14 * DAY - 1))).to.equal(undefined)
      expect(codeOf(() => receive(b, leg, NOW + 14 * DAY))).to.equal('EXPIRED')
    })

    it('end with the prekey', () => {
      const soon = createPerson('soon', { prekeys: { expires: NOW + 3 * DAY } })
      const { leg, outgoing } = request(a, soon, seededRandom('soon'))
      expect(outgoing.expires).to.equal(NOW + 3 * DAY)
      expect(codeOf(() => receive(soon, leg, NOW + 3 * DAY - 1))).to.equal(undefined)
      expect(codeOf(() => receive(soon, leg, NOW + 3 * DAY))).to.equal('EXPIRED')
      expect(codeOf(() => request(a, soon, seededRandom('soon'), REQUEST, NOW + 3 * DAY))).to.equal('EXPIRED')
    })

    it('cannot be stretched by the one who asks', () => {
      const identityShared = x25519(a.identity.secret, b.prekey.public)
      const craft = (created: number, expires: number): Uint8Array =>
        craftLeg1(b, { ...a, identityShared, random: seededRandom('stretch'), request: { created, expires } }).leg
      expect(codeOf(() => receive(b, craft(NOW, NOW + 400 * DAY), NOW + 14 * DAY))).to.equal('EXPIRED')
      expect(codeOf(() => receive(b, craft(NOW + 5 * DAY, NOW + 400 * DAY)))).to.equal('TOO_EARLY')
      expect(codeOf(() => receive(b, craft(NOW, NOW + DAY), NOW + DAY))).to.equal('EXPIRED')
    })
  })

  describe('forged and misdirected legs', () => {
    it('T14 a thief of DIKb, SPKb and LKEMb makes a leg 1 of "A" that never becomes a friend', () => {
      const random = seededRandom('thief')
      // the prekey's secret is all it takes to forge leg 1: that is why leg 2 exists
      const forged = craftLeg1(b, { ...a, identityShared: x25519(b.prekey.secret, a.identity.public), random })
      const { incoming } = receive(b, forged.leg)
      expect(incoming.id).to.deep.equal(a.id)
      const accepted = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
      const outgoing: OutgoingRequest = {
        ...request(a, b, random).outgoing,
        ...forged,
        oneTimeSecret: forged.oneTime.secret,
        oneTimeKemSeed: forged.oneTimeKem.seed,
      }
      // the control: with A's own secret the forged leg would have worked
      const control = openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })
      const leaked = [b.identity.secret, b.prekey.secret, forged.oneTime.secret, random(32)]
      for (const identitySecret of leaked) {
        expect(() => openLeg2({ outgoing, leg: accepted.leg, identitySecret })).to.throw(ForgedError)
      }
      expect(accepted.session.confirmed).to.equal(0)
      // what the thief can seal without the session's keys does not confirm it
      const own = handshake('thief alone')
      const elsewhere = openLeg2({ outgoing: own.outgoing, leg: own.accepted.leg, identitySecret: a.identity.secret })
      const envelope = sealText({ ...elsewhere.session, th3: control.session.th3 }, random, 'I am A')
      expect(() => openEnvelope(accepted.session, { ...envelope, now: NOW })).to.throw(ForgedError)
    })

    it('T14 a thief of DIKa cannot answer as B', () => {
      const { random, outgoing, incoming } = handshake('thief of a')
      const guessed = { ...incoming, sk1: random(32) }
      const accept = acceptFields(b)
      const forged = acceptRequest({ random, incoming: guessed, identitySecret: a.identity.secret, accept })
      expect(() => openLeg2({ outgoing, leg: forged.leg, identitySecret: a.identity.secret })).to.throw(ForgedError)
    })

    it('T10 the ephemeral key of leg 1 lets nobody ask as A, nor open the answer', () => {
      const tape = taped('ephemeral of a')
      const { leg, outgoing } = request(a, b, tape.random)
      const leaked = tape.secretOf(leg.subarray(50, 82))
      const forge = (identityShared: Uint8Array) =>
        craftLeg1(b, { ...a, identityShared, random: tape.beginningWith(leaked) }).leg
      // the control: the leaked key stands in the leg, and with A's own secret beside it the leg is good
      const control = forge(x25519(a.identity.secret, b.prekey.public))
      expect(control.subarray(50, 82)).to.deep.equal(leg.subarray(50, 82))
      expect(receive(b, control).incoming.id).to.deep.equal(a.id)
      for (const guess of [b.prekey.public, b.identity.public, a.identity.public]) {
        expect(() => receive(b, forge(x25519(leaked, guess)))).to.throw(ForgedError)
      }
      const { random, incoming } = { ...receive(b, leg), random: tape.random }
      const answer = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
      const thief = { ...outgoing, sk1: random(32), oneTimeSecret: leaked }
      for (const identitySecret of [leaked, a.identity.secret]) {
        expect(() => openLeg2({ outgoing: thief, leg: answer.leg, identitySecret })).to.throw(ForgedError)
      }
    })

    it('T10 the ephemeral key of leg 2 lets nobody answer as B, then or later', () => {
      const tape = taped('ephemeral of b')
      const { leg, outgoing } = request(a, b, tape.random)
      const { incoming } = receive(b, leg)
      const accept = acceptFields(b)
      const answer = acceptRequest({ random: tape.random, incoming, identitySecret: b.identity.secret, accept })
      const leaked = tape.secretOf(answer.leg.subarray(2, 34))
      const open = (forged: Uint8Array, asked = outgoing) =>
        openLeg2({ outgoing: asked, leg: forged, identitySecret: a.identity.secret })
      const forge = (identitySecret: Uint8Array, sk1: Uint8Array, to = incoming) =>
        craftLeg2(
          { ...b, identity: { ...b.identity, secret: identitySecret } },
          { ...to, sk1 },
          tape.beginningWith(leaked),
          {},
        )
      // the control: nothing but B's own secrets is missing
      open(forge(b.identity.secret, incoming.sk1))
      expect(() => open(forge(leaked, incoming.sk1))).to.throw(ForgedError)
      expect(() => open(forge(b.identity.secret, leaked))).to.throw(ForgedError)
      // of another request, later
      const later = request(a, b, tape.random)
      const { incoming: second } = receive(b, later.leg)
      expect(() => open(forge(leaked, second.sk1, second), later.outgoing)).to.throw(ForgedError)
      expect(() => open(answer.leg, later.outgoing)).to.throw(ForgedError)
    })

    it('T15 a leg 1 made for B opens for nobody else', () => {
      const { leg } = request(a, b, seededRandom('for b'))
      expect(() => receive(c, leg)).to.throw(ForgedError)
      for (const stolen of ['prekeySecret', 'kemSeed', 'identitySecret'] as const) {
        const keys = { ...prekeysOf(b), [stolen]: prekeysOf(c)[stolen] }
        expect(() => openLeg1({ leg, now: NOW, findKeys: () => keys, readRecord }), stolen).to.throw(ForgedError)
      }
    })

    it("T15 unknown key share: B's keys under C's name give C's friend nothing that B opens", () => {
      // c publishes b's public keys as its own; a means to write to c
      const claimed = createPerson('c', {
        record: { devices: [{ signing: c.device, identity: typeKey('x25519', b.identity.public), added: NOW }] },
        prekeys: { prekey: b.prekeyFields.prekey, kem: b.prekeyFields.kem },
      })
      const { leg } = request(a, claimed, seededRandom('share'))
      // control: the keys do fit when b believes c's records
      const believing = { ...prekeysOf(b), record: claimed.record, prekeyRecord: claimed.prekeyRecord }
      expect(() => openLeg1({ leg, now: NOW, findKeys: () => believing, readRecord })).to.not.throw()
      expect(() => receive(b, leg)).to.throw(ForgedError)
    })

    it("T15 A's view of B's records must be B's", () => {
      const { leg } = request(a, b, seededRandom('view'))
      const other = signIdentity(b.rootSeed, { ...b.identityFields, issued: b.identityFields.issued + 1 })
      const otherPrekeys = signPrekeys(b.deviceSeed, { ...b.prekeyFields, issued: b.prekeyFields.issued + 1 })
      for (const change of [{ record: other }, { prekeyRecord: otherPrekeys }]) {
        const keys = { ...prekeysOf(b), ...change }
        expect(() => openLeg1({ leg, now: NOW, findKeys: () => keys, readRecord })).to.throw(ForgedError)
      }
    })

    it('T16 keys of the wrong type are refused by their type byte', () => {
      const random = seededRandom('types')
      const wrongPrekey = createPerson('b', { prekeys: { prekey: b.device } })
      expect(codeOf(() => request(a, wrongPrekey, random))).to.equal('BAD_KEY')
      const kemAsPrekey = createPerson('b', {
        prekeys: { kem: b.prekeyFields.kem.with(0, 0x01) },
      })
      expect(codeOf(() => request(a, kemAsPrekey, random))).to.equal('BAD_KEY')
      const identityShared = x25519(a.identity.secret, b.prekey.public)
      for (const said of [
        { oneTimeKey: a.device },
        { oneTimeKem: typeKey('mlKem768', b.kem.public).with(0, 0x01) },
        { oneTimeKem: typeKey('mlKem768', new Uint8Array(KEM_PUBLIC_BYTES).fill(0xff)) },
      ]) {
        const { leg } = craftLeg1(b, { ...a, identityShared, random, request: said })
        expect(() => receive(b, leg)).to.throw(ForgedError)
      }
    })

    it('T17 one flipped bit anywhere in leg 1 gives no key', () => {
      const { leg } = request(a, b, seededRandom('flip'))
      // clear header, EKa, ct1, c1, c2: first and last byte of each, and some between
      for (const at of [2, 34, 41, 42, 49, 50, 81, 82, 700, 1169, 1170, 3000, 5323, 5324, 7000, 8151]) {
        expect(
          codeOf(() => receive(b, flipped(leg, at))),
          `byte ${at}`,
        ).to.be.oneOf(['FORGED', 'MALFORMED'])
      }
    })

    it('T17 one flipped bit anywhere in leg 2 gives no session', () => {
      const { outgoing, accepted } = handshake('flip 2')
      for (const at of [0, 1, 2, 33, 34, 600, 1121, 1122, 5000, 8191]) {
        const leg = flipped(accepted.leg, at)
        expect(() => openLeg2({ outgoing, leg, identitySecret: a.identity.secret }), `byte ${at}`).to.throw(ForgedError)
      }
    })

    it('T19 low-order and non-canonical keys are refused wherever they stand', () => {
      const { random, outgoing, incoming, leg, accepted } = handshake('torsion')
      const before = encodeOutgoingRequest(outgoing)
      const identityShared = x25519(a.identity.secret, b.prekey.public)
      for (const key of badX25519Keys()) {
        const typed = typeKey('x25519', key)
        const badPrekey = createPerson('b', { prekeys: { prekey: typed } })
        expect(
          codeOf(() => request(a, badPrekey, random)),
          'SPKb',
        ).to.equal('BAD_KEY')
        const devices = [{ signing: b.device, identity: typed, added: NOW }]
        expect(
          codeOf(() => request(a, createPerson('b', { record: { devices } }), random)),
          'DIKb',
        ).to.equal('BAD_KEY')

        const badEphemeral = leg.slice()
        badEphemeral.set(key, 50)
        expect(() => receive(b, badEphemeral), 'EKa').to.throw(ForgedError)
        const badIdentity = createPerson('a', {
          record: { devices: [{ signing: a.device, identity: typed, added: NOW }] },
        })
        const claim = craftLeg1(b, { ...badIdentity, identityShared: new Uint8Array(32), random })
        expect(() => receive(b, claim.leg), 'DIKa').to.throw(ForgedError)
        const oneTime = craftLeg1(b, { ...a, identityShared, random, request: { oneTimeKey: typed } })
        expect(() => receive(b, oneTime.leg), 'OTa').to.throw(ForgedError)

        const badAnswer = accepted.leg.slice()
        badAnswer.set(key, 2)
        const ratchet = craftLeg2(b, incoming, random, { ratchetKey: typed })
        for (const answer of [badAnswer, ratchet]) {
          expect(() => openLeg2({ outgoing, leg: answer, identitySecret: a.identity.secret })).to.throw(ForgedError)
        }
      }
      expect(encodeOutgoingRequest(outgoing)).to.deep.equal(before)
    })

    it('refuse a device that is not in the record, or was revoked', () => {
      const random = seededRandom('device')
      const identityShared = x25519(a.identity.secret, b.prekey.public)
      const strange = craftLeg1(b, { record: a.record, device: c.device, identityShared, random })
      expect(() => receive(b, strange.leg)).to.throw(ForgedError)
      const revoked = createPerson('a', { record: { revoked: [a.device] } })
      expect(() => receive(b, craftLeg1(b, { ...revoked, identityShared, random }).leg)).to.throw(ForgedError)
      const gone = createPerson('b', { record: { revoked: [b.device] } })
      expect(codeOf(() => request(a, gone, random))).to.equal('BAD_KEY')
    })

    it('say nothing of A when c1 opens and c2 does not, nor when the record is not valid', () => {
      const random = seededRandom('silent')
      let read = 0
      const forged = craftLeg1(b, { ...a, identityShared: random(32), random })
      const counting = (record: Uint8Array) => {
        read++
        return readRecord(record)
      }
      const open = () => openLeg1({ leg: forged.leg, now: NOW, findKeys: () => prekeysOf(b), readRecord: counting })
      expect(open).to.throw(ForgedError)
      expect(read).to.equal(1)
      const badRecord = flipped(a.record, a.record.length - 1)
      const identityShared = x25519(a.identity.secret, b.prekey.public)
      const unsigned = craftLeg1(b, { ...a, record: badRecord, identityShared, random })
      expect(() => receive(b, unsigned.leg)).to.throw(ForgedError)
    })

    it('do not open once the keys that they name are destroyed', () => {
      const { leg } = request(a, b, seededRandom('destroyed'))
      const asked: unknown[] = []
      const findKeys = (device: Uint8Array, prekeySeq: number, recordSeq: number) => {
        asked.push(toHex(device), prekeySeq, recordSeq)
        return undefined
      }
      expect(() => openLeg1({ leg, now: NOW, findKeys, readRecord })).to.throw(ForgedError)
      expect(asked).to.deep.equal([toHex(b.device.subarray(1)), b.prekeyFields.seq, b.identityFields.seq])
    })

    it('refuse every other length, version and kind of leg 1', () => {
      const { leg } = request(a, b, seededRandom('form'))
      for (const bad of [leg.subarray(1), leg.subarray(0, -1), new Uint8Array(0), flipped(leg, 0), flipped(leg, 1)]) {
        expect(codeOf(() => receive(b, bad))).to.equal('MALFORMED')
      }
    })

    it('hide who asks: two requesters differ in nothing that a server can name', () => {
      const random = seededRandom('hidden')
      const fromA = request(a, b, random).leg
      const fromC = request(c, b, random, { ...REQUEST, name: 'c', note: '' }).leg
      expect(fromA.length).to.equal(fromC.length)
      expect(fromA.subarray(0, 50)).to.deep.equal(fromC.subarray(0, 50))
      const text = toHex(fromA)
      for (const secret of [a.id, a.device.subarray(1), a.identity.public, sha256(a.record), utf8(REQUEST.name)]) {
        expect(text).to.not.include(toHex(secret))
      }
      // knowing A's public keys, even A's identity secret, does not tell whether A asked: without the prekey nothing opens
      const guess = { ...prekeysOf(b), prekeySecret: a.identity.secret, kemSeed: random(64) }
      expect(() => openLeg1({ leg: fromA, now: NOW, findKeys: () => guess, readRecord })).to.throw(ForgedError)
    })
  })

  describe('versions', () => {
    it('T42 take the highest that both name', () => {
      const [newer, newest] = [ranged('a', 1, 3), ranged('b', 2, 5)]
      const { leg, outgoing } = request(newer, newest, seededRandom('versions'))
      expect(outgoing.protocol).to.equal(3)
      expect(receive(newest, leg).incoming.protocol).to.equal(3)
    })

    it('T42 end in no session when none is common', () => {
      const random = seededRandom('none')
      expect(codeOf(() => request(ranged('a', 1, 1), ranged('b', 2, 3), random))).to.equal('VERSION')
      const old = ranged('a', 1, 1)
      const next = ranged('b', 2, 3)
      const identityShared = x25519(old.identity.secret, next.prekey.public)
      // a requester that claims in c2 what its record does not say
      const claimed = craftLeg1(next, { ...old, identityShared, random, request: { minVersion: 1, maxVersion: 3 } })
      expect(codeOf(() => receive(next, claimed.leg))).to.equal('VERSION')
      const narrowed = craftLeg1(next, {
        ...ranged('a', 1, 3),
        identityShared,
        random,
        request: { minVersion: 1, maxVersion: 1 },
      })
      expect(codeOf(() => receive(next, narrowed.leg))).to.equal('VERSION')
    })

    it('T42 an older version in c3, or an older record shown to A, gives no session', () => {
      const [newer, newest] = [ranged('a', 1, 3), ranged('b', 1, 3)]
      const random = seededRandom('downgrade')
      const { leg, outgoing } = request(newer, newest, random)
      const { incoming } = receive(newest, leg)
      for (const version of [0, 1, 2, 4]) {
        const lower = craftLeg2(newest, incoming, random, { version })
        expect(() => openLeg2({ outgoing, leg: lower, identitySecret: newer.identity.secret })).to.throw(ForgedError)
      }
      const shown = ranged('b', 1, 1)
      expect(() => receive(newest, request(newer, shown, random).leg)).to.throw(ForgedError)
    })
  })

  describe('leg 2', () => {
    it('T50 garbage makes nobody a friend and burns nothing: the true one still opens', () => {
      const { random, outgoing, accepted } = handshake('garbage')
      const before = encodeOutgoingRequest(outgoing)
      const head = Uint8Array.of(1, 0x12)
      const garbage = [
        new Uint8Array(0),
        random(8192),
        Uint8Array.from([...head, ...random(8190)]),
        Uint8Array.from([...accepted.leg.subarray(0, 1122), ...random(7070)]),
        Uint8Array.from([...accepted.leg.subarray(0, 34), ...random(8158)]),
        handshake('another').accepted.leg,
        accepted.leg.subarray(0, 8191),
      ]
      for (const leg of garbage) {
        expect(() => openLeg2({ outgoing, leg, identitySecret: a.identity.secret })).to.throw(ForgedError)
      }
      expect(encodeOutgoingRequest(outgoing)).to.deep.equal(before)
      expect(() => openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })).to.not.throw()
      expect(encodeOutgoingRequest(outgoing)).to.deep.equal(before)
    })

    it('is refused when it names another device or an old rekey number', () => {
      const { random, outgoing, incoming } = handshake('said')
      const known = { ...outgoing, rekey: 3 }
      const open = (leg: Uint8Array, from = outgoing) =>
        openLeg2({ outgoing: from, leg, identitySecret: a.identity.secret })
      expect(() => open(craftLeg2(b, incoming, random, {}))).to.not.throw()
      expect(() => open(craftLeg2(b, incoming, random, { device: c.device }))).to.throw(ForgedError)
      expect(() => open(craftLeg2(b, incoming, random, { rekey: 3 }), known)).to.throw(ForgedError)
      expect(() => open(craftLeg2(b, incoming, random, { rekey: 4 }), known)).to.not.throw()
    })

    it('keeps its secrets when every long-term key of both is stolen later', () => {
      const { random, leg, outgoing, accepted } = handshake('forward')
      // the note is protected by the prekey alone, and that is said
      const replayed = receive(b, leg).incoming
      expect(replayed.request.note).to.equal(REQUEST.note)
      expect(equal(replayed.sk1, outgoing.sk1)).to.equal(true)
      // but without A's one-time keys nothing after it opens
      for (const oneTimeSecret of [a.identity.secret, b.identity.secret, b.prekey.secret, random(32)]) {
        const thief = { ...outgoing, sk1: replayed.sk1, oneTimeSecret, oneTimeKemSeed: b.kem.seed }
        expect(() => openLeg2({ outgoing: thief, leg: accepted.leg, identitySecret: a.identity.secret })).to.throw(
          ForgedError,
        )
      }
    })

    it('needs the KEM secret although every X25519 secret is known', () => {
      const { random, outgoing, accepted } = handshake('quantum')
      const thief = { ...outgoing, oneTimeKemSeed: random(64) }
      expect(() => openLeg2({ outgoing: thief, leg: accepted.leg, identitySecret: a.identity.secret })).to.throw(
        ForgedError,
      )
      const { leg } = request(a, b, random)
      const keys = { ...prekeysOf(b), kemSeed: random(64) }
      expect(() => openLeg1({ leg, now: NOW, findKeys: () => keys, readRecord })).to.throw(ForgedError)
    })
  })

  it('fails on arguments of ours that are wrong, not with the error for forged bytes', () => {
    const self = { record: a.record, device: a.device, identitySecret: new Uint8Array(31) }
    expect(() => createLeg1({ random: seededRandom('x'), now: NOW, self, peer: b, request: REQUEST })).to.throw(
      RangeError,
    )
  })
})
