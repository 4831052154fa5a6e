/**
 * Relays that come and go for good: a friend's relay that is away for a week gives its place to another one, an own one is
 * replaced by a relay at which friends read, and friends hear of it.
 */
import { expect } from 'chai'
import { RelayStanding } from '../../../node/delivery/relay-standing.ts'
import { VERB } from '../../../node/wire/commands.ts'
import { DAY, HOUR, MINUTE } from '../../simulation/engine.ts'
import { befriend, type Person, say, textsOf } from '../../simulation/people.ts'
import type { SimPorts } from '../../simulation/world.ts'
import {
  createVillage,
  eventsOf,
  expectWholeTalk,
  outboxOf,
  sayOnce,
  type Sent,
  settle,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

async function ownRelays(person: Person): Promise<{ address: string; standIn: boolean }[]> {
  const { relays } = await person.do((it) => it.status())
  return relays.map(({ address, standIn = false }) => ({ address, standIn }))
}

async function relayEvents(person: Person): Promise<string[]> {
  const events = await eventsOf(person)
  return events.filter(({ event }) => event === 'relay').map(({ detail }) => String(detail['state']))
}

/** The ports of carol's present life. */
let carolsPorts: SimPorts

/** Makes carol's node remember that these relays were away for so many hours, and starts it again. */
async function rememberAway({ world, alice: carol }: Village, addresses: readonly string[], hours: number) {
  const { store, clock, network } = carolsPorts
  await carol.do(async () => {
    const began = clock.now() - hours * HOUR
    let now = began
    const earlier = { ...clock, now: () => now }
    const serverId = (address: string): Uint8Array => network.serverId(address)
    const standing = await RelayStanding.open({ store, clock: earlier, serverId })
    for (; now < began + hours * HOUR; now += HOUR) {
      for (const address of addresses) await standing.note(serverId(address), false)
    }
  })
  await world.restart('carol')
}

/** carol reads at the relays with the first numbers, dave at the others; they are friends and at rest. */
async function createPair(seed: number, carols: number[], daves: number[]): Promise<Village> {
  const relays = Math.max(...carols, ...daves)
  const village = await createVillage(seed, { relays, friends: false, node: { profile: 'light', relays: [] } })
  const at = (numbers: number[]): string[] => numbers.map((number) => village.addresses[number - 1]!)
  const hooks = {
    ports: (ports: SimPorts): SimPorts => {
      carolsPorts = ports
      return ports
    },
  }
  village.alice = await settle(village, 'carol', { profile: 'light', relays: at(carols) }, hooks)
  village.bob = await settle(village, 'dave', { profile: 'light', relays: at(daves) })
  await befriend(village.world, village.alice, village.bob)
  await untilRest(village)
  await village.world.pass(5 * MINUTE)
  return village
}

describe('relays that are gone for good', () => {
  it('of ones own are replaced after a week by one at which a friend reads, and give way when they are back', async () => {
    const village = await createPair(600, [1, 2], [3])
    const { world, alice: carol, bob: dave, addresses } = village
    world.crash('relay1')
    world.crash('relay2')
    await rememberAway(village, addresses.slice(0, 2), 164)
    await world.pass(3 * HOUR)
    expect(await ownRelays(carol)).to.deep.equal(addresses.slice(0, 2).map((address) => ({ address, standIn: false })))
    await world.pass(3 * HOUR)
    expect(await relayEvents(carol)).to.deep.equal(['lost', 'lost'])
    const standIn = { address: addresses[2]!, standIn: true }
    expect(await ownRelays(carol)).to.deep.include(standIn)
    // the friend writes there from now on, and nothing hangs on the relays that are gone
    const sent: Sent[] = [await sayOnce(village, dave, carol, 'hello')]
    await world.eventually(async () => (await textsOf(carol, dave)).length === 1, HOUR)
    // and somebody new is told of it with the request
    const erin = await settle(village, 'erin', { profile: 'light', relays: [addresses[2]!] })
    await befriend(world, erin, carol)
    const first = await say(erin, carol, 'nice to meet you')
    await world.eventually(async () => (await textsOf(carol, erin)).length === 1, HOUR)
    const { steps } = await erin.do((it) => it.trace(first))
    expect(steps.filter(({ step }) => step === 'receipt').map(({ by }) => by)).to.deep.equal([addresses[2]])
    await world.restart('relay1')
    await world.restart('relay2')
    await world.pass(3 * HOUR)
    expect(await relayEvents(carol)).to.deep.equal(['lost', 'lost', 'back', 'back'])
    expect(await ownRelays(carol)).to.not.deep.include(standIn)
    sent.push(await sayOnce(village, dave, carol, 'at the old place'))
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('of a friend give their place to the fourth', async () => {
    const village = await createPair(604, [1], [1, 2, 3, 4])
    const { world, alice: carol, bob: dave } = village
    world.crash('dave')
    world.crash('relay2')
    const messageId = await say(carol, dave, 'hello')
    await world.pass(HOUR)
    expect((await carol.do((it) => it.trace(messageId))).state).to.equal('sent')
    await rememberAway(village, village.addresses.slice(1, 2), 164)
    await world.pass(6 * HOUR)
    const { state, steps } = await carol.do((it) => it.trace(messageId))
    expect(state).to.equal('custody')
    expect(steps.filter(({ step }) => step === 'receipt').map(({ by }) => by)).to.deep.include(village.addresses[3])
    await world.restart('dave')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 1, HOUR)
  })
})

describe('relays that a friend names no more', () => {
  it('do not count for custody, and what they hold is put at the new ones', async () => {
    const village = await createVillage(610, { relays: 3, friends: false, node: { profile: 'light', relays: [] } })
    const { world, addresses } = village
    const [first, second, third] = addresses as [string, string, string]
    const here: { relays: readonly string[] } = { relays: [first] }
    const carol = await settle(village, 'carol', { profile: 'light', relays: [third] })
    const dave = await settle(village, 'dave', {
      profile: 'light',
      get relays() {
        return here.relays
      },
    })
    village.alice = carol
    village.bob = dave
    await befriend(world, carol, dave)
    await untilRest(village)
    world.crash('dave')
    const messageId = await say(carol, dave, 'hello')
    await world.pass(5 * MINUTE)
    expect((await carol.do((it) => it.trace(messageId))).state).to.equal('custody')
    // dave comes by with new relays, and reads nothing: the old one is away
    here.relays = [second, third]
    world.crash('relay1')
    await world.restart('dave')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 1, HOUR)
    await untilRest(village, 2 * DAY)
    const { steps } = await carol.do((it) => it.trace(messageId))
    const places = steps.filter(({ step }) => step === 'receipt').map(({ by }) => by)
    expect(
      places.some((by) => by === second || by === third),
      places.join(),
    ).to.equal(true)
    expect(await outboxOf(village, carol, dave)).to.deep.equal([])
  })
})

describe('the way of a message', () => {
  it('is told from the first to the last step, over restarts, with what it waits for', async () => {
    let isFull = false
    const refuse = (verb: number): Uint8Array | undefined =>
      // {1: 1, 2: h'', 3: 1800}: full, again in half an hour
      isFull && verb === VERB.put ? new Uint8Array([0xa3, 1, 1, 2, 0x40, 3, 0x19, 0x07, 0x08]) : undefined
    const village = await createVillage(620, { relayHooks: tapFrames(() => undefined, undefined, refuse) })
    const { world, alice, bob, addresses } = village
    await untilRest(village)
    await world.pass(MINUTE)
    world.crash('bob')
    isFull = true
    const messageId = await say(alice, bob, 'a text that nobody else may see')
    await world.pass(MINUTE)
    const full = await alice.do((it) => it.trace(messageId))
    const steps = full.steps.map(({ step }) => step)
    expect(steps.slice(0, 2)).to.deep.equal(['queued', 'sealed'])
    expect(steps).to.include.members(['published', 'refused', 'waiting'])
    const waiting = full.steps.at(-1)!
    expect(waiting).to.include({ step: 'waiting', by: addresses[0], detail: 'the mailbox is full' })
    expect(waiting.until! - waiting.at).to.be.within(20 * MINUTE, 31 * MINUTE)
    isFull = false
    await world.pass(HOUR)
    await world.restart('alice')
    await world.pass(MINUTE)
    const kept = await alice.do((it) => it.trace(messageId))
    const receipt = kept.steps.find(({ step }) => step === 'receipt')!
    expect(receipt.by).to.equal(addresses[0])
    expect(receipt.storedAt! % HOUR).to.equal(0)
    expect(receipt.until! - receipt.at).to.be.within(29 * DAY, 32 * DAY)
    expect(kept.steps.at(-1)).to.include({ step: 'waiting', detail: 'for the friend to come and read it' })
    await world.restart('bob')
    await untilRest(village, HOUR)
    await world.restart('alice')
    const whole = await alice.do((it) => it.trace(messageId))
    expect(whole.state).to.equal('delivered')
    expect(whole.steps.at(-1)).to.include({ step: 'delivered', by: bob.it.id })
    expect(whole.steps.slice(0, kept.steps.length - 1)).to.deep.equal(kept.steps.slice(0, -1))
    expect(JSON.stringify(whole)).to.not.include('nobody else')
    for (let i = 1; i < whole.steps.length; i++) expect(whole.steps[i]!.at).to.be.at.least(whole.steps[i - 1]!.at)
  })

  it('ends with the reason: expired, or the friendship was ended', async () => {
    const village = await createVillage(621, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('bob')
    const expired = await say(alice, bob, 'too late')
    await world.pass(MINUTE)
    // two days before the end it is sealed again, and two days after there is nothing to do
    world.skew('alice', 364 * DAY)
    await world.restart('alice')
    await world.pass(2 * HOUR)
    const late = await alice.do((it) => it.trace(expired))
    expect(late.steps.filter(({ step }) => step === 'sealed')).to.have.lengthOf(2)
    expect(late.state).to.be.oneOf(['sent', 'custody'])
    world.skew('alice', 366 * DAY)
    await world.restart('alice')
    await world.pass(2 * HOUR)
    const gone = await alice.do((it) => it.trace(expired))
    expect(gone.state).to.equal('expired')
    expect(gone.steps.at(-1)).to.include({ step: 'expired', detail: 'it was not acknowledged in its lifetime' })
    const failed = await say(alice, bob, 'nor this')
    await alice.do((it) => it.unfriend('bob'))
    const ended = await alice.do((it) => it.trace(failed))
    expect(ended.state).to.equal('failed')
    expect(ended.steps.at(-1)).to.include({ step: 'failed', detail: 'the friendship was ended' })
  })
})
