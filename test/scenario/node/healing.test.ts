/**
 * Healing: a home that was put back, or lost its sessions, gets new ones by itself (T27, T28, T52), and everything that waited
 * arrives once.
 */
import { expect } from 'chai'
import { concat, toHex, u64 } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { loadChannel, sendingLane } from '../../../node/delivery/channel.ts'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { createDevice, decodeOwnKeys, deviceEntry, type OwnKeys } from '../../../node/identity/device-keys.ts'
import { createIdentityRecord, readIdentityRecord } from '../../../node/identity/records.ts'
import { encodeMailboxes } from '../../../node/mailbox/generations.ts'
import { friendMailbox, KIND, reachMailbox, reachQuarter, sealCopy } from '../../../node/mailbox/keys.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { createLeg1 } from '../../../node/session/leg1.ts'
import { ENVELOPE_KIND, envelopePrefix } from '../../../node/wire/envelope.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { TABLE } from '../../../node/ports.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { type Person, say, textsOf } from '../../simulation/people.ts'
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
  type Stranger,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

const problemsOf = async (person: Person): Promise<string[]> =>
  (await person.do((it) => it.status())).problems.map(({ code }) => code)

const verifiedBy = async (person: Person): Promise<boolean[]> =>
  (await person.do((it) => it.friends())).map(({ verified }) => verified)

/** States of healing that a person was told, in their order. */
async function healingOf(person: Person): Promise<string[]> {
  return (await eventsOf(person))
    .filter(({ event }) => event === 'healing')
    .map(({ detail }) => String(detail['state']))
}

/** Waits until each of these was told so often that it is healed. */
async function untilHealed({ world }: Village, people: Person[], forMs = HOUR, times = 1): Promise<void> {
  for (let passed = 0; passed < forMs; passed += MINUTE) {
    await world.pass(MINUTE)
    const logs = await Promise.all(people.map((person) => person.do((it) => it.eventsSince(0, 100_000))))
    if (logs.every((log) => log.filter(({ detail }) => detail['state'] === 'healed').length >= times)) return
  }
  throw new Error('it does not heal')
}

async function lanesOf(village: Village, person: Person, friend: Person) {
  const channel = await loadChannel(diskOf(village, person), await idOf(friend))
  return { sending: sendingLane(channel), lanes: channel.lanes, mailboxes: channel.mailboxes }
}

/** Both send in the same session, which is another than that of `rekey`. */
async function expectOneSession(village: Village, rekey: number): Promise<void> {
  const { alice, bob } = village
  const a = (await lanesOf(village, alice, bob)).sending!
  const b = (await lanesOf(village, bob, alice)).sending!
  expect(toHex(a.id)).to.equal(toHex(b.id))
  expect(a.session.rekey).to.be.above(rekey)
  for (const [reader, writer] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const { secret } = (await lanesOf(village, reader, writer)).mailboxes.reading.at(-1)!
    const { writing } = (await lanesOf(village, writer, reader)).mailboxes
    expect(toHex(writing!.secret), `${writer.name} writes where ${reader.name} reads`).to.equal(toHex(secret))
  }
}

/** Takes every session of a person with a friend from the disk. */
async function loseSessions({ world }: Village, person: Person, friend: Person): Promise<void> {
  world.crash(person.name)
  const scope = await idOf(friend)
  const image = world.disk(person.name).image()
  const rows = image.rows.list({ table: TABLE.session, scope, from: Buffer.from('l'), to: Buffer.from('m') })
  expect(rows).to.not.have.lengthOf(0)
  image.rows.apply(rows.map(({ position }) => ({ key: { table: TABLE.session, scope, position }, value: undefined })))
  world.disk(person.name).restore(image)
}

/** Puts copies that open and hold nothing; how many the relay took. */
async function putGarbage(village: Village, stranger: Stranger, secret: Uint8Array, count: number): Promise<number> {
  return await stranger.do(async (ports) => {
    const link = await ports.network.connect(village.addresses[0]!)
    const client = createMailboxClient({ ...ports, link })
    const { writer, reader, address, copyKey } = friendMailbox(secret, link.peerId)
    const now = Math.floor(ports.clock.now() / 1000)
    await client.claim({ kind: KIND.friend, writer, reader, until: now + 90 * 86_400 })
    let taken = 0
    for (let i = 0; i < count; i++) {
      const prefix = envelopePrefix(ENVELOPE_KIND.pairwise, ports.random.bytes(16), Math.ceil(now / 86_400) + 30)
      const envelope = concat(prefix, ports.random.bytes(4096 - prefix.length))
      const copy = sealCopy(copyKey, ports.random.bytes(24), envelope)
      const { status } = await client.put({ address, writerSeed: writer.seed, copy, expires: now + 86_400 })
      if (status === 'stored') taken++
    }
    client.close()
    return taken
  })
}

/** A relay that hands out, at each pull, what it is given besides: of a friend who has it put as fast as it is taken. */
function brimming() {
  let storeId: Uint8Array | undefined
  let [given, left] = [0, 0]
  let makeCopy: (n: number) => { address: Uint8Array; copy: Uint8Array } = () => expect.fail('nothing to hand out')
  let server: Uint8Array | undefined
  const tapped = tapFrames(
    () => undefined,
    (verb, answer) => {
      const { status, body } = decode(wire.answer, answer, MAX_FRAME_BYTES)
      if (verb === wire.VERB.hello && status === wire.STATUS.ok) {
        storeId = decode(wire.helloAnswer, body, MAX_FRAME_BYTES).storeId
      }
      return answer
    },
    (verb) => {
      if (verb !== wire.VERB.pull || left === 0) return undefined
      const count = Math.min(left, 50)
      left -= count
      const items = Array.from({ length: count }, () => ({ ...makeCopy(given++), position: 1_000_000 + given }))
      const body = encode(wire.readAnswer, { storeId: storeId!, items, more: 0 })
      return encode(wire.answer, { status: wire.STATUS.ok, body })
    },
  )
  const hooks: typeof tapped = {
    ports: (ports) => {
      server = ports.network.peerId
      return tapped.ports!(ports)
    },
  }
  return {
    hooks,
    server: () => server!,
    given: () => given,
    pour: (count: number, make: typeof makeCopy): void => {
      left += count
      makeCopy = make
    },
  }
}

/** A number as so many bytes. */
function u128(n: number, length = 16): Uint8Array {
  return concat(new Uint8Array(length - 8), u64(n))
}

const nowOf = ({ world }: Village): number => Math.floor(world.now / 1000)

/** Everything that an identity keeps. */
async function keysOf(village: Village, person: Person): Promise<OwnKeys> {
  const row = { table: TABLE.identity, scope: new Uint8Array(0), position: Buffer.from('keys') }
  return decodeOwnKeys((await diskOf(village, person).get(row))!)
}

/** The same identity with a second device, which speaks. */
function withDevice(keys: OwnKeys, device: OwnKeys['device'], now: number): OwnKeys {
  const { inception, devices } = readIdentityRecord(keys.records.at(-1)!.record).record
  const root = ed25519KeyPair(keys.rootSeed)
  const record = createIdentityRecord({ root, seq: now, inception, devices: [...devices, deviceEntry(device)] })
  return { ...keys, device, records: [...keys.records, { seq: now, record: record.bytes }] }
}

/** Leaves a leg 1 of `as` where `from` leaves legs for `to`. */
async function putLeg1(village: Village, { from, to, as }: { from: Person; to: Person; as: OwnKeys }): Promise<void> {
  const theirs = await keysOf(village, to)
  const contacts = await loadContacts(diskOf(village, from))
  const { reach, rekey } = contacts.find(({ petname }) => petname === to.name)!
  const { stranger } = await startStranger(village, 'mallory')
  await stranger.do(async (ports) => {
    const now = Math.floor(ports.clock.now() / 1000)
    const { leg } = createLeg1({
      random: (length) => ports.random.bytes(length),
      now,
      self: {
        record: as.records.at(-1)!.record,
        device: deviceEntry(as.device).signing,
        identitySecret: as.device.identity,
      },
      peer: { record: theirs.records.at(-1)!.record, prekeyRecord: theirs.prekeys.at(-1)!.record },
      request: { replySecret: new Uint8Array(32), relays: village.addresses, rekey, name: 'mallory', note: '' },
    })
    const link = await ports.network.connect(village.addresses[0]!)
    const client = createMailboxClient({ ...ports, link })
    const { writer, reader, address, copyKey } = reachMailbox(reach![0]!.out, link.peerId, reachQuarter(now))
    const claimed = await client.claim({ kind: KIND.reach, writer, reader, until: now + 90 * 86_400 })
    expect(claimed.status).to.equal('claimed')
    const copy = sealCopy(copyKey, ports.random.bytes(24), concat(leg, new Uint8Array(40)))
    const { status } = await client.put({ address, writerSeed: writer.seed, copy, expires: now + 86_400 })
    expect(status).to.equal('stored')
    client.close()
  })
}

describe('healing', function () {
  this.timeout(60_000)

  for (const [who, other] of [
    ['alice', 'bob'],
    ['bob', 'alice'],
  ] as const) {
    it(`T52 ${who}'s home that was put back by a day heals without its owner`, async () => {
      const village = await createVillage(850 + who.length)
      const { world } = village
      const [back, friend] = [village[who], village[other]]
      const early = [await sayOnce(village, back, friend, 'early'), await sayOnce(village, friend, back, 'hello')]
      await untilRest(village)
      await back.do((it) => it.verify(other, {}))
      const yesterday = world.disk(who).image()
      await world.pass(DAY)
      for (const text of ['one', 'two', 'three']) await say(back, friend, text)
      await untilRest(village)
      await say(friend, back, 'seen and lost')
      await untilRest(village)
      world.crash(who)
      world.disk(who).restore(yesterday)
      await world.restart(who)
      // it does not know yet, and seals under a key that was used: nothing to the friend, and not lost
      const sent = [...early, await sayOnce(village, back, friend, 'four')]
      sent.push(await sayOnce(village, friend, back, 'did you get home?'))
      await untilHealed(village, [back], 2 * HOUR)
      await untilRest(village, HOUR)
      sent.push(await sayOnce(village, back, friend, 'five'), await sayOnce(village, friend, back, 'six'))
      await untilRest(village, HOUR)
      expect(await problemsOf(back)).to.deep.equal([])
      expect(await verifiedBy(back)).to.deep.equal([true])
      expect(await verifiedBy(friend)).to.deep.equal([false])
      await expectOneSession(village, 1)
      for (const { messageId, text } of sent) {
        for (const [reader, writer] of [
          [back, friend],
          [friend, back],
        ] as const) {
          const found = (await historyOf(reader, writer)).filter((entry) => entry.messageId === messageId)
          expect(
            found.map((entry) => [entry.text, entry.state]),
            `${text} at ${reader.name}`,
          ).to.deep.equal([[text, 'delivered']])
        }
      }
      // what `friend` said next refers to one of the four that are gone, and counts three more than what is here
      const { missing } = (await historyOf(back, friend)).find(({ text }) => text === 'did you get home?')!
      expect(missing).to.equal(3)
      expect((await historyOf(friend, back)).filter((entry) => entry.missing !== undefined)).to.deep.equal([])
      // what was written without the lost ones stands beside them
      const texts = ['early', 'one', 'two', 'three', 'four', 'five']
      expect(await friend.do(() => textsOf(friend, back))).to.have.members(texts)
    })
  }

  it('T27 one side has no session at all, and both talk on in a new one', async () => {
    const village = await createVillage(860)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'one'), await sayOnce(village, bob, alice, 'two')]
    await untilRest(village)
    await loseSessions(village, bob, alice)
    sent.push(await sayOnce(village, alice, bob, 'while you slept'))
    await world.restart('bob')
    sent.push(await sayOnce(village, bob, alice, 'back'))
    expect(await problemsOf(bob)).to.deep.equal(['SESSION_BROKEN'])
    await untilHealed(village, [bob], 10 * MINUTE)
    expect(await problemsOf(bob)).to.deep.equal([])
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    await expectOneSession(village, 1)
    expect(await healingOf(bob)).to.deep.equal(['started', 'healed'])
    expect(await healingOf(alice)).to.deep.equal(['answered', 'healed'])
  })

  it('T27 a leg of somebody whose clock is more than an hour ahead waits for its time, and is answered then', async () => {
    const village = await createVillage(869)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'one')]
    await untilRest(village)
    await loseSessions(village, bob, alice)
    world.skew('bob', 90 * MINUTE)
    await world.restart('bob')
    sent.push(await sayOnce(village, bob, alice, 'is it so late?'))
    await untilHealed(village, [bob], 3 * HOUR)
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('T27, T51 both sides lost their sessions and ask at once: one session and its mailboxes are left', async () => {
    const village = await createVillage(861)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'one')]
    await untilRest(village)
    await loseSessions(village, alice, bob)
    await loseSessions(village, bob, alice)
    await world.restart('alice')
    await world.restart('bob')
    sent.push(await sayOnce(village, alice, bob, 'two'), await sayOnce(village, bob, alice, 'three'))
    await untilHealed(village, [alice, bob])
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    await expectOneSession(village, 1)
  })

  it('T52 a home that is known to be changed heals by itself, and seals nothing before', async () => {
    let isHomeChanged = false
    const village = await createVillage(862, {
      node: {
        get isHomeChanged() {
          return isHomeChanged
        },
      },
    })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('alice')
    const sent = [await sayOnce(village, bob, alice, 'while you were away')]
    isHomeChanged = true
    await world.restart('alice')
    isHomeChanged = false
    expect(await codeOf(alice.do((it) => it.send('bob', 'one')))).to.equal('ROLLED_BACK')
    await untilHealed(village, [alice])
    expect(await problemsOf(alice)).to.deep.equal([])
    sent.push(await sayOnce(village, alice, bob, 'it is me'), await sayOnce(village, bob, alice, 'welcome back'))
    await untilRest(village, HOUR)
    expect((await lanesOf(village, alice, bob)).lanes.map(({ session }) => session.rekey)).to.deep.equal([2, 1])
    // nothing that was sealed in the old session is alive after a month
    world.crash('alice')
    world.crash('bob')
    await passDays(village, 33)
    await world.restart('alice')
    await world.restart('bob')
    await world.pass(2 * MINUTE)
    for (const [one, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      expect((await lanesOf(village, one, other)).lanes.map(({ session }) => session.rekey)).to.deep.equal([2])
    }
    sent.push(await sayOnce(village, alice, bob, 'a month later'))
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('T27 goes on where each of the two crashes at each point of it, and with the relay away', async () => {
    const village = await createVillage(863)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'hello')]
    await untilRest(village)
    for (const [round, crashed] of ['alice', 'bob', 'alice', 'bob', 'relay1'].entries()) {
      await loseSessions(village, bob, alice)
      await world.restart('bob')
      sent.push(
        await sayOnce(village, alice, bob, `alice ${round}`),
        await sayOnce(village, bob, alice, `bob ${round}`),
      )
      // legs travel in the first second after a minute
      await world.pass(MINUTE + round * 120)
      world.crash(crashed)
      if (crashed === 'relay1') await world.pass(5 * MINUTE)
      await world.restart(crashed)
      await untilHealed(village, [bob], DAY, round + 1)
      await untilRest(village, 2 * HOUR)
      await expectOneSession(village, round + 1)
      // so that none has to wait for the pace
      await passDays(village, 3)
    }
    await expectWholeTalk(village, sent)
  })

  it('T27 rubbish in a mailbox starts few rekeys, however often it comes', async () => {
    const village = await createVillage(864)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
    await untilRest(village)
    const { stranger } = await startStranger(village, 'mallory')
    let taken = 0
    for (let minute = 0; minute < 300; minute += 50) {
      // bob himself, gone mad: he holds the key to write, also of each new mailbox
      const { writing } = (await lanesOf(village, bob, alice)).mailboxes
      taken += await putGarbage(village, stranger, writing!.secret, 3)
      await world.pass(50 * MINUTE)
    }
    expect(taken).to.equal(18)
    const begun = (await eventsOf(alice)).filter(({ detail }) => detail['state'] === 'started').map(({ at }) => at)
    expect(begun).to.have.length.within(2, 3)
    for (const [i, at] of begun.slice(1).entries()) expect(at - begun[i]!).to.be.above(HOUR * 2 ** i - SECOND)
    sent.push(await sayOnce(village, alice, bob, 'still here'), await sayOnce(village, bob, alice, 'me too'))
    // the last rubbish goes with the next session, and receipts that found no room with the day
    await passDays(village, 2)
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('T27 ten thousand envelopes of rubbish start one rekey an hour at most, restarts or not, and mail flows on', async function () {
    this.timeout(120_000)
    const relay = brimming()
    const village = await createVillage(868, { relayHooks: relay.hooks, node: { profile: 'light' } })
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
    await untilRest(village)
    for (let portion = 0; portion < 10; portion++) {
      const { writing } = (await lanesOf(village, bob, alice)).mailboxes
      const { address, copyKey } = friendMailbox(writing!.secret, relay.server())
      const until = Math.ceil(nowOf(village) / 86_400) + 30
      relay.pour(1000, (n) => {
        const envelope = concat(envelopePrefix(ENVELOPE_KIND.pairwise, u128(n), until), new Uint8Array(4096 - 20))
        return { address, copy: sealCopy(copyKey, u128(n, 24), envelope) }
      })
      if (portion % 3 === 1) await world.restart('alice')
      sent.push(await sayOnce(village, bob, alice, `portion ${portion}`))
      await world.pass(40 * MINUTE)
    }
    expect(relay.given()).to.equal(10_000)
    const begun = (await eventsOf(alice)).filter(({ detail }) => detail['state'] === 'started').map(({ at }) => at)
    expect(begun).to.have.length.within(2, 3)
    for (const [i, at] of begun.slice(1).entries()) expect(at - begun[i]!).to.be.above(HOUR * 2 ** i - SECOND)
    sent.push(await sayOnce(village, alice, bob, 'still here'))
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('what a friend who writes leaves unacknowledged for three days goes in a new session', async () => {
    const village = await createVillage(865, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
    await untilRest(village)
    // alice reads where bob does not write
    world.crash('alice')
    const scope = await idOf(bob)
    const { mailboxes } = await lanesOf(village, alice, bob)
    const reading = mailboxes.reading.map((box) => ({ ...box, secret: new Uint8Array(32).fill(9) }))
    const key = { table: TABLE.session, scope, position: Buffer.from('b') }
    const image = world.disk('alice').image()
    image.rows.apply([{ key, value: encodeMailboxes({ ...mailboxes, reading }) }])
    world.disk('alice').restore(image)
    await world.restart('alice')
    sent.push(await sayOnce(village, bob, alice, 'do you read this?'))
    for (let day = 0; day < 5; day++) {
      sent.push(await sayOnce(village, alice, bob, `day ${day}`))
      await world.pass(DAY)
      if (day < 2) expect(await healingOf(bob), `on day ${day}`).to.deep.equal([])
    }
    await untilRest(village, DAY)
    expect(await healingOf(bob)).to.deep.equal(['started', 'healed'])
    await expectWholeTalk(village, sent)
  })

  it('T28 a leg of another ID in a friend’s reach mailbox changes nothing', async () => {
    const village = await createVillage(866)
    const { world, alice, bob } = village
    await untilRest(village)
    await bob.do((it) => it.verify('alice', {}))
    const carol = await settle(village, 'carol')
    await world.pass(2 * MINUTE)
    const before = await lanesOf(village, bob, alice)
    await putLeg1(village, { from: alice, to: bob, as: await keysOf(village, carol) })
    await world.pass(10 * MINUTE)
    expect((await lanesOf(village, bob, alice)).lanes.map(({ id }) => toHex(id))).to.deep.equal(
      before.lanes.map(({ id }) => toHex(id)),
    )
    expect(await healingOf(bob)).to.deep.equal([])
    expect(await bob.do((it) => it.friends())).to.have.lengthOf(1)
  })

  for (const isVerified of [false, true]) {
    it(`T28 a new device of a friend who is ${isVerified ? '' : 'not '}verified is told, and leaves it at that`, async () => {
      const village = await createVillage(867 + Number(isVerified))
      const { world, alice, bob } = village
      await untilRest(village)
      if (isVerified) await bob.do((it) => it.verify('alice', {}))
      await world.pass(2 * MINUTE)
      const keys = await keysOf(village, alice)
      const device = createDevice({ bytes: (length) => new Uint8Array(length).fill(5) }, nowOf(village))
      await putLeg1(village, { from: alice, to: bob, as: withDevice(keys, device, nowOf(village)) })
      await world.pass(10 * MINUTE)
      expect(await healingOf(bob)).to.deep.equal(['answered'])
      const told = (await eventsOf(bob)).filter(({ detail }) => detail['newDevice'] === true)
      expect(told.map(({ detail }) => detail['verified'])).to.deep.equal([isVerified])
      expect(await verifiedBy(bob)).to.deep.equal([isVerified])
    })
  }
})
