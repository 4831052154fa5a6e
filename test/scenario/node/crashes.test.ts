/**
 * Crashes at every call of Store and Network (T24): before and after it, at the sender and at the reader, from the first
 * word to the last receipt and all through a friend request. Nothing that was reported is lost, nothing is shown twice, no
 * message key seals two payloads. The same at a relay, through PUT, ACK and RELEASE: what it signed for is not lost. One call
 * in three is tried (of the relay's one in seven), each side of each beginning elsewhere; with `KITH_SEEDS` set, all.
 */
import { expect } from 'chai'
import { MINUTE, SECOND } from '../../simulation/engine.ts'
import type { CrashSide } from '../../simulation/incarnation.ts'
import type { Person, Relay } from '../../simulation/people.ts'
import {
  createVillage,
  expectForwardStates,
  expectKeysUsedOnce,
  expectWholeLog,
  eventsOf,
  eventually,
  expectWholeTalk,
  meet,
  sayOnce,
  type Sent,
  untilRest,
  type Village,
} from './village.ts'

async function has(person: Person, who: Person, text: string): Promise<boolean> {
  return (await person.it.history({ who: who.name, limit: 1000 })).some((entry) => entry.text === text)
}

/** Two texts there, an answer back, until all are at rest. */
async function talk(village: Village): Promise<Sent[]> {
  const { alice, bob } = village
  const sent = [await sayOnce(village, alice, bob, 'one'), await sayOnce(village, alice, bob, 'two')]
  await eventually(village, () => has(bob, alice, 'two'))
  sent.push(await sayOnce(village, bob, alice, 'three'))
  await eventually(village, () => has(alice, bob, 'three'))
  await untilRest(village)
  return sent
}

async function expectSound(village: Village, sent: Sent[]): Promise<void> {
  const { alice, bob } = village
  await expectWholeTalk(village, sent)
  for (const [one, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    await expectKeysUsedOnce(village, one, other)
    await expectWholeLog(village, one)
    expectForwardStates(await eventsOf(one))
    const friends = (await eventsOf(one)).filter(({ event }) => event === 'friend')
    expect(friends, `${one.name} made friends`).to.have.lengthOf(1)
  }
}

const STRIDE = process.env['KITH_SEEDS'] === undefined ? 3 : 1

const POINTS: readonly (readonly [who: 'alice' | 'bob', side: CrashSide])[] = [
  ['alice', 'before'],
  ['alice', 'after'],
  ['bob', 'before'],
  ['bob', 'after'],
]

/** The calls of a person while a story runs without a crash. */
async function callsOf(
  seed: number,
  friends: boolean,
  story: (village: Village) => Promise<unknown>,
): Promise<Record<'alice' | 'bob', [number, number]>> {
  const village = await createVillage(seed, { friends })
  const { alice, bob } = village
  const before = [alice.calls, bob.calls] as const
  await story(village)
  return { alice: [before[0] + 1, alice.calls], bob: [before[1] + 1, bob.calls] }
}

/** Two texts lie at the relay while their reader is away; they are read, answered, and the friendship ends. */
async function keep(village: Village): Promise<{ sent: Sent[]; claims: number }> {
  const { world, alice, bob, relays } = village
  const [relay] = relays as [Relay]
  world.crash('bob')
  const sent = [await sayOnce(village, alice, bob, 'one'), await sayOnce(village, alice, bob, 'two')]
  await world.eventually(async () => {
    reviveRelay(village)
    const states = (await alice.it.history({ who: 'bob', limit: 9 })).map(({ state }) => state)
    return states.join() === 'custody,custody'
  })
  await world.restart('bob')
  await world.eventually(async () => {
    reviveRelay(village)
    return (await has(bob, alice, 'one')) && (await has(bob, alice, 'two'))
  })
  sent.push(await sayOnce(village, bob, alice, 'three'))
  await world.eventually(async () => {
    reviveRelay(village)
    const counts = [(await alice.it.status()).unacknowledged, (await bob.it.status()).unacknowledged]
    return (await has(alice, bob, 'three')) && counts.join() === '0,0'
  })
  await expectWholeTalk(village, sent)
  await alice.do((it) => it.unfriend('bob'))
  await bob.do((it) => it.unfriend('alice'))
  await world.pass(2 * MINUTE)
  reviveRelay(village)
  await world.pass(10 * MINUTE)
  const { claims } = await relay.do((it) => it.relayCounters())
  return { sent, claims }
}

function reviveRelay({ world, relays }: Village): void {
  for (const { isUp, name } of relays) if (!isUp) world.revive(name)
}

const RELAY_STRIDE = process.env['KITH_SEEDS'] === undefined ? 7 : 1

describe('crashes', () => {
  for (const side of ['before', 'after'] as const) {
    it(`T24 the relay crashes ${side} each call while it keeps, hands out and gives up mail`, async function () {
      this.timeout(60_000)
      const options = { node: { profile: 'light' } } as const
      const whole = await createVillage(3, options)
      const [first, claimed] = [whole.relays[0]!.calls + 1, (await keep(whole)).claims]
      const last = whole.relays[0]!.calls
      expect(last - first).to.be.greaterThan(30)
      for (let call = first + (side === 'before' ? 0 : 3); call <= last; call += RELAY_STRIDE) {
        const village = await createVillage(3, options)
        village.world.crashAt('relay1', call, side)
        const { claims } = await keep(village)
        expect(village.relays[0]!.isUp).to.equal(true)
        expect(claims, `claims left after a crash ${side} call ${call}`).to.equal(claimed)
      }
    })
  }

  for (const [point, [who, side]] of POINTS.entries()) {
    it(`T24 ${who}'s node crashes ${side} each call of a talk`, async function () {
      this.timeout(60_000)
      const [first, last] = (await callsOf(1, true, talk))[who]
      expect(last - first).to.be.greaterThan(10)
      for (let call = first + (point % STRIDE); call <= last; call += STRIDE) {
        const village = await createVillage(1)
        village.world.crashAt(who, call, side)
        const sent = await talk(village)
        await village.world.pass(5 * SECOND)
        await expectSound(village, sent)
      }
    })

    it(`T24 ${who}'s node crashes ${side} each call of a friend request`, async function () {
      this.timeout(60_000)
      const [first, last] = (await callsOf(2, false, meet))[who]
      expect(last - first).to.be.greaterThan(10)
      for (let call = first + (point % STRIDE); call <= last; call += STRIDE) {
        const village = await createVillage(2, { friends: false })
        village.world.crashAt(who, call, side)
        await meet(village)
        await expectSound(village, await talk(village))
      }
    })
  }
})
