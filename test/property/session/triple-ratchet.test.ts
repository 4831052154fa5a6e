/**
 * Two friends over a carrier that loses, reorders, repeats, reflects and forges: what the session must do in every case.
 * `KITH_PROPERTY_RUNS=2000` looks at so many cases of each, longer ones too.
 */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { toHex } from '../../../node/crypto/bytes.ts'
import { ForgedError } from '../../../node/errors.ts'
import { currentEpoch } from '../../../node/session/pq-ratchet.ts'
import { encodeSession } from '../../../node/session/session-codec.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import { openEnvelope } from '../../../node/session/triple-ratchet.ts'
import { HostileCarrier, type InFlight } from '../../support/hostile-carrier.ts'
import { other, type Side } from '../../support/ratchet-talk.ts'
import { befriend, DAY, NOW, seededRandom } from '../../support/session-fixtures.ts'

const RUNS = Number(process.env.KITH_PROPERTY_RUNS ?? 0)
const STEPS = RUNS > 0 ? 300 : 60

type Step =
  | { do: 'send' | 'restart'; side: Side }
  | { do: 'days'; days: number }
  | { do: 'deliver' | 'repeat' | 'reflect' | 'tamper' | 'lose'; pick: number }

const side = fc.constantFrom<Side>('a', 'b')
const pick = fc.nat(1000)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), side }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), pick }) },
  // epochs turn by days, so that short runs see many
  { weight: 3, arbitrary: fc.record({ do: fc.constant('days' as const), days: fc.constantFrom(0.5, 1, 1, 9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), side }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('repeat', 'reflect', 'tamper', 'lose'), pick }) },
)
const steps = fc.array(step, { minLength: 5, maxLength: STEPS, size: 'max' })

function run(carrier: HostileCarrier, one: Step): void {
  if ('side' in one) carrier[one.do](one.side)
  else if ('days' in one) carrier.now += one.days * DAY
  else if (one.do === 'repeat') {
    const flight = chosen(carrier.arrived, one.pick)
    if (flight) carrier.refuse(other(flight.from), flight.envelope)
  } else {
    const flight = chosen(carrier.flying, one.pick)
    if (!flight) return
    if (one.do === 'deliver') carrier.deliver(flight)
    else if (one.do === 'reflect') carrier.refuse(flight.from, flight.envelope)
    else if (one.do === 'tamper') carrier.tamper(flight, one.pick)
    else carrier.lose(flight)
  }
}

function chosen(flights: InFlight[], which: number): InFlight | undefined {
  return flights[which % Math.max(1, flights.length)]
}

/** Both write until two epochs have turned after the present one. */
function turnTwice(carrier: HostileCarrier): void {
  const epochs = (): number => Math.min(...(['a', 'b'] as const).map((one) => carrier.states[one].pq.theirEpoch))
  const goal = Math.max(currentEpoch(carrier.states.a.pq), currentEpoch(carrier.states.b.pq)) + 2
  for (let turn = 0; epochs() < goal; turn++) {
    expect(turn, 'the epochs turn').to.be.below(20)
    carrier.now += DAY
    for (const from of ['a', 'b'] as const) carrier.deliver(carrier.send(from))
  }
}

describe('triple ratchet over a hostile carrier', () => {
  it('T11 T23 opens each message once, refuses all else, changes nothing by refusing, and keeps its bounds', () => {
    fc.assert(
      fc.property(steps, fc.string(), (all, seed) => {
        const carrier = new HostileCarrier(seed)
        for (const one of all) run(carrier, one)
        carrier.finish()
      }),
      { numRuns: RUNS || 40 },
    )
  })

  it('T25 T30 a state that is stolen at any time opens nothing of before, and nothing after both halves have turned', () => {
    fc.assert(
      fc.property(steps, side, fc.nat(), fc.string(), (all, victim, at, seed) => {
        const carrier = new HostileCarrier(seed)
        const theft = at % all.length
        for (const one of all.slice(0, theft)) run(carrier, one)
        const stolen = carrier.states[victim]
        const before = carrier.arrived.filter(({ from }) => from !== victim)
        for (const one of all.slice(theft)) run(carrier, one)
        carrier.finish()
        turnTwice(carrier)
        const healed = carrier.send(other(victim))
        for (const { envelope } of before) expect(reads(stolen, envelope, carrier.now)).to.equal(false)
        expect(reads(stolen, healed.envelope, carrier.now)).to.equal(false)
        // with the classical half of today in hand, and only the post-quantum one stolen
        const withoutX25519 = { ...carrier.states[victim], pq: stolen.pq, skipped: stolen.skipped }
        expect(reads(withoutX25519, healed.envelope, carrier.now)).to.equal(false)
        carrier.deliver(healed)
      }),
      { numRuns: RUNS || 15 },
    )
  })

  it('does the same to the byte from the same seed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.string(), (all, seed) => {
        const [one, two] = [new HostileCarrier(seed), new HostileCarrier(seed)]
        for (const carrier of [one, two]) for (const next of all) run(carrier, next)
        expect(toHex(one.trace)).to.equal(toHex(two.trace))
        for (const person of ['a', 'b'] as const) {
          expect(encodeSession(one.states[person])).to.deep.equal(encodeSession(two.states[person]))
        }
      }),
      { numRuns: RUNS || 15 },
    )
  })

  it('T23 never fails on random bytes with anything but the one error', () => {
    const { b } = befriend(seededRandom('property'))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 5000 }), (prefix, body) => {
        expect(() => openEnvelope(b, { prefix, body, now: NOW })).to.throw(ForgedError)
      }),
    )
  })

  it('turns its epochs through a carrier that loses much, and loses no message that it brings', () => {
    for (const { loss, messages } of [
      { loss: 0.15, messages: RUNS > 0 ? 20_000 : 500 },
      { loss: 0.5, messages: RUNS > 0 ? 20_000 : 300 },
    ]) {
      const carrier = new HostileCarrier(`loss ${loss}`)
      const chance = (): number => carrier.random(4).reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 32
      for (let n = 0; n < messages; n++) {
        const sent = carrier.send(chance() < 0.5 ? 'a' : 'b')
        if (chance() < loss) carrier.lose(sent)
        // about one in three waits for later ones
        while (carrier.flying.length > 0 && chance() < 0.7)
          carrier.deliver(chosen(carrier.flying, Math.floor(chance() * 5))!)
        if (carrier.arrived.length > 0 && chance() < 0.05) {
          const again = carrier.arrived.at(-1)!
          carrier.refuse(other(again.from), again.envelope)
        }
      }
      const held = currentEpoch(carrier.states.a.pq)
      expect(held, `epochs at a loss of ${loss}`).to.be.at.least(Math.floor(messages / 200))
      expect(carrier.highestLag).to.be.at.most(2)
      carrier.finish()
    }
  })
})

function reads(thief: SessionState, envelope: { prefix: Uint8Array; body: Uint8Array }, now: number): boolean {
  try {
    openEnvelope(thief, { ...envelope, now })
    return true
  } catch (error) {
    expect(error).to.be.instanceOf(ForgedError)
    return false
  }
}
