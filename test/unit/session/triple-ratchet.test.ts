import { expect } from 'chai'
import { toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { ForgedError, type KithError, UsageError } from '../../../node/errors.ts'
import { MAX_DEAD_STEPS, MAX_SKIPPED_AT_ONCE, MAX_SKIPPED_KEYS } from '../../../node/limits.ts'
import { planGaps, takeReceivingKey } from '../../../node/session/double-ratchet.ts'
import { planPq, takePqReceivingKey } from '../../../node/session/pq-ratchet.ts'
import { encodeSession } from '../../../node/session/session-codec.ts'
import { MAX_SKIPPED_CHAINS, type SessionState, wipeReplaced } from '../../../node/session/session-state.ts'
import { combineKeys } from '../../../node/session/symmetric-chain.ts'
import { takeSkipped } from '../../../node/session/skipped-keys.ts'
import {
  nextPosition,
  openEnvelope,
  payloadRoom,
  type SealedEnvelope,
  sealEnvelope,
} from '../../../node/session/triple-ratchet.ts'
import { decodeEnvelope, encodeEnvelope, ENVELOPE_KIND } from '../../../node/wire/envelope.ts'
import { HEADER_BYTES } from '../../../node/wire/header.ts'
import { pad } from '../../../node/wire/payload.ts'
import { locate, type Sealed, skippedCount, Talk } from '../../support/ratchet-talk.ts'
import { badX25519Keys, craftEnvelope, DAY, NOW, sealText } from '../../support/session-fixtures.ts'

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as KithError).code
  }
}

describe('triple ratchet', () => {
  describe('talk', () => {
    it('goes both ways, in bursts and turns', () => {
      const talk = new Talk('turns')
      for (let turn = 0; turn < 6; turn++) {
        for (const [from, to] of [
          ['a', 'b'],
          ['b', 'a'],
        ] as const) {
          const burst = [0, 1, 2].map((n) => `${from} ${turn} ${n}`)
          const sent = burst.map((text) => talk.send(from, text))
          expect(sent.map((envelope) => talk.receive(to, envelope))).to.deep.equal(burst)
        }
      }
      expect(talk.states.a.ec.sendingNumber).to.equal(6)
      expect(skippedCount(talk.states.a) + skippedCount(talk.states.b)).to.equal(0)
    })

    it('tells counts, serials, tag counter and what was opened', () => {
      const talk = new Talk('header')
      const first = talk.send('a', 'one')
      talk.receive('b', first)
      const answer = talk.send('b', 'two')
      const { header, session } = openEnvelope(talk.states.a, { ...answer, now: NOW })
      expect(header).to.deep.equal({
        previousCount: 0,
        count: 0,
        floor: 0,
        tagCounter: 100,
        serial: 1,
        highestSerialOpened: 1,
        pqEpoch: 0,
        pqCount: 0,
        highestPqEpoch: 0,
      })
      expect(session.openedSerial).to.equal(1)
      expect([first.serial, first.count, first.chain]).to.deep.equal([1, 0, 1])
      expect(nextPosition(session)).to.deep.equal({ chain: 2, count: 0 })
      expect(nextPosition(talk.states.b)).to.deep.equal({ chain: 2, count: 1 })
    })

    it('steps with a fresh pair for each turn, never within one', () => {
      const talk = new Talk('pairs')
      talk.receive('b', talk.send('a', '1'))
      const pair = talk.states.a.ec.sending!.public
      talk.receive('b', talk.send('a', '2'))
      expect(talk.states.a.ec.sending!.public).to.deep.equal(pair)
      talk.receive('a', talk.send('b', '3'))
      // the old secret is gone before a new one exists
      expect(talk.states.a.ec.sending).to.equal(undefined)
      talk.receive('b', talk.send('a', '4'))
      expect(talk.states.a.ec.sending!.public).to.not.deep.equal(pair)
    })

    it('repeats to the byte from one seed', () => {
      const sent = ['same', 'same', 'other'].map((seed) => toHex(new Talk(seed).send('a', 'x').body))
      expect(sent[0]).to.equal(sent[1])
      expect(sent[0]).to.not.equal(sent[2])
    })
  })

  describe('sizes', () => {
    it('T12 whatever is sent, the envelope has one of three sizes', () => {
      const talk = new Talk('sizes')
      expect([4096, 16384, 65536].map((size) => payloadRoom(size as 4096))).to.deep.equal([2686, 14974, 64126])
      const cases: [number, number][] = [
        [0, 4096],
        [1, 4096],
        [2686, 4096],
        [2687, 16384],
        [14974, 16384],
        [14975, 65536],
        [64126, 65536],
      ]
      for (const [length, size] of cases) {
        const payload = talk.random(length)
        const sealing = { random: talk.random, now: NOW, payload }
        const init = { ...sealing, kind: 1, tag: new Uint8Array(16), tagCounter: 1, expiryDay: 1 }
        const sealed = sealEnvelope(talk.states.a, { ...init, floor: undefined })
        talk.states.a = sealed.session
        const envelope = encodeEnvelope({ ...init, nonce: new Uint8Array(8), body: sealed.body })
        expect(envelope.length).to.equal(size)
        expect(sealed.size).to.equal(size)
        expect(envelope.subarray(0, 20)).to.deep.equal(sealed.prefix)
        const { body } = decodeEnvelope(envelope)
        const opened = openEnvelope(talk.states.b, { prefix: envelope.subarray(0, 20), body, now: NOW })
        talk.states.b = opened.session
        expect(opened.payload).to.deep.equal(payload)
      }
    })

    it('refuses what does not fit, before a key is used', () => {
      const talk = new Talk('long')
      const seal = (length: number, size?: 4096) => () =>
        sealText(talk.states.a, talk.random, 'x'.repeat(length), { size })
      expect(codeOf(seal(64_127))).to.equal('TOO_LONG')
      expect(codeOf(seal(2687, 4096))).to.equal('TOO_LONG')
      expect(codeOf(seal(2686, 4096))).to.equal(undefined)
    })

    it('refuses a floor above the message itself', () => {
      const talk = new Talk('floor')
      expect(() => sealText(talk.states.a, talk.random, 'x', { floor: 1 })).to.throw(UsageError)
    })

    it('refuses bodies and prefixes of other lengths', () => {
      const talk = new Talk('lengths')
      const { prefix, body } = talk.send('a', 'x')
      const longer = Uint8Array.from([...body, 0])
      for (const bad of [new Uint8Array(0), body.subarray(1), body.subarray(0, HEADER_BYTES), longer]) {
        talk.refuses('b', { prefix, body: bad })
      }
      talk.refuses('b', { prefix: prefix.subarray(1), body })
    })
  })

  describe('forged, replayed and reflected', () => {
    it('T23 leave the session as it was, byte for byte, and the honest next message opens', () => {
      const talk = new Talk('forged')
      talk.roundTrip()
      const before = encodeSession(talk.states.b)
      const { prefix, body } = talk.send('a', 'honest')
      for (const at of [0, 23, 24, 700, 1324, 1325, 1340, 1341, 1364, 1365, 2000, body.length - 1]) {
        const copy = body.slice()
        copy[at] = copy[at]! ^ 0x10
        talk.refuses('b', { prefix, body: copy })
      }
      for (let at = 0; at < 20; at++) talk.refuses('b', { prefix: prefix.with(at, prefix[at]! ^ 1), body })
      talk.refuses('b', { prefix, body: talk.random(body.length) })
      expect(encodeSession(talk.states.b)).to.deep.equal(before)
      expect(talk.receive('b', { prefix, body })).to.equal('honest')
    })

    it('T23 an authentic header over a forged payload changes nothing, not even by a step', () => {
      const talk = new Talk('half')
      talk.roundTrip()
      talk.send('a', 'lost')
      const sealed = talk.send('a', 'true')
      const body = sealed.body.slice()
      body[2000] = body[2000]! ^ 1
      talk.refuses('b', { prefix: sealed.prefix, body })
      expect(talk.receive('b', sealed)).to.equal('true')
    })

    it('T11 own messages that come back are refused', () => {
      const talk = new Talk('reflect')
      talk.refuses('a', talk.send('a', 'mine'))
      talk.refuses('b', talk.send('b', 'mine too'))
      talk.roundTrip()
      talk.refuses('a', talk.send('a', 'again'))
    })

    it('refuse a second opening: same chain, older chain, skipped key', () => {
      const talk = new Talk('replay')
      const [one, two, three] = ['1', '2', '3'].map((text) => talk.send('a', text))
      talk.receive('b', three!)
      talk.refuses('b', three!)
      talk.receive('b', one!)
      talk.refuses('b', one!)
      talk.receive('a', talk.send('b', 'turn'))
      talk.receive('b', talk.send('a', 'next chain'))
      talk.receive('b', two!)
      for (const envelope of [one!, two!, three!]) talk.refuses('b', envelope)
    })

    it('do not open in another session of the same friends', () => {
      const talk = new Talk('one')
      const other = new Talk('two')
      other.refuses('b', talk.send('a', 'x'))
    })

    it('T13 wrong padding, wrong MAC and a wrong header end in one error', () => {
      const talk = new Talk('padding')
      const room = payloadRoom(4096) + 1
      const right = pad(utf8('text'), room)
      const errors = new Set<string>()
      const wrong = [
        right.with(4, 0x81),
        right.with(4, 0),
        right.with(room - 1, 1),
        right.with(1000, 0x40),
        new Uint8Array(room),
      ]
      for (const padded of wrong) {
        const envelope = craftEnvelope(talk.states.a, talk.random, {}, padded)
        talk.refuses('b', envelope)
        errors.add(messageOf(talk.states.b, envelope))
      }
      const good = craftEnvelope(talk.states.a, talk.random, {}, right)
      const tampered = { prefix: good.prefix, body: good.body.with(3000, good.body[3000]! ^ 1) }
      errors.add(messageOf(talk.states.b, tampered))
      errors.add(messageOf(talk.states.b, { prefix: good.prefix, body: good.body.with(30, good.body[30]! ^ 1) }))
      expect([...errors]).to.deep.equal(['ForgedError FORGED does not open'])
      expect(talk.receive('b', good)).to.equal('text')
    })

    it('T13 every byte of the padding is covered', () => {
      const talk = new Talk('covered')
      const sealed = talk.send('a', 'hi')
      for (let at = 1341 + 24 + 2; at < sealed.body.length; at += 97) {
        talk.refuses('b', { prefix: sealed.prefix, body: sealed.body.with(at, sealed.body[at]! ^ 1) })
      }
      expect(talk.receive('b', sealed)).to.equal('hi')
    })

    it('T19 a low-order or non-canonical ratchet key changes nothing', () => {
      const talk = new Talk('torsion')
      talk.roundTrip()
      // the next message of a's begins a chain, so its ratchet key is used
      for (const ratchetKey of badX25519Keys())
        talk.refuses('b', craftEnvelope(talk.states.a, talk.random, { ratchetKey }))
      expect(talk.receive('b', talk.send('a', 'good'))).to.equal('good')
    })

    it('refuse headers that contradict themselves or the chain', () => {
      const talk = new Talk('contradict')
      talk.receive('b', talk.send('a', '1'))
      const other = talk.random(32)
      const lies = [{ floor: 2 }, { ratchetKey: other }, { pqCount: 0 }, { pqCount: 2 }, { pqEpoch: 1 }, { count: 0 }]
      for (const lie of lies) talk.refuses('b', craftEnvelope(talk.states.a, talk.random, lie))
      talk.receive('a', talk.send('b', '2'))
      for (const lie of [{ previousCount: 0 }, { count: 1 }, { previousCount: 2 }]) {
        talk.refuses('b', craftEnvelope(talk.states.a, talk.random, lie))
      }
      expect(talk.receive('b', craftEnvelope(talk.states.a, talk.random))).to.equal('crafted')
    })
  })

  describe('messages that are missing', () => {
    it('come later, in any order, over several turns', () => {
      const talk = new Talk('late')
      const late: [SealedEnvelope, string][] = []
      for (let turn = 0; turn < MAX_SKIPPED_CHAINS - 1; turn++) {
        for (const n of [0, 1]) late.push([talk.send('a', `late ${turn} ${n}`), `late ${turn} ${n}`])
        talk.receive('b', talk.send('a', 'on time'))
        late.push([talk.send('a', `late ${turn} 2`), `late ${turn} 2`])
        talk.receive('a', talk.send('b', 'answer'))
      }
      talk.receive('b', talk.send('a', 'last'))
      expect(skippedCount(talk.states.b)).to.equal(late.length)
      for (const [envelope, text] of late.toReversed()) expect(talk.receive('b', envelope)).to.equal(text)
      expect(skippedCount(talk.states.b)).to.equal(0)
      expect(talk.states.b.skipped).to.deep.equal([])
    })

    it('are forgotten beyond five chains', () => {
      const talk = new Talk('chains')
      const lost: SealedEnvelope[] = []
      for (let turn = 0; turn < MAX_SKIPPED_CHAINS + 2; turn++) {
        lost.push(talk.send('a', `lost ${turn}`))
        talk.roundTrip()
      }
      expect(talk.states.b.skipped).to.have.length(MAX_SKIPPED_CHAINS)
      talk.refuses('b', lost[1]!)
      expect(talk.receive('b', lost[2]!)).to.equal('lost 2')
    })

    it('are forgotten after 31 days', () => {
      const talk = new Talk('old')
      const [one, two] = [talk.send('a', '1'), talk.send('a', '2')]
      talk.receive('b', talk.send('a', '3'))
      talk.now += 31 * DAY
      expect(talk.receive('b', one)).to.equal('1')
      talk.now += 1
      talk.receive('b', talk.send('a', '4'))
      talk.refuses('b', two)
      expect(skippedCount(talk.states.b)).to.equal(0)
    })

    it('below the floor are not stored, and what was stored below it is dropped', () => {
      const talk = new Talk('dead')
      const sent = Array.from({ length: 10 }, (_, n) => talk.send('a', `${n}`))
      talk.receive('b', sent[4]!)
      expect(skippedCount(talk.states.b)).to.equal(4)
      talk.receive('b', talk.send('a', 'floor 3', 3))
      // 3 and 5 to 9 may still come
      expect(skippedCount(talk.states.b)).to.equal(6)
      talk.refuses('b', sent[2]!)
      expect(talk.receive('b', sent[3]!)).to.equal('3')
      expect(talk.receive('b', sent[7]!)).to.equal('7')
      talk.send('a', 'lost')
      talk.receive('b', talk.send('a', 'all dead', 12))
      expect(skippedCount(talk.states.b)).to.equal(0)
      talk.refuses('b', sent[9]!)
    })

    it('of the previous chain are dead below the floor that was heard in it', () => {
      const talk = new Talk('dead before')
      const sent = Array.from({ length: 6 }, (_, n) => talk.send('a', `${n}`))
      talk.receive('b', talk.send('a', 'floor 4', 4))
      const rest = talk.send('a', 'rest', 4)
      talk.receive('a', talk.send('b', 'turn'))
      talk.receive('b', talk.send('a', 'new chain'))
      talk.refuses('b', sent[3]!)
      for (const [envelope, text] of [
        [sent[4]!, '4'],
        [sent[5]!, '5'],
        [rest, 'rest'],
      ] as const) {
        expect(talk.receive('b', envelope)).to.equal(text)
      }
    })
  })

  describe('T22 limits', () => {
    it('T22 n = 2^32-1 is refused without a key derived, none stored', () => {
      const talk = new Talk('huge')
      talk.receive('b', talk.send('a', 'first'))
      const top = 2 ** 32 - 1
      // deriving would take hours: that this test ends shows that nothing was
      for (const said of [
        { count: top, pqCount: top },
        { count: top, floor: top, pqCount: top },
        { count: top, floor: 0, pqCount: 1 },
      ]) {
        const before = encodeSession(talk.states.b)
        const envelope = craftEnvelope(talk.states.a, talk.random, said)
        expect(codeOf(() => openEnvelope(talk.states.b, { ...envelope, now: NOW }))).to.equal('TOO_FAR')
        expect(encodeSession(talk.states.b)).to.deep.equal(before)
      }
      talk.refuses('b', craftEnvelope(talk.states.a, talk.random, { pqCount: top }))
      talk.receive('a', talk.send('b', 'turn'))
      for (const said of [
        { previousCount: top, pqCount: top },
        { previousCount: 600, count: 600, pqCount: 1199 },
      ]) {
        const envelope = craftEnvelope(talk.states.a, talk.random, said)
        expect(codeOf(() => openEnvelope(talk.states.b, { ...envelope, now: NOW }))).to.equal('TOO_FAR')
      }
    })

    it('T22 a thousand may be missing at once, not one more', () => {
      const talk = new Talk('thousand')
      talk.receive('b', talk.send('a', 'first'))
      for (let n = 0; n < MAX_SKIPPED_AT_ONCE; n++) talk.send('a', 'lost')
      const fits = talk.send('a', 'fits')
      const far = talk.send('a', 'too far')
      expect(codeOf(() => openEnvelope(talk.states.b, { ...far, now: NOW }))).to.equal('TOO_FAR')
      expect(talk.receive('b', fits)).to.equal('fits')
      expect(skippedCount(talk.states.b)).to.equal(MAX_SKIPPED_AT_ONCE)
      expect(talk.receive('b', far)).to.equal('too far')
    })

    it('T22 two thousand are kept in all, the oldest leave first', () => {
      const talk = new Talk('two thousand')
      const sent: SealedEnvelope[] = []
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 900; n++) sent.push(talk.send('a', `${round} ${n}`))
        talk.receive('b', talk.send('a', 'seen'))
        if (round === 1) talk.receive('a', talk.send('b', 'turn'))
      }
      expect(skippedCount(talk.states.b)).to.equal(MAX_SKIPPED_KEYS)
      talk.refuses('b', sent[699]!)
      expect(talk.receive('b', sent[700]!)).to.equal('0 700')
      expect(talk.receive('b', sent[2699]!)).to.equal('2 899')
    })

    it('T22 a hundred thousand dead messages are stepped over, not one more', () => {
      const talk = new Talk('dead steps')
      talk.receive('b', talk.send('a', 'first'))
      const count = 1 + MAX_DEAD_STEPS
      const over = { count: count + 1, floor: count + 1, pqCount: count + 1 }
      const far = craftEnvelope(talk.states.a, talk.random, over)
      expect(codeOf(() => openEnvelope(talk.states.b, { ...far, now: NOW }))).to.equal('TOO_FAR')
      // within the limit the plan stands; walking it takes seconds
      const within = craftEnvelope(talk.states.a, talk.random, { count, floor: count, pqCount: count })
      const gaps = planGaps(talk.states.b.ec, locate(talk.states.b, within))
      expect(gaps?.[1]).to.deep.equal({ dead: MAX_DEAD_STEPS, kept: 0 })
      expect(talk.receive('b', talk.send('a', 'next'))).to.equal('next')
    })
  })

  describe('keys that are gone', () => {
    it('T25 the message key and a used skipped key are absent from the state', () => {
      const talk = new Talk('gone')
      const skipped = talk.send('a', 'skipped')
      const direct = talk.send('a', 'direct')
      for (const envelope of [direct, skipped]) {
        const before = talk.states.b
        const keys = keysOf(before, envelope)
        talk.receive('b', envelope)
        const after = toHex(encodeSession(talk.states.b))
        for (const key of keys) expect(after).to.not.include(toHex(key))
      }
      // the control: a key that was passed over does stand there
      const passed = new Talk('gone')
      const first = passed.send('a', 'skipped')
      passed.receive('b', passed.send('a', 'direct'))
      const [key] = keysOf(passed.states.b, first)
      expect(toHex(encodeSession(passed.states.b))).to.include(toHex(key!))
    })

    it('T25 the sender forgets its key too', () => {
      const talk = new Talk('sender')
      const sent = talk.send('a', 'x')
      const after = toHex(encodeSession(talk.states.a))
      for (const key of keysOf(talk.states.b, sent)) expect(after).to.not.include(toHex(key))
    })

    it('T25 the replaced state is overwritten, the new one is whole', () => {
      const talk = new Talk('wipe')
      talk.send('a', 'lost')
      talk.receive('b', talk.send('a', 'x'))
      const before = talk.states.b
      const oldChain = before.ec.receiving!.key
      const kept = before.skipped[0]!.keys[0]!.key.slice()
      talk.receive('b', talk.send('a', 'y'))
      const encoded = encodeSession(talk.states.b)
      wipeReplaced(before, talk.states.b)
      expect(oldChain.every((byte) => byte === 0)).to.equal(true)
      expect(encodeSession(talk.states.b)).to.deep.equal(encoded)
      expect(talk.states.b.skipped[0]!.keys[0]!.key).to.deep.equal(kept)
      expect(talk.receive('b', talk.send('a', 'z'))).to.equal('z')
      wipeReplaced(talk.states.b, undefined)
      expect(talk.states.b.ec.rootKey.every((byte) => byte === 0)).to.equal(true)
    })

    it('T30 a stolen state reads nothing more after a round trip', () => {
      for (const victim of ['a', 'b'] as const) {
        const friend = victim === 'a' ? 'b' : 'a'
        const talk = new Talk(`stolen ${victim}`)
        talk.roundTrip()
        talk.receive('b', talk.send('a', 'one more'))
        talk.receive('a', talk.send('b', 'each way'))
        talk.receive(friend, talk.send(victim, 'with a new pair'))
        let thief = talk.states[victim]
        // what comes before the victim's next pair is readable: the control
        const readable = talk.send(friend, 'readable')
        const stolen = openEnvelope(thief, { ...readable, now: NOW })
        expect(stolen.payload).to.deep.equal(utf8('readable'))
        thief = stolen.session
        talk.receive(victim, readable)
        talk.receive(friend, talk.send(victim, 'fresh pair'))
        for (let n = 0; n < 3; n++) {
          const sealed = talk.send(friend, 'healed')
          expect(() => openEnvelope(thief, { ...sealed, now: NOW })).to.throw(ForgedError)
          expect(talk.receive(victim, sealed)).to.equal('healed')
        }
      }
    })

    it('a stolen state reads nothing from before', () => {
      const talk = new Talk('before')
      const earlier = [talk.send('a', '1'), talk.send('a', '2')]
      for (const envelope of earlier) talk.receive('b', envelope)
      for (const envelope of earlier) talk.refuses('b', envelope)
      const { key: ecChain } = talk.states.b.ec.receiving!
      expect(toHex(ecChain)).to.not.equal(toHex(talk.states.b.pq.epochs[0]!.receiving!.key))
    })

    it('need both halves', () => {
      const talk = new Talk('halves')
      talk.roundTrip()
      const sealed = talk.send('a', 'x')
      const { b } = talk.states
      const noPq = {
        ...b,
        pq: { ...b.pq, epochs: [{ epoch: 0, receiving: { key: talk.random(32), count: 1 } }] },
      }
      const noEc = { ...b, ec: { ...b.ec, rootKey: talk.random(32) } }
      for (const thief of [noPq, noEc]) {
        expect(() => openEnvelope(thief, { ...sealed, now: NOW })).to.throw(ForgedError)
      }
      expect(talk.receive('b', sealed)).to.equal('x')
    })
  })

  it('binds the kind, the tag and the expiry', () => {
    const talk = new Talk('bound')
    const sealed = talk.send('a', 'x')
    expect(sealed.prefix[1]).to.equal(ENVELOPE_KIND.pairwise)
    talk.refuses('b', { prefix: sealed.prefix.with(1, ENVELOPE_KIND.group), body: sealed.body })
    talk.refuses('b', { prefix: sealed.prefix.with(19, sealed.prefix[19]! + 1), body: sealed.body })
  })
})

/** The message key and, unless it was passed over, both halves' keys, as the reader derives them. */
function keysOf(state: SessionState, envelope: Sealed): Uint8Array[] {
  const located = locate(state, envelope)
  const gaps = planGaps(state.ec, located)
  if (!gaps) return [takeSkipped(state.skipped, located.headerKey, located.header).key]
  const ec = takeReceivingKey(state.ec, located, gaps)
  const pq = takePqReceivingKey(state.pq, planPq(state.pq, located.header, gaps))
  const halves = [ec.key.slice(), pq.key.slice()]
  return [combineKeys(ec.key, pq.key), ...halves]
}

function messageOf(state: SessionState, envelope: Sealed): string {
  try {
    openEnvelope(state, { ...envelope, now: NOW })
    return 'opened'
  } catch (error) {
    return `${(error as KithError).name} ${(error as KithError).code} ${(error as KithError).message}`
  }
}
