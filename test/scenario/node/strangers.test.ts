/**
 * What people who are no friends can do to those who are: envelopes and copies that somebody made up, copied or changed,
 * records that were rolled back, former friends who go on writing (T1, T2, T21, T34, T47). Nothing of it is shown, told,
 * acknowledged or passed on.
 */
import { expect } from 'chai'
import { concat, u16 } from '../../../node/crypto/bytes.ts'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { decodeInvite } from '../../../node/identity/invite.ts'
import { ENVELOPE_BYTES, MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { allTopics, topicOf } from '../../../node/mailbox/buckets.ts'
import { friendMailbox, inviteMailbox } from '../../../node/mailbox/keys.ts'
import { checkEnvelopePostage, mintEnvelopePostage, pay } from '../../../node/mailbox/postage.ts'
import { BUCKET_BITS } from '../../../node/node.ts'
import * as wire from '../../../node/wire/commands.ts'
import { ENVELOPE_KIND, envelopeId, envelopePrefix } from '../../../node/wire/envelope.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { DAY, MINUTE, SECOND } from '../../simulation/engine.ts'
import { befriend, type Person, say, textsOf } from '../../simulation/people.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  expectWholeTalk,
  historyOf,
  idOf,
  passDays,
  sayOnce,
  settle,
  startStranger,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

const TOPICS = allTopics(BUCKET_BITS)
const PREFIX_BYTES = 20

/** An envelope with postage that is paid: `prefix` of 20 bytes, `body` to the end. */
async function stamped(
  prefix: Uint8Array,
  body: Uint8Array,
  start: Uint8Array = new Uint8Array(8),
): Promise<Uint8Array> {
  const unpaid = concat(prefix, new Uint8Array(8), body)
  const mint = mintEnvelopePostage(envelopeId(unpaid), unpaid.length, start)
  return concat(prefix, await pay(mint, async () => undefined), body)
}

function dayOf({ world }: Village): number {
  return Math.floor(world.now / DAY)
}

/** What both people see, and what would show that a node took notice. */
async function sight(village: Village): Promise<unknown> {
  const look = async (one: Person, other: Person): Promise<unknown> => [
    await eventsOf(one),
    (await historyOf(one, other)).map(({ text, state }) => [text, state]),
    (await one.do((it) => it.friends())).map(({ id, state, unread }) => [id, state, unread]),
    await one.do((it) => it.requests()),
    (await one.do((it) => it.status())).unacknowledged,
  ]
  return [await look(village.alice, village.bob), await look(village.bob, village.alice)]
}

describe('strangers', () => {
  it('T21 who copy a tag, guess one or make up a body on gossip reach nobody', async () => {
    const village = await createVillage(21)
    const { world, bob } = village
    const { stranger, overheard } = await startStranger(village, 'mallory', TOPICS)
    await sayOnce(village, village.alice, bob, 'hello')
    await untilRest(village)
    const before = await sight(village)
    const [true1] = overheard
    const made = [
      await stamped(true1!.envelope.slice(0, PREFIX_BYTES), world.random.bytes(true1!.envelope.length - 28)),
      await stamped(
        envelopePrefix(ENVELOPE_KIND.pairwise, world.random.bytes(16), dayOf(village) + 20),
        world.random.bytes(4096 - 28),
      ),
      await stamped(true1!.envelope.slice(0, PREFIX_BYTES), true1!.envelope.slice(28).fill(7, -1)),
    ]
    for (const topic of new Set(overheard.map((each) => each.topic))) {
      for (const envelope of made) {
        expect(await stranger.do(({ network }) => network.publish(topic, envelope))).to.be.greaterThan(0)
      }
    }
    await world.pass(2 * MINUTE)
    expect(await sight(village)).to.deep.equal(before)
  })

  it('T21 who know the address of a mailbox, and even its keys, put nothing into it that is shown', async () => {
    const addresses: Uint8Array[] = []
    const seen = (verb: number, args: Uint8Array): void => {
      if (verb !== wire.VERB.put) return
      const { args: put } = decode(wire.signedArgs, args, MAX_FRAME_BYTES)
      addresses.push(decode(wire.putArgs, put, MAX_FRAME_BYTES).address)
    }
    const village = await createVillage(22, { relayHooks: tapFrames(seen) })
    const { world, alice, bob, relays } = village
    const { stranger } = await startStranger(village, 'mallory')
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    await world.pass(2 * MINUTE)
    const before = await sight(village)
    const { lanes } = await loadChannel(diskOf(village, alice), await idOf(bob))
    const answers = await stranger.do(async (ports) => {
      const link = await ports.network.connect(village.addresses[0]!)
      const client = createMailboxClient({ ...ports, link })
      const expires = Math.floor(ports.clock.now() / 1000) + 86_400
      const { status: foreign } = await client.put({
        address: addresses.at(-1)!,
        writerSeed: ports.random.bytes(32),
        copy: ports.random.bytes(4096 + 40),
        expires,
      })
      // a thief of the keys: what lies there is still not the friend's
      const { writer, address } = friendMailbox(lanes[0]!.mailboxOut, link.peerId)
      const results = [foreign]
      for (const size of ENVELOPE_BYTES) {
        const copy = ports.random.bytes(size + 40)
        results.push((await client.put({ address, writerSeed: writer.seed, copy, expires })).status)
      }
      client.close()
      return results
    })
    expect(answers).to.deep.equal(['refused', 'stored', 'stored', 'stored'])
    await world.pass(3 * MINUTE)
    expect(await sight(village)).to.deep.equal(before)
    expect((await relays[0]!.do((it) => it.relayCounters())).copies, 'copies that stay').to.equal(0)
  })

  it('T21 who asked and were not accepted say nothing but their note', async () => {
    const village = await createVillage(23, { friends: false })
    const { world, alice, bob } = village
    const { stranger } = await startStranger(village, 'mallory')
    const { invite } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await bob.do((it) => it.add({ target: invite, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1)
    expect(await codeOf(bob.do((it) => it.send('alice', 'let me in')))).to.equal('NOT_A_FRIEND')
    const before = await eventsOf(alice)
    const { writer, address } = inviteMailbox(decodeInvite(invite))
    const answers = await stranger.do(async (ports) => {
      const client = createMailboxClient({ ...ports, link: await ports.network.connect(village.addresses[0]!) })
      const expires = Math.floor(ports.clock.now() / 1000) + 86_400
      const leg = ports.random.bytes(8192)
      const request = await client.request({ address, writerSeed: writer.seed, leg, expires })
      const put = await client.put({ address, writerSeed: writer.seed, copy: ports.random.bytes(4136), expires })
      client.close()
      return [request.status, put.status]
    })
    expect(answers).to.deep.equal(['placed', 'refused'])
    await world.pass(2 * MINUTE)
    expect(await eventsOf(alice)).to.deep.equal(before)
    expect(await alice.do((it) => it.requests())).to.have.lengthOf(1)
  })

  it('T21 who were friends once go on writing and are not heard', async () => {
    const village = await createVillage(24)
    const { world, alice, bob } = village
    await sayOnce(village, bob, alice, 'we are friends')
    await untilRest(village)
    await alice.do((it) => it.unfriend('bob'))
    const before = await eventsOf(alice)
    for (const wait of [0, 10 * SECOND, 5 * MINUTE]) {
      await world.pass(wait)
      await sayOnce(village, bob, alice, `are you there after ${wait}`)
    }
    await world.restart('alice')
    await sayOnce(village, bob, alice, 'and now')
    await world.pass(10 * MINUTE)
    expect(await eventsOf(alice)).to.deep.equal(before)
    const said = await historyOf(bob, alice)
    expect(said.slice(1).map(({ state }) => state)).to.not.include('delivered')
    expect((await historyOf(alice, bob)).map(({ text }) => text)).to.deep.equal(['we are friends'])
  })

  it('T34 whose envelopes have a wrong size, version, kind, expiry or postage find no relay that passes them on', async () => {
    const village = await createVillage(34)
    const { world, bob } = village
    const { stranger } = await startStranger(village, 'mallory')
    const { overheard } = await startStranger(village, 'eve', TOPICS)
    world.net.partition('mallory', ['eve', 'alice', 'bob'])
    await untilRest(village)
    overheard.length = 0
    const topic = topicOf(await idOf(bob), BUCKET_BITS)
    const today = dayOf(village)
    const body = world.random.bytes(4096 - 28)
    const prefix = (kind: number, expiryDay: number): Uint8Array =>
      envelopePrefix(kind, world.random.bytes(16), expiryDay)
    const good = await stamped(prefix(ENVELOPE_KIND.pairwise, today + 10), body)
    const other = concat(Uint8Array.of(9), prefix(ENVELOPE_KIND.pairwise, today + 10).slice(1))
    const unpaid = good.slice()
    do unpaid.set(u16(unpaid[27]! * 256 + unpaid[26]! + 1), 26)
    while (isPaid(unpaid))
    const bad: Record<string, Uint8Array> = {
      'a byte too long': concat(good, new Uint8Array(1)),
      'a byte too short': good.slice(0, -1),
      empty: new Uint8Array(0),
      'another version': await stamped(other, body),
      'another kind': await stamped(prefix(99, today + 10), body),
      'expired three days ago': await stamped(prefix(ENVELOPE_KIND.pairwise, today - 3), body),
      'expiring next year': await stamped(prefix(ENVELOPE_KIND.pairwise, today + 365), body),
      'without postage': unpaid,
    }
    for (const [what, envelope] of Object.entries(bad)) {
      await stranger.do(({ network }) => network.publish(topic, envelope))
      await world.pass(5 * SECOND)
      expect(overheard, what).to.have.lengthOf(0)
    }
    await stranger.do(({ network }) => network.publish(topic, good))
    await world.pass(5 * SECOND)
    expect(overheard.map(({ envelope }) => envelope)).to.deep.equal([good])
  })

  it('T34 who play an old envelope again, after every cache has forgotten it, change nothing that anybody sees', async () => {
    const village = await createVillage(35)
    const { world, alice, bob } = village
    const { stranger, overheard } = await startStranger(village, 'mallory', TOPICS)
    const sent = [await sayOnce(village, alice, bob, 'once'), await sayOnce(village, bob, alice, 'and for all')]
    await untilRest(village)
    const before = await sight(village)
    const old = [...overheard]
    for (const wait of [11 * MINUTE, 13 * MINUTE, DAY / 2, DAY / 2]) {
      await world.pass(wait)
      for (const { topic, envelope } of old) await stranger.do(({ network }) => network.publish(topic, envelope))
      await untilRest(village)
      expect(await sight(village)).to.deep.equal(before)
    }
    await expectWholeTalk(village, sent)
  })

  it('T47 who stamp an envelope anew, or put another body under its tag, keep the true one from nobody', async () => {
    const village = await createVillage(47)
    const { world, alice, bob } = village
    const { stranger, overheard } = await startStranger(village, 'mallory', TOPICS)
    await untilRest(village)
    // all that alice says goes through mallory's hands: nobody else reaches bob
    world.crash('relay1')
    world.net.partition('alice', 'bob')
    world.net.partition('mallory', 'bob')
    await world.pass(MINUTE)
    overheard.length = 0
    const texts = ['one', 'two', 'three']
    for (const text of texts) await say(alice, bob, text)
    await world.pass(MINUTE)
    expect(overheard).to.have.lengthOf(3)
    const held = [...overheard]
    world.net.heal()
    world.net.partition('alice', ['bob', 'mallory'])
    const topic = topicOf(await idOf(bob), BUCKET_BITS)
    const publish = (envelope: Uint8Array): Promise<number> =>
      stranger.do(({ network }) => network.publish(topic, envelope))
    for (const { envelope } of held) {
      const prefix = envelope.slice(0, PREFIX_BYTES)
      for (let i = 0; i < 20; i++) {
        const body = envelope.slice(28)
        body[world.random.int(0, body.length - 1)]! ^= 1 + i
        await publish(await stamped(prefix, body))
      }
      await publish(await stamped(prefix, world.random.bytes(4096 - 28)))
    }
    await world.pass(10 * SECOND)
    expect(await bob.do((it) => it.history({ who: 'alice', limit: 9 }))).to.deep.equal([])
    for (const { envelope } of held) {
      await publish(envelope)
      for (let i = 1; i < 4; i++) {
        await publish(await stamped(envelope.slice(0, PREFIX_BYTES), envelope.slice(28), world.random.bytes(8)))
      }
    }
    await world.eventually(async () => (await textsOf(bob, alice)).length === 3, MINUTE)
    const events = await eventsOf(bob)
    expect(events.filter(({ event }) => event === 'message')).to.have.lengthOf(3)
    world.net.heal()
    await world.restart('relay1')
    await untilRest(village)
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal(texts)
    await world.pass(2 * MINUTE)
    expect((await village.relays[0]!.do((it) => it.relayCounters())).copies, 'copies that stay').to.equal(0)
  })

  it('T47 who run a relay and invent copies start nothing', async () => {
    let invented = 0
    const invent = (verb: number, answer: Uint8Array): Uint8Array => {
      const { status, body, ...rest } = decode(wire.answer, answer, MAX_FRAME_BYTES)
      if (verb !== wire.VERB.pull || status !== wire.STATUS.ok) return answer
      const read = decode(wire.readAnswer, body, MAX_FRAME_BYTES)
      const items = read.items.flatMap((item) => {
        const changed = item.copy.slice()
        changed[invented % changed.length]! ^= 1
        const other = new Uint8Array(item.copy.length).fill(invented)
        invented += 2
        return [
          { ...item, copy: changed },
          item,
          { ...item, copy: other },
          { ...item, address: read.items[0]!.address },
          item,
        ]
      })
      return encode(wire.answer, { status, body: encode(wire.readAnswer, { ...read, items }), ...rest })
    }
    const village = await createVillage(48, {
      relayHooks: tapFrames(() => undefined, invent),
      node: { profile: 'light' },
    })
    const { alice, bob } = village
    const sent = []
    for (let i = 0; i < 5; i++) {
      sent.push(await sayOnce(village, alice, bob, `there ${i}`))
      sent.push(await sayOnce(village, bob, alice, `back ${i}`))
    }
    await untilRest(village)
    expect(invented).to.be.greaterThan(10)
    await expectWholeTalk(village, sent)
    const friends = [...(await eventsOf(alice)), ...(await eventsOf(bob))].filter(({ event }) => event === 'friend')
    expect(friends).to.have.lengthOf(2)
  })

  it('T1 T2 who hold records and serve the oldest they ever had mislead neither a friend-to-be nor the owner', async () => {
    const village = await createVillage(2, { friends: false })
    const { world, alice, bob } = village
    for (const name of ['mallory', 'oscar', 'trudy']) {
      await startStranger(village, name)
      world.net.dht.liars.add(name)
    }
    await world.restart('alice')
    await world.pass(MINUTE)
    world.crash('bob')
    await passDays(village, 50)
    await world.restart('alice')
    await world.restart('bob')
    await world.pass(MINUTE)
    await befriend(world, alice, bob)
    expect(world.faults.lies, 'lies').to.be.greaterThan(0)
    const [pinned] = await loadContacts(diskOf(village, bob))
    const link = (await alice.do((it) => it.createInvite({ lifetimeSeconds: 60, uses: 1 }))).invite
    expect(pinned!.pin).to.deep.equal(decodeInvite(link).pin)
    expect(pinned!.pin!.seq * 1000).to.be.greaterThan(world.now - 50 * DAY)
    const carol = await settle(village, 'carol')
    await befriend(world, alice, carol)
    const sent = [await sayOnce(village, alice, bob, 'hello')]
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })
})

function isPaid(envelope: Uint8Array): boolean {
  return checkEnvelopePostage(envelopeId(envelope), envelope.slice(20, 28), envelope.length)
}
