import { expect } from 'chai'
import { equal, toHex } from '../../../node/crypto/bytes.ts'
import { kemKeyPair } from '../../../node/crypto/kem.ts'
import { ForgedError } from '../../../node/errors.ts'
import { KEPT_PQ_EPOCHS, PQ_EPOCH_MESSAGES, PQ_EPOCH_SECONDS } from '../../../node/limits.ts'
import { turnPq } from '../../../node/session/pq-pieces.ts'
import { enterEpoch } from '../../../node/session/pq-ratchet.ts'
import { encodeSession } from '../../../node/session/session-codec.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import { openEnvelope, type SealedEnvelope } from '../../../node/session/triple-ratchet.ts'
import { type HeaderPiece, PIECE_TYPE } from '../../../node/wire/header.ts'
import { other, type Side, skippedCount, Talk } from '../../support/ratchet-talk.ts'
import { craftEnvelope, DAY } from '../../support/session-fixtures.ts'

/** Everything that is a secret of an epoch in a state: chains, root, MAC key, seed. */
function secretsOf({ pq }: SessionState): Uint8Array[] {
  const chains = pq.epochs.flatMap(({ sending, receiving }) => [sending?.key, receiving?.key])
  return [...chains, pq.rootKey, pq.macKey, pq.outgoing?.seed].filter((key) => key !== undefined)
}

/** A talk in which `a` has just offered its key for epoch 1, and the envelope that holds it. */
function offering(seed: string): { talk: Talk; offer: SealedEnvelope; piece: HeaderPiece } {
  const talk = new Talk(seed)
  talk.roundTrip()
  talk.now += DAY
  const offer = talk.send('a', 'offer')
  return { talk, offer, piece: talk.header('b', offer).piece! }
}

/** `a` sends what its session would, but with another piece; `a` has used up the key. */
function sendWithPiece(talk: Talk, from: Side, piece: HeaderPiece): { prefix: Uint8Array; body: Uint8Array } {
  const crafted = craftEnvelope(talk.states[from], talk.random, { piece })
  talk.send(from, 'in the place of the crafted one')
  return crafted
}

describe('post-quantum epochs', () => {
  describe('turn', () => {
    it('by turns: A makes the keys of odd epochs, B those of even ones', () => {
      const talk = new Talk('by turns')
      for (let epoch = 1; epoch <= 5; epoch++) {
        const maker = epoch % 2 === 1 ? 'a' : 'b'
        while (talk.epoch('a') < epoch || talk.epoch('b') < epoch) {
          talk.now += PQ_EPOCH_SECONDS / 4
          for (const from of ['a', 'b'] as const) {
            const envelope = talk.send(from, 'x')
            const { piece } = talk.header(other(from), envelope)
            if (piece?.epoch === epoch) {
              expect(piece.type).to.equal(from === maker ? PIECE_TYPE.encapsulationKey : PIECE_TYPE.ciphertext)
            }
            talk.receive(other(from), envelope)
          }
        }
      }
      expect([talk.epoch('a'), talk.epoch('b')]).to.deep.equal([5, 5])
    })

    it(`after ${PQ_EPOCH_MESSAGES} messages, sealed and opened together`, () => {
      const talk = new Talk('64')
      for (let n = 0; n < PQ_EPOCH_MESSAGES / 2; n++) {
        expect(talk.states.a.pq.outgoing).to.equal(undefined)
        talk.roundTrip()
      }
      const offer = talk.send('a', 'the 65th')
      expect(talk.header('b', offer).piece?.epoch).to.equal(1)
    })

    it('after a day, however little is said, and not before the first message', () => {
      const talk = new Talk('day')
      talk.now += 30 * DAY
      talk.roundTrip()
      talk.now += PQ_EPOCH_SECONDS - 1
      expect(talk.header('b', talk.send('a', 'a second early')).piece).to.equal(undefined)
      talk.now += 1
      expect(talk.header('b', talk.send('a', 'a day later')).piece?.epoch).to.equal(1)
    })

    it('in the clear order: offered, answered, shown, used', () => {
      const { talk, offer } = offering('order')
      expect(talk.open('b', offer).header).to.include({ pqEpoch: 0, highestPqEpoch: 0 })
      // what is offered is answered by the next message only: until then the state holds no secret of it
      expect(talk.epoch('b')).to.equal(0)
      const answer = talk.send('b', 'answer')
      expect(talk.epoch('b')).to.equal(1)
      expect(talk.open('a', answer).header).to.include({ pqEpoch: 0, highestPqEpoch: 1 })
      expect(talk.epoch('a')).to.equal(1)
      // b does not send in the epoch before a has shown to hold it
      expect(talk.open('a', talk.send('b', 'too early')).header.pqEpoch).to.equal(0)
      expect(talk.open('b', talk.send('a', 'shown')).header).to.include({ pqEpoch: 1, pqCount: 0, highestPqEpoch: 1 })
      const used = talk.send('b', 'used')
      expect(talk.header('a', used)).to.include({ pqEpoch: 1, pqCount: 0, piece: undefined })
      expect(talk.receive('a', used)).to.equal('used')
    })

    it('both sides end with the same keys', () => {
      const talk = new Talk('same')
      talk.turnTo(4)
      const { a, b } = talk.states
      expect(a.pq.rootKey).to.deep.equal(b.pq.rootKey)
      expect(a.pq.macKey).to.deep.equal(b.pq.macKey)
      expect(a.pq.epochs.at(-1)!.sending).to.deep.equal(b.pq.epochs.at(-1)!.receiving)
      expect(b.pq.epochs.at(-1)!.sending).to.deep.equal(a.pq.epochs.at(-1)!.receiving)
    })

    it('not with a friend whose node stays at epoch 0, and talk goes on', () => {
      const talk = new Talk('older friend')
      talk.now += 2 * DAY
      for (let n = 0; n < 70; n++) {
        talk.say('a', 'there')
        // an older node ignores pieces
        const { offered: _offered, ...pq } = talk.states.b.pq
        talk.states.b = { ...talk.states.b, pq: { ...pq, heard: [] } }
        talk.say('b', 'and back')
      }
      expect([talk.epoch('a'), talk.epoch('b')]).to.deep.equal([0, 0])
      // after its update it answers the key that it has been offered all the time
      talk.roundTrip()
      talk.roundTrip()
      expect([talk.epoch('a'), talk.epoch('b')]).to.deep.equal([1, 1])
    })
  })

  describe('pieces', () => {
    it('are repeated byte for byte until the reader shows that it has them', () => {
      const { talk, offer, piece } = offering('repeated')
      for (let n = 0; n < 3; n++) expect(talk.header('b', talk.send('a', 'lost')).piece).to.deep.equal(piece)
      talk.receive('b', offer)
      const first = talk.send('b', 'lost')
      const answer = talk.header('a', first).piece!
      expect(answer.type).to.equal(PIECE_TYPE.ciphertext)
      // a goes on offering: nothing of the answer came
      expect(talk.header('b', talk.send('a', 'again')).piece).to.deep.equal(piece)
      const second = talk.send('b', 'comes')
      expect(talk.header('a', second).piece).to.deep.equal(answer)
      talk.receive('a', second)
      expect(talk.header('a', talk.send('b', 'not shown yet')).piece).to.deep.equal(answer)
      const shown = talk.send('a', 'shown')
      expect(talk.header('b', shown).piece).to.equal(undefined)
      talk.receive('b', shown)
      expect(talk.header('a', talk.send('b', 'seen')).piece).to.equal(undefined)
      // late ones change nothing
      const { pq } = talk.states.a
      expect(talk.open('a', first).alarm).to.equal(false)
      expect(talk.states.a.pq.epochs).to.deep.equal(pq.epochs)
    })

    it('come through loss and disorder', () => {
      const { talk, offer } = offering('disorder')
      const later = talk.send('a', 'later')
      talk.receive('b', later)
      talk.receive('b', offer)
      const answers = [1, 2, 3].map(() => talk.send('b', 'answer'))
      talk.receive('a', answers[2]!)
      const shown = talk.send('a', 'shown')
      for (const answer of [answers[0]!, answers[1]!]) talk.receive('a', answer)
      talk.receive('b', shown)
      talk.roundTrip()
      expect([talk.epoch('a'), talk.epoch('b')]).to.deep.equal([1, 1])
      expect(talk.states.a.pq.epochs).to.have.length(1)
      expect(talk.states.b.pq.epochs).to.have.length(1)
    })

    it('T3 another key for the same epoch is an alarm, told once; the first one counts, and the message opens', () => {
      const { talk, offer } = offering('two keys')
      // the home of a was copied before it made the offer
      const copy = new Talk('two keys')
      copy.roundTrip()
      copy.now = talk.now
      copy.random(7)
      talk.receive('b', offer)
      const second = copy.send('a', 'from the copy')
      expect(talk.header('b', second).piece!.epoch).to.equal(1)
      talk.send('a', 'used up')
      const crafted = sendWithPiece(talk, 'a', copy.states.a.pq.outgoing!)
      const opened = talk.open('b', crafted)
      expect(opened.alarm).to.equal(true)
      expect(new TextDecoder().decode(opened.payload)).to.equal('crafted')
      expect(talk.open('b', sendWithPiece(talk, 'a', copy.states.a.pq.outgoing!)).alarm).to.equal(false)
      // the answer is to the first key
      talk.receive('a', talk.send('b', 'answer'))
      expect(talk.epoch('a')).to.equal(1)
      expect(talk.states.a.pq.rootKey).to.deep.equal(talk.states.b.pq.rootKey)
      // and a copy that has made another one does not take it for its own
      const strange = copy.open('a', craftEnvelope(copy.states.b, copy.random, { piece: talk.states.b.pq.outgoing }))
      expect(strange.alarm).to.equal(true)
      expect(copy.epoch('a')).to.equal(0)
    })

    it('T3 another ciphertext for the same epoch is an alarm', () => {
      const { talk, offer } = offering('two answers')
      talk.receive('b', offer)
      const { pq } = talk.states.b
      talk.receive('a', talk.send('b', 'answer'))
      const second = turnPq(pq, 'B', talk.random, talk.now).outgoing!
      expect(second.epoch).to.equal(1)
      const { rootKey } = talk.states.a.pq
      expect(talk.open('a', sendWithPiece(talk, 'b', second)).alarm).to.equal(true)
      expect(talk.states.a.pq.rootKey).to.deep.equal(rootKey)
      talk.turnTo(3)
    })

    it('T8 pass for no other type, epoch or session', () => {
      const { talk, offer, piece } = offering('cross')
      const stranger = offering('stranger').piece
      const wrong: [string, HeaderPiece][] = [
        ['flipped MAC', { ...piece, mac: piece.mac.with(0, piece.mac[0]! ^ 1) }],
        ['flipped key', { ...piece, bytes: piece.bytes.with(9, piece.bytes[9]! ^ 1) }],
        ['other session', stranger],
        ['epoch 0', { ...piece, epoch: 0 }],
        ['epoch 2', { ...piece, epoch: 2 }],
        ['epoch 2^32-1', { ...piece, epoch: 2 ** 32 - 1 }],
        ['ciphertext', { ...piece, type: PIECE_TYPE.ciphertext, bytes: piece.bytes.subarray(0, 1088) }],
        ['not canonical', { ...piece, bytes: piece.bytes.with(0, 0xff).with(1, 0xff) }],
      ]
      for (const [name, bad] of wrong) {
        const before = talk.states.b
        const opened = openEnvelope(before, {
          ...craftEnvelope(talk.states.a, talk.random, { piece: bad }),
          now: talk.now,
        })
        expect(opened.alarm, name).to.equal(true)
        expect(opened.session.pq.offered, name).to.equal(undefined)
        expect(opened.session.pq.heard, name).to.deep.equal([])
      }
      expect(talk.open('b', offer).alarm).to.equal(false)
      expect(talk.states.b.pq.offered).to.deep.equal(piece.bytes)
      // a ciphertext that was made for another key: ML-KEM decapsulates it to something, the MAC tells
      const answer = offering('another answer')
      answer.talk.receive('b', answer.offer)
      answer.talk.send('b', 'answer')
      const foreign = answer.talk.states.b.pq.outgoing!
      const opened = openEnvelope(talk.states.a, {
        ...craftEnvelope(talk.states.b, talk.random, { piece: foreign, highestPqEpoch: 1 }),
        now: talk.now,
      })
      expect(opened.alarm).to.equal(true)
      expect(opened.session.pq).to.deep.include({ rootKey: talk.states.a.pq.rootKey, theirEpoch: 0 })
    })

    it('of somebody who makes the keys out of turn are alarms', () => {
      const talk = new Talk('out of turn')
      talk.roundTrip()
      const bytes = kemKeyPair(talk.random(64)).public
      const piece = { type: PIECE_TYPE.encapsulationKey, epoch: 1, bytes, mac: talk.random(32) }
      expect(talk.open('a', sendWithPiece(talk, 'b', piece)).alarm).to.equal(true)
      expect(talk.states.a.pq.offered).to.equal(undefined)
    })
  })

  describe('places', () => {
    it('that do not follow are refused, whatever they claim', () => {
      const talk = new Talk('places')
      talk.turnTo(2)
      talk.say('a', 'one')
      const next = talk.states.a.pq.epochs.at(-1)!.sending!.count
      const lies = [
        { pqEpoch: 0 },
        { pqEpoch: 1 },
        { pqEpoch: 3, highestPqEpoch: 3, pqCount: 0 },
        { pqEpoch: 2, highestPqEpoch: 1 },
        { pqCount: next - 1 },
        { pqCount: next + 1 },
        { pqCount: 2 ** 32 - 1 },
      ]
      for (const lie of lies) talk.refuses('b', craftEnvelope(talk.states.a, talk.random, lie))
      expect(talk.receive('b', craftEnvelope(talk.states.a, talk.random))).to.equal('crafted')
    })

    it('T22 what lies in an epoch that was not begun yet is bounded by the classical counts', () => {
      const { talk, offer } = offering('bounded')
      talk.receive('b', offer)
      talk.receive('a', talk.send('b', 'answer'))
      // a may now write in epoch 1; b has nothing of it yet
      for (const pqCount of [1, 1000, 2 ** 32 - 1]) {
        talk.refuses('b', craftEnvelope(talk.states.a, talk.random, { pqCount }))
      }
      expect(talk.receive('b', craftEnvelope(talk.states.a, talk.random, { pqCount: 0 }))).to.equal('crafted')
    })

    it('a late message must name the place that its key has', () => {
      const { talk } = offering('late place')
      const late = talk.states.a
      talk.send('a', 'late')
      talk.say('a', 'on time')
      for (const lie of [{ pqCount: 0 }, { pqEpoch: 1, highestPqEpoch: 1 }]) {
        talk.refuses('b', craftEnvelope(late, talk.random, lie))
      }
      expect(talk.receive('b', craftEnvelope(late, talk.random))).to.equal('crafted')
    })

    it('a friend who claims epochs that nobody has is believed no more than can be', () => {
      const talk = new Talk('claims')
      talk.roundTrip()
      talk.receive('b', craftEnvelope(talk.states.a, talk.random, { highestPqEpoch: 2 ** 32 - 1 }))
      expect(talk.states.b.pq.theirEpoch).to.equal(0)
    })
  })

  describe('late mail', () => {
    it('opens when the epochs and the chains have turned meanwhile', () => {
      const talk = new Talk('late')
      const late: [SealedEnvelope, string][] = []
      const keep = (text: string): void => void late.push([talk.send('a', text), text])
      keep('of epoch 0')
      for (let epoch = 1; epoch < 3; epoch++) {
        talk.turnTo(epoch)
        keep(`of epoch ${epoch}`)
        talk.say('a', 'on time')
      }
      talk.roundTrip()
      expect(skippedCount(talk.states.b)).to.equal(late.length)
      for (const [envelope, text] of late.toReversed()) expect(talk.receive('b', envelope)).to.equal(text)
      expect(skippedCount(talk.states.b)).to.equal(0)
    })

    it('that lies on both sides of a turn, in one chain, opens', () => {
      const { talk, offer } = offering('both sides')
      talk.receive('b', offer)
      const before = [1, 2].map((n) => talk.send('a', `before ${n}`))
      const answer = talk.send('b', 'answer')
      // b's answer begins no new chain of a's before a has opened it
      talk.receive('a', answer)
      const after = [1, 2, 3].map((n) => talk.send('a', `after ${n}`))
      expect(talk.receive('b', after[1]!)).to.equal('after 2')
      expect(talk.states.b.pq.epochs.map(({ epoch }) => epoch)).to.deep.equal([1])
      for (const [envelope, text] of [
        [before[1]!, 'before 2'],
        [after[0]!, 'after 1'],
        [after[2]!, 'after 3'],
        [before[0]!, 'before 1'],
      ] as const) {
        expect(talk.receive('b', envelope)).to.equal(text)
      }
    })

    it('is dead or alive on each side of a turn within one chain, as the floor says', () => {
      for (const floor of [0, 1, 2, 3]) {
        const talk = new Talk(`floor ${floor}`)
        talk.roundTrip()
        talk.say('a', 'known chain')
        talk.now += DAY
        const early = talk.send('b', 'before the offer')
        talk.say('a', 'offer')
        const answer = talk.send('b', 'answer, in the chain of before')
        talk.receive('a', early)
        const missing = [talk.send('a', '0'), talk.send('a', '1')]
        talk.receive('a', answer)
        missing.push(talk.send('a', '2'), talk.send('a', '3'))
        const seen = talk.send('a', 'seen', floor)
        expect(talk.header('b', seen)).to.include({ count: 4, pqEpoch: 1, pqCount: 2 })
        talk.receive('b', seen)
        expect(skippedCount(talk.states.b)).to.equal(4 - floor)
        for (const [count, envelope] of missing.entries()) {
          if (count < floor) talk.refuses('b', envelope)
          else expect(talk.receive('b', envelope)).to.equal(String(count))
        }
        expect(talk.states.b.skipped).to.deep.equal([])
      }
    })

    it(`is gone when its epoch is older than ${KEPT_PQ_EPOCHS - 1} others`, () => {
      const talk = new Talk('gone')
      const late = talk.send('a', 'late')
      talk.say('a', 'on time')
      const [chain] = talk.states.b.skipped
      const key = toHex(chain!.keys[0]!.key)
      talk.turnTo(KEPT_PQ_EPOCHS - 1)
      expect(openEnvelope(talk.states.b, { ...late, now: talk.now }).session.skipped).to.deep.equal([])
      talk.turnTo(KEPT_PQ_EPOCHS)
      expect(toHex(encodeSession(talk.states.b))).to.not.include(key)
      talk.refuses('b', late)
    })
  })

  describe('keys that are gone', () => {
    it('T25 nothing of an older epoch is left in a state, nor in the memory behind it', () => {
      const talk = new Talk('destroyed')
      const seen: Record<Side, Uint8Array[]>[] = []
      for (let epoch = 1; epoch <= 4; epoch++) {
        talk.turnTo(epoch)
        talk.roundTrip()
        const now = { a: secretsOf(talk.states.a), b: secretsOf(talk.states.b) }
        for (const past of seen) {
          for (const side of ['a', 'b'] as const) {
            const memory = memoryOf(talk.states[side])
            for (const key of past[side]) expect(memory.includes(toHex(key)), `epoch ${epoch}`).to.equal(false)
          }
        }
        // the control: what is held is found
        expect(memoryOf(talk.states.a)).to.include(toHex(now.a[0]!))
        seen.push({ a: now.a.map((key) => key.slice()), b: now.b.map((key) => key.slice()) })
      }
    })

    it('T25 the seed of a key goes with its ciphertext', () => {
      const { talk, offer } = offering('seed')
      const seed = toHex(talk.states.a.pq.outgoing!.seed!)
      talk.receive('b', offer)
      talk.receive('a', talk.send('b', 'answer'))
      expect(talk.states.a.pq.outgoing).to.equal(undefined)
      expect(memoryOf(talk.states.a)).to.not.include(seed)
    })

    it('T30 a stolen post-quantum half reads nothing more after two epochs, though every classical secret is known', () => {
      for (const victim of ['a', 'b'] as const) {
        for (const stolenAt of [1, 2]) {
          const talk = new Talk(`stolen ${victim} ${stolenAt}`)
          talk.turnTo(stolenAt)
          let stolen = talk.states[victim].pq
          // a quantum computer gives the thief the classical half of today, whenever that is
          const follow = (envelope: SealedEnvelope): boolean => {
            try {
              const state = { ...talk.states[victim], pq: stolen, skipped: [] }
              stolen = openEnvelope(state, { ...envelope, now: talk.now }).session.pq
              return true
            } catch (error) {
              expect(error).to.be.instanceOf(ForgedError)
              return false
            }
          }
          const control = talk.send(other(victim), 'readable')
          expect(follow(control)).to.equal(true)
          talk.receive(victim, control)
          const goal = stolenAt + 2
          while (talk.epoch('a') < goal || talk.epoch('b') < goal || talk.states[other(victim)].pq.theirEpoch < goal) {
            talk.now += DAY
            for (let n = 0; n < 2; n++) {
              const envelope = talk.send(other(victim), 'x')
              follow(envelope)
              talk.receive(victim, envelope)
              talk.say(victim, 'y')
            }
          }
          const healed = talk.send(other(victim), 'healed')
          expect(follow(healed), `${victim} ${stolenAt}`).to.equal(false)
          expect(talk.receive(victim, healed)).to.equal('healed')
        }
      }
    })

    it('T30 who has the root of an epoch, and not the secret of the KEM, enters another one', () => {
      for (const [side, role] of [
        ['a', 'A'],
        ['b', 'B'],
      ] as const) {
        const talk = new Talk(`guessed ${side}`)
        talk.turnTo(1)
        const { pq } = talk.states[side]
        const stolen = { ...pq, rootKey: pq.rootKey.slice() }
        const guessed = enterEpoch(stolen, new Uint8Array(32), role, talk.now)
        talk.turnTo(2)
        expect(equal(guessed.rootKey, talk.states[side].pq.rootKey), side).to.equal(false)
        expect(equal(guessed.macKey, talk.states[side].pq.macKey), side).to.equal(false)
      }
    })

    it('T30 a stolen classical half alone reads nothing either', () => {
      const talk = new Talk('classical')
      talk.turnTo(1)
      const zero = new Uint8Array(32)
      const epochs = talk.states.b.pq.epochs.map((one) => ({
        ...one,
        receiving: { key: zero, count: one.receiving!.count },
      }))
      const envelope = talk.send('a', 'x')
      const thief = { ...talk.states.b, pq: { ...talk.states.b.pq, epochs } }
      expect(() => openEnvelope(thief, { ...envelope, now: talk.now })).to.throw(ForgedError)
      expect(talk.receive('b', envelope)).to.equal('x')
    })
  })

  it('repeat to the byte from one seed', () => {
    const [one, two] = ['same', 'same'].map((seed) => {
      const talk = new Talk(seed)
      talk.turnTo(2)
      return talk
    })
    expect(equal(encodeSession(one!.states.a), encodeSession(two!.states.a))).to.equal(true)
    expect(equal(encodeSession(one!.states.b), encodeSession(two!.states.b))).to.equal(true)
  })
})

/** All bytes that a state holds on to: those behind its views too. */
function memoryOf(value: unknown): string {
  if (value instanceof Uint8Array) return toHex(new Uint8Array(value.buffer))
  if (typeof value !== 'object' || value === null) return ''
  return Object.values(value)
    .map((part) => memoryOf(part))
    .join(' ')
}
