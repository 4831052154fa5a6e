/** Two friends over a network that loses, reorders, repeats, reflects and tampers: what the session must do in every case. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { ForgedError } from '../../../node/errors.ts'
import { decodeSession, encodeSession } from '../../../node/session/session-codec.ts'
import { MAX_SKIPPED_CHAINS, type SessionState } from '../../../node/session/session-state.ts'
import { nextPosition, openEnvelope, type SealedEnvelope, sealEnvelope } from '../../../node/session/triple-ratchet.ts'
import { befriend, NOW, type Random, seededRandom } from '../../support/session-fixtures.ts'

type Side = 'a' | 'b'
type Step =
  | { do: 'send'; side: Side }
  | { do: 'deliver' | 'repeat' | 'reflect' | 'tamper' | 'lose'; pick: number }
  | { do: 'restart'; side: Side }

interface InFlight {
  from: Side
  envelope: SealedEnvelope
  text: string
}

const side = fc.constantFrom<Side>('a', 'b')
const pick = fc.nat(1000)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), side }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), side }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('repeat', 'reflect', 'tamper', 'lose'), pick }),
  },
)

const other = (from: Side): Side => (from === 'a' ? 'b' : 'a')
const base = befriend(seededRandom('property'))

class Model {
  readonly random: Random
  readonly states: Record<Side, SessionState> = { ...base }
  /** What may still arrive: the outbox, as far as floors go. */
  flying: InFlight[] = []
  readonly arrived: InFlight[] = []
  readonly lost: InFlight[] = []
  /** Highest chain of the sender's that the reader has opened something of. */
  readonly newest: Record<Side, number> = { a: 0, b: 0 }
  sent = 0
  trace: Uint8Array = new Uint8Array(32)

  constructor(seed: string) {
    this.random = seededRandom(seed)
  }

  run(one: Step): void {
    if (one.do === 'send') return this.send(one.side)
    if (one.do === 'restart') {
      this.states[one.side] = decodeSession(encodeSession(this.states[one.side]))
      return
    }
    if (one.do === 'repeat') return this.refuseOneOf(this.arrived, one.pick)
    const picked = this.flying[one.pick % Math.max(1, this.flying.length)]
    if (!picked) return
    if (one.do === 'deliver') return this.deliver(picked)
    if (one.do === 'reflect') return this.refuse(picked.from, picked.envelope)
    if (one.do === 'tamper') return this.tamper(picked, one.pick)
    this.flying = this.flying.filter((candidate) => candidate !== picked)
    this.lost.push(picked)
  }

  private send(from: Side): void {
    const { chain } = nextPosition(this.states[from])
    const alive = this.flying.filter((flight) => flight.from === from && flight.envelope.chain === chain)
    const text = `${from} says ${this.sent++}`
    const envelope = sealEnvelope(this.states[from], {
      random: this.random,
      now: NOW,
      payload: utf8(text),
      kind: 1,
      tag: this.random(16),
      tagCounter: this.sent,
      expiryDay: 20_800,
      floor: alive.length === 0 ? undefined : Math.min(...alive.map((flight) => flight.envelope.count)),
    })
    this.states[from] = envelope.session
    this.flying.push({ from, envelope, text })
    this.trace = sha256(this.trace, envelope.prefix, envelope.body)
  }

  private deliver(flight: InFlight): void {
    const to = other(flight.from)
    this.flying = this.flying.filter((candidate) => candidate !== flight)
    // keys of five chains are kept; what is older may be gone
    if (flight.envelope.chain <= this.newest[flight.from] - MAX_SKIPPED_CHAINS) {
      this.lost.push(flight)
      return
    }
    const before = encodeSession(this.states[to])
    const old = this.states[to]
    const opened = openEnvelope(old, { ...flight.envelope, now: NOW })
    expect(opened.payload).to.deep.equal(utf8(flight.text))
    expect(opened.header.serial).to.equal(flight.envelope.serial)
    expect(encodeSession(old)).to.deep.equal(before)
    this.states[to] = opened.session
    this.newest[flight.from] = Math.max(this.newest[flight.from], flight.envelope.chain)
    this.arrived.push(flight)
  }

  private refuseOneOf(flights: InFlight[], which: number): void {
    const flight = flights[which % Math.max(1, flights.length)]
    if (flight) this.refuse(other(flight.from), flight.envelope)
  }

  private tamper({ from, envelope }: InFlight, at: number): void {
    const body = envelope.body.slice()
    const place = (at * 997) % body.length
    body[place] = body[place]! ^ (1 << (at % 8))
    this.refuse(other(from), { ...envelope, body })
  }

  private refuse(to: Side, envelope: SealedEnvelope): void {
    const before = encodeSession(this.states[to])
    expect(() => openEnvelope(this.states[to], { ...envelope, now: NOW })).to.throw(ForgedError)
    expect(encodeSession(this.states[to])).to.deep.equal(before)
  }

  /** Everything that still may arrive does, newest first; then both sides still understand each other. */
  finish(): void {
    for (const flight of this.flying.toReversed()) this.deliver(flight)
    for (const from of ['a', 'b', 'a'] as const) {
      this.send(from)
      this.deliver(this.flying[0]!)
    }
    for (const flight of this.arrived) this.refuse(other(flight.from), flight.envelope)
    for (const person of ['a', 'b'] as const) {
      const kept = this.states[person].skipped.reduce((sum, { keys }) => sum + keys.length, 0)
      const missing = this.lost.filter((flight) => flight.from !== person).length
      expect(kept).to.be.at.most(missing)
    }
  }
}

describe('triple ratchet over a hostile network', () => {
  it('T11 T23 opens each message once, refuses all else, and changes nothing by refusing', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), fc.string(), (steps, seed) => {
        const model = new Model(seed)
        for (const one of steps) model.run(one)
        model.finish()
      }),
      { numRuns: 80 },
    )
  })

  it('does the same to the byte from the same seed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.string(), (steps, seed) => {
        const [one, two] = [new Model(seed), new Model(seed)]
        for (const model of [one, two]) for (const next of steps) model.run(next)
        expect(toHex(one.trace)).to.equal(toHex(two.trace))
        for (const person of ['a', 'b'] as const) {
          expect(encodeSession(one.states[person])).to.deep.equal(encodeSession(two.states[person]))
        }
      }),
      { numRuns: 25 },
    )
  })

  it('T23 never fails on random bytes with anything but the one error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 5000 }), (prefix, body) => {
        expect(() => openEnvelope(base.b, { prefix, body, now: NOW })).to.throw(ForgedError)
      }),
    )
  })
})
