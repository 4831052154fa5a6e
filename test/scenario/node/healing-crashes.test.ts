/**
 * Crashes at every call of Store and Network while a session is replaced (T24, T27): before and after it, at whoever begins and
 * at whoever answers, for each way in which it begins. In the end both talk in one new session, nothing that was reported is
 * lost, nothing is shown twice, and who was verified is. One call in many is tried, each side of each beginning elsewhere; with
 * `KITH_SEEDS` set, all.
 */
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { loadChannel, sendingLane } from '../../../node/delivery/channel.ts'
import { envelopePrefix, ENVELOPE_KIND } from '../../../node/wire/envelope.ts'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { friendMailbox, sealCopy } from '../../../node/mailbox/keys.ts'
import { TABLE } from '../../../node/ports.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import type { CrashSide } from '../../simulation/incarnation.ts'
import { addressOf, startRelay } from '../../simulation/people.ts'
import type { DiskImage } from '../../simulation/sim-disk.ts'
import { createWorld } from '../../simulation/world.ts'
import {
  createVillage,
  diskOf,
  eventsOf,
  expectForwardStates,
  historyOf,
  idOf,
  sayOnce,
  type Sent,
  settle,
  startStranger,
  untilRest,
  type Village,
} from './village.ts'

const NAMES = ['relay1', 'alice', 'bob'] as const
const STRIDE = process.env['KITH_SEEDS'] === undefined ? 16 : 1
const HEALED_MS = 6 * HOUR
const POINTS: readonly (readonly [who: 'alice' | 'bob', side: CrashSide])[] = [
  ['alice', 'before'],
  ['alice', 'after'],
  ['bob', 'before'],
  ['bob', 'after'],
]

/** The disks of a village whose healing is to begin, and what was said there and must arrive. */
interface Beginning {
  seed: number
  elapsed: number
  disks: Map<string, DiskImage>
  sent: Sent[]
}

/** alice reads what opens in no session. */
async function unreadable(village: Village): Promise<Sent[]> {
  const { world, alice, bob } = village
  world.crash('alice')
  const sent = [await sayOnce(village, bob, alice, 'while you slept')]
  const { mailboxes } = await loadChannel(diskOf(village, bob), await idOf(alice))
  const { stranger } = await startStranger(village, 'mallory')
  await stranger.do(async (ports) => {
    const link = await ports.network.connect(village.addresses[0]!)
    const client = createMailboxClient({ ...ports, link })
    const { writer, address, copyKey } = friendMailbox(mailboxes.writing!.secret, link.peerId)
    const now = Math.floor(ports.clock.now() / 1000)
    for (let i = 0; i < 3; i++) {
      const prefix = envelopePrefix(ENVELOPE_KIND.pairwise, ports.random.bytes(16), Math.ceil(now / 86_400) + 30)
      const envelope = Buffer.concat([prefix, ports.random.bytes(4096 - prefix.length)])
      const copy = sealCopy(copyKey, ports.random.bytes(24), envelope)
      const { status } = await client.put({ address, writerSeed: writer.seed, copy, expires: now + 86_400 })
      expect(status).to.equal('stored')
    }
    client.close()
  })
  await world.pass(MINUTE)
  return sent
}

/** bob's home is put back to before alice read two texts, and says a third without knowing it. */
async function rolledBack(village: Village): Promise<Sent[]> {
  const { world, alice, bob } = village
  const before = world.disk('bob').image()
  for (const text of ['lost', 'lost too']) await sayOnce(village, bob, alice, text)
  await untilRest(village)
  world.crash('bob')
  const sent = [await sayOnce(village, alice, bob, 'did you get home?')]
  await world.pass(MINUTE)
  world.crash('alice')
  world.disk('bob').restore(before)
  world.net.offline('bob')
  await world.restart('bob')
  sent.push(await sayOnce(village, bob, alice, 'I am not sure'))
  return sent
}

/** bob has no session with alice any more. */
async function lost(village: Village): Promise<Sent[]> {
  const { world, alice, bob } = village
  world.crash('bob')
  const scope = await idOf(alice)
  const image = world.disk('bob').image()
  const rows = image.rows.list({ table: TABLE.session, scope, from: Buffer.from('l'), to: Buffer.from('m') })
  image.rows.apply(rows.map(({ position }) => ({ key: { table: TABLE.session, scope, position }, value: undefined })))
  world.disk('bob').restore(image)
  const sent = [await sayOnce(village, alice, bob, 'while you slept')]
  await world.pass(MINUTE)
  world.crash('alice')
  world.net.offline('bob')
  await world.restart('bob')
  sent.push(await sayOnce(village, bob, alice, 'who is there?'))
  return sent
}

async function beginningOf(seed: number, prepare: (village: Village) => Promise<Sent[]>): Promise<Beginning> {
  const village = await createVillage(seed, { node: { profile: 'light' } })
  const { world, alice, bob } = village
  const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
  await untilRest(village)
  await alice.do((it) => it.verify('bob', {}))
  await bob.do((it) => it.verify('alice', {}))
  sent.push(...(await prepare(village)))
  for (const name of NAMES) world.crash(name)
  return { seed, elapsed: world.elapsed, disks: new Map(NAMES.map((name) => [name, world.disk(name).image()])), sent }
}

/** A world of its own that goes on from there. */
async function villageFrom({ seed, elapsed, disks }: Beginning): Promise<Village> {
  const world = createWorld(seed)
  await world.run({ forMs: elapsed })
  for (const [name, image] of disks) world.disk(name).restore(image)
  const relay = await startRelay(world, 'relay1')
  const addresses = [await addressOf(relay)]
  const village: Village = {
    world,
    relays: [relay],
    addresses,
    villagers: new Map(),
    alice: undefined!,
    bob: undefined!,
  }
  village.alice = await settle(village, 'alice', { profile: 'light' })
  village.bob = await settle(village, 'bob', { profile: 'light' })
  return village
}

async function sendingIn(village: Village, who: 'alice' | 'bob', friend: 'alice' | 'bob') {
  return sendingLane(await loadChannel(diskOf(village, village[who]), await idOf(village[friend])))
}

/** Both send in one session that was made since, and nothing waits. */
async function isHealed(village: Village): Promise<boolean> {
  const { alice, bob } = village
  if (!alice.isBooted || !bob.isBooted) return false
  const [a, b] = [await sendingIn(village, 'alice', 'bob'), await sendingIn(village, 'bob', 'alice')]
  if (!a || !b || toHex(a.id) !== toHex(b.id) || a.session.rekey < 2) return false
  for (const person of [alice, bob]) {
    const { problems, unacknowledged } = await person.do((it) => it.status())
    if (problems.length > 0 || unacknowledged > 0) return false
  }
  return true
}

async function untilHealed(village: Village): Promise<void> {
  const { world } = village
  for (let passed = 0; !(await isHealed(village)); passed += MINUTE) {
    expect(passed, 'it does not heal').to.be.below(HEALED_MS)
    await world.pass(MINUTE)
    for (const person of [village.alice, village.bob]) if (!person.isUp) world.revive(person.name)
  }
}

async function expectSound(village: Village, sent: readonly Sent[]): Promise<void> {
  const { alice, bob } = village
  for (const [reader, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const history = await historyOf(reader, other)
    expect(new Set(history.map(({ messageId }) => messageId)).size, 'shown twice').to.equal(history.length)
    expect(new Set(history.map(({ text }) => text)).size, 'shown twice').to.equal(history.length)
    for (const { messageId, text } of sent) {
      const found = history.find((one) => one.messageId === messageId)
      expect([found?.text, found?.state], `${text} at ${reader.name}`).to.deep.equal([text, 'delivered'])
    }
    expect((await reader.do((it) => it.friends())).map(({ verified }) => verified)).to.deep.equal([true])
    const events = await eventsOf(reader)
    expectForwardStates(events)
    const shown = events.filter(({ event }) => event === 'message').map(({ detail }) => detail['messageId'])
    expect(new Set(shown).size, 'told twice').to.equal(shown.length)
  }
}

/** Heals, and then each says a word that the other opens. */
async function heal(village: Village, sent: readonly Sent[]): Promise<void> {
  const { alice, bob } = village
  await untilHealed(village)
  const words = [await sayOnce(village, alice, bob, 'there you are'), await sayOnce(village, bob, alice, 'here I am')]
  await untilRest(village, HOUR)
  await expectSound(village, [...sent, ...words])
}

describe('crashes while a session is replaced', function () {
  this.timeout(STRIDE === 1 ? 1_800_000 : 120_000)
  const ways = [
    ['copies that open in no session', unreadable],
    ['a home that was put back', rolledBack],
    ['no session at all', lost],
  ] as const

  for (const [way, [what, prepare]] of ways.entries()) {
    let beginning: Beginning
    const calls = { alice: 0, bob: 0 }
    before(async () => {
      beginning = await beginningOf(870 + way, prepare)
      const village = await villageFrom(beginning)
      const { alice, bob } = village
      const before = [alice.calls, bob.calls] as const
      await untilHealed(village)
      calls.alice = alice.calls - before[0]
      calls.bob = bob.calls - before[1]
      await heal(village, beginning.sent)
    })

    for (const [point, [who, side]] of POINTS.entries()) {
      it(`T24 T27 ${who}'s node crashes ${side} each call, after ${what}`, async () => {
        expect(calls[who]).to.be.above(20)
        for (let call = 1 + ((point * 5 + way * 3) % STRIDE); call <= calls[who]; call += STRIDE) {
          const village = await villageFrom(beginning)
          const { world } = village
          world.crashAt(who, village[who].calls + call, side)
          try {
            await heal(village, beginning.sent)
          } catch (error) {
            throw new Error(`after a crash ${side} call ${call}`, { cause: error })
          }
        }
      })
    }
  }
})
