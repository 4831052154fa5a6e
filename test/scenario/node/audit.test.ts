/**
 * The audit of relays: who takes mail and drops it is named with a proof that anybody can check; who has a new disk, or whose
 * reader came by, is not. Mail that a relay holds no more is put again, and what waits can be traced.
 */
import { expect } from 'chai'
import type { MessageTrace } from '../../../node/api/service.ts'
import { toHex } from '../../../node/crypto/bytes.ts'
import { verifyProof } from '../../../node/delivery/relay-proof.ts'
import { RelayStanding } from '../../../node/delivery/relay-standing.ts'
import type { KithRelay } from '../../../node/relay.ts'
import { type Store, TABLE } from '../../../node/ports.ts'
import { VERB } from '../../../node/wire/commands.ts'
import { peerIdText } from '../../../node/wire/peer-id.ts'
import { DAY, HOUR, MINUTE } from '../../simulation/engine.ts'
import { addressOf, befriend, type Hooks, type Person, say, startRelay, textsOf } from '../../simulation/people.ts'
import {
  createVillage,
  diskOf,
  expectWholeTalk,
  outboxOf,
  passDays,
  sayOnce,
  type Sent,
  settle,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

const LIGHT = { node: { profile: 'light' } } as const

/** A relay that signs for mail and writes it nowhere. */
function dropper(asked: () => void): Hooks<KithRelay> {
  const taps = tapFrames((verb) => {
    if (verb === VERB.stat) asked()
  })
  return {
    ports: (ports) => {
      const { store } = ports
      const dropping: Store = {
        get: (key) => store.get(key),
        list: (range) => store.list(range),
        blind: (bytes) => store.blind(bytes),
        write: (changes) =>
          store.write(changes.filter(({ key }) => key.table !== TABLE.copy && key.table !== TABLE.tombstone)),
      }
      return taps.ports!({ ...ports, store: dropping })
    },
  }
}

async function proofsOf(village: Village, person: Person): Promise<Uint8Array[]> {
  const store = diskOf(village, person)
  const serverId = (): Uint8Array => new Uint8Array(0)
  const standing = await RelayStanding.open({ store, clock: { now: () => 0 } as never, serverId })
  return standing.caught().map(({ proof }) => proof)
}

/** To be asked while the world runs. */
async function relayEvents({ it }: Person): Promise<string[]> {
  const events = await it.eventsSince(0, 100_000)
  return events.filter(({ event }) => event === 'relay').map(({ detail }) => String(detail['state']))
}

/** The hour that a receipt names must be over before anything is proven. */
async function untilNamed({ world }: Village, person: Person): Promise<void> {
  for (let waited = 0; waited < 2 * HOUR; waited += 5 * MINUTE) {
    await world.pass(5 * MINUTE)
    if ((await person.do(() => relayEvents(person))).length > 0) return
  }
  throw new Error('nobody was named')
}

async function traceOf(person: Person, messageId: string): Promise<MessageTrace> {
  return person.do((it) => it.trace(messageId))
}

function stepsOf({ steps }: MessageTrace): string[] {
  return steps.map(({ step }) => step)
}

/** Takes the receipts' way home away: bob reads and acknowledges, and alice hears nothing of it. */
function silence({ world }: Village, from: Person, ...relays: string[]): void {
  for (const relay of relays) world.net.partition(from.name, relay)
}

describe('a relay that takes mail and drops it', () => {
  it('T33 is named within three questions, with a proof for everybody, and no longer counts', async () => {
    const village = await createVillage(500, { ...LIGHT, friends: false })
    const { world, addresses } = village
    let asked = 0
    const thief = await startRelay(
      world,
      'thief',
      {},
      dropper(() => asked++),
    )
    const relays = [await addressOf(thief), addresses[0]!]
    const carol = await settle(village, 'carol', { profile: 'light', relays: [addresses[0]!] })
    const dave = await settle(village, 'dave', { profile: 'light', relays })
    village.alice = carol
    village.bob = dave
    await befriend(world, carol, dave)
    await world.pass(5 * MINUTE)
    world.crash('dave')
    const messageId = await say(carol, dave, 'hello')
    await world.pass(MINUTE)
    expect((await traceOf(carol, messageId)).state).to.equal('custody')
    asked = 0
    await untilNamed(village, carol)
    expect(asked, 'questions').to.be.within(1, 3)
    expect(await carol.do(() => relayEvents(carol))).to.deep.equal(['caught'])
    const [proof] = await proofsOf(village, carol)
    const { server, missing, expires } = verifyProof(proof!)
    expect(peerIdText(server)).to.equal((await thief.do((it) => it.status())).peerId)
    expect(missing).to.be.lessThan(expires)
    const { steps } = await traceOf(carol, messageId)
    expect(steps.find(({ step }) => step === 'caught')).to.include({ by: relays[0] })
    // over restarts, and for what is written later
    await world.restart('carol')
    const later = await say(carol, dave, 'are you there')
    await world.pass(MINUTE)
    const [, second] = await outboxOf(village, carol, dave)
    expect(second!.receipts.map(({ server: at }) => toHex(at))).to.not.include(toHex(server))
    expect((await traceOf(carol, later)).state, 'one of two relays').to.equal('sent')
    await world.restart('dave')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 2, HOUR)
  })

  it('T33 is said to its own users by their status', async () => {
    const village = await createVillage(501, { ...LIGHT, friends: false })
    const { world, addresses } = village
    const thief = await startRelay(
      world,
      'thief',
      {},
      dropper(() => undefined),
    )
    const relays = [await addressOf(thief), addresses[0]!]
    const carol = await settle(village, 'carol', { profile: 'light', relays })
    const dave = await settle(village, 'dave', { profile: 'light', relays: relays.toReversed() })
    await befriend(world, carol, dave)
    await world.pass(5 * MINUTE)
    world.crash('dave')
    await say(carol, dave, 'hello')
    await untilNamed(village, carol)
    const { relays: shown } = await carol.do((it) => it.status())
    expect(shown.find(({ address }) => address === relays[0])!.problem).to.match(/dropped mail/)
    // and friends are told to write elsewhere
    await world.restart('dave')
    await world.pass(HOUR)
    const said = await dave.do((it) => it.send('carol', 'where do you read'))
    await world.pass(MINUTE)
    await world.eventually(async () => (await dave.it.trace(said.messageId)).state === 'delivered', HOUR)
    const places = (await traceOf(dave, said.messageId)).steps.filter(({ step }) => step === 'receipt')
    expect(places.map(({ by }) => by)).to.deep.equal([relays[1]])
  })
})

describe('a relay that broke no word', () => {
  it('T33 is not named when it was put back from a backup: the mail is put again', async () => {
    const here = { isRestored: false }
    const village = await createVillage(510, { ...LIGHT, relays: 0, friends: false })
    const { world } = village
    const relay = await startRelay(world, 'relay', {
      get isRestored() {
        return here.isRestored
      },
    })
    const relays = [await addressOf(relay)]
    const carol = await settle(village, 'carol', { profile: 'light', relays })
    const dave = await settle(village, 'dave', { profile: 'light', relays })
    village.alice = carol
    village.bob = dave
    await befriend(world, carol, dave)
    await untilRest(village)
    await world.pass(2 * MINUTE)
    const backup = world.disk('relay').image()
    world.crash('dave')
    const sent: Sent[] = [await sayOnce(village, carol, dave, 'after the backup')]
    await world.pass(3 * HOUR)
    world.crash('relay')
    world.disk('relay').restore(backup)
    here.isRestored = true
    await world.restart('relay')
    here.isRestored = false
    await world.pass(10 * MINUTE)
    expect(await carol.do(() => relayEvents(carol))).to.deep.equal([])
    const trace = await traceOf(carol, sent[0]!.messageId)
    expect(stepsOf(trace)).to.include.members(['receipt', 'lost'])
    await world.restart('dave')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 1, 10 * MINUTE)
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    expect(await proofsOf(village, carol)).to.deep.equal([])
  })

  it('T33 is not named when its reader acknowledged, though the author never heard of it', async () => {
    const village = await createVillage(511, { ...LIGHT, relays: 2, friends: false })
    const { world, addresses } = village
    const carol = await settle(village, 'carol', { profile: 'light', relays: [addresses[0]!] })
    const dave = await settle(village, 'dave', { profile: 'light', relays: [addresses[1]!] })
    await befriend(world, carol, dave)
    await world.pass(5 * MINUTE)
    silence(village, dave, 'relay1')
    const messageId = await say(carol, dave, 'hello')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 1, HOUR)
    await passDays(village, 3)
    expect(await carol.do(() => relayEvents(carol))).to.deep.equal([])
    const trace = await traceOf(carol, messageId)
    expect(trace.state).to.equal('custody')
    expect(trace.steps.find(({ step }) => step === 'fetched')).to.include({ by: addresses[1] })
    world.net.heal()
    await world.eventually(async () => (await carol.it.trace(messageId)).state === 'delivered', 2 * DAY)
  })

  it('loses all disks together with the others, and the mail is put again within minutes', async () => {
    const village = await createVillage(512, { ...LIGHT, relays: 3 })
    const { world, alice, bob, relays } = village
    await untilRest(village)
    world.crash('bob')
    const sent = [await sayOnce(village, alice, bob, 'one'), await sayOnce(village, alice, bob, 'two')]
    await world.pass(2 * HOUR)
    for (const { name } of relays) {
      world.crash(name)
      world.disk(name).wipe()
    }
    await world.pass(HOUR)
    for (const { name } of relays) await world.restart(name)
    await world.pass(5 * MINUTE)
    await world.restart('bob')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 2, 5 * MINUTE)
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    expect(await alice.do(() => relayEvents(alice))).to.deep.equal([])
  })

  it('is asked at ten minutes, six hours and then daily, and rests when nothing waits', async () => {
    const asked: number[] = []
    const village = await createVillage(513, {
      ...LIGHT,
      relayHooks: tapFrames((verb) => {
        if (verb === VERB.stat) asked.push(village.world.elapsed)
      }),
    })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('bob')
    await world.pass(MINUTE)
    const began = world.elapsed
    const texts = Array.from({ length: 5 }, (_, i) => `text ${i}`)
    for (const text of texts) await say(alice, bob, text)
    asked.length = 0
    await passDays(village, 4)
    const times = asked.map((at) => at - began)
    expect(times.length, times.join()).to.be.within(5, 6)
    expect(times[0]).to.be.within(10 * MINUTE, 14 * MINUTE)
    expect(times[1]).to.be.within(5.4 * HOUR, 7 * HOUR)
    for (let i = 2; i < times.length; i++) expect(times[i]! - times[i - 1]!).to.be.within(0.8 * DAY, 1.2 * DAY)
    await world.restart('bob')
    await untilRest(village, DAY)
    asked.length = 0
    await passDays(village, 2)
    expect(asked).to.deep.equal([])
  })
})
