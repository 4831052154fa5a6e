/**
 * A root key that is replaced (PROTOCOL 1 and 2): the owner has the words, the ID stays, friends follow by themselves, nobody
 * who was compared stays so, and what waits arrives once.
 */
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { kemKeyPair } from '../../../node/crypto/kem.ts'
import { x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { loadChannel, sendingLane } from '../../../node/delivery/channel.ts'
import { createMailboxClient, type MailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { createDevice, deviceEntry } from '../../../node/identity/device-keys.ts'
import { identityRecordKey, prekeyRecordKey } from '../../../node/identity/record-keys.ts'
import { createIdentityRecord, createPrekeyRecord, readIdentityRecord } from '../../../node/identity/records.ts'
import { TABLE } from '../../../node/ports.ts'
import { HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { type Person, phraseOf, startPerson, textsOf } from '../../simulation/people.ts'
import type { SimPorts } from '../../simulation/world.ts'
import { keysOf } from './thief.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  historyOf,
  idOf,
  sayOnce,
  startStranger,
  untilRest,
  type Village,
} from './village.ts'

async function rotate(village: Village, person: Person): Promise<void> {
  const words = phraseOf(village.world, person)
  await person.do((it) => it.rotateIdentity(words))
}

const viewOf = async (person: Person, friend: Person) =>
  (await person.do((it) => it.friends())).find(({ petname }) => petname === friend.name)!

async function atRelay<T>(village: Village, ports: SimPorts, use: (client: MailboxClient) => Promise<T>): Promise<T> {
  const link = await ports.network.connect(village.addresses[0]!)
  const client = createMailboxClient({ ...ports, link })
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** The record of a friend that a person believes. */
async function believedBy(village: Village, person: Person, friend: Person) {
  const contacts = await loadContacts(diskOf(village, person))
  return readIdentityRecord(contacts.find(({ petname }) => petname === friend.name)!.record!)
}

async function laneOf(village: Village, person: Person, friend: Person): Promise<string> {
  const lane = sendingLane(await loadChannel(diskOf(village, person), await idOf(friend)))
  return lane ? toHex(lane.id) : 'none'
}

/** Lets time go by until a person believes a record of so many key events. */
async function untilFollowed(village: Village, person: Person, friend: Person, events = 1): Promise<void> {
  for (let passed = 0; passed < 2 * HOUR; passed += 30 * SECOND) {
    if ((await believedBy(village, person, friend)).head.events === events) return
    await village.world.pass(30 * SECOND)
  }
  throw new Error(`${person.name} does not follow`)
}

describe('a root key that is replaced', function () {
  this.timeout(60_000)

  it('T49 overrules a thief of root key and device who published the highest possible records, everywhere', async () => {
    const village = await createVillage(901)
    const { world, alice, bob } = village
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    const { stranger: thief } = await startStranger(village, 'mallory')
    const stolen = await keysOf(village, alice)
    const key = identityRecordKey(await idOf(alice))

    /** Signs what a thief of everything but the words can sign, as high as anybody takes it, and leaves it wherever records lie. */
    const publish = async (): Promise<Uint8Array> =>
      await thief.do(async (ports) => {
        const seq = Math.floor(ports.clock.now() / 1000) + 3600
        const own = createDevice(ports.random, seq - 3600)
        const { inception } = readIdentityRecord(stolen.records.at(-1)!.record).record
        const { bytes: record } = createIdentityRecord({
          root: ed25519KeyPair(stolen.rootSeed),
          seq,
          inception,
          devices: [deviceEntry(own)],
          revoked: [deviceEntry(stolen.device).signing],
        })
        await ports.network.putRecord(key, record)
        const { bytes: prekey } = createPrekeyRecord({
          id: readIdentityRecord(record).id,
          device: ed25519KeyPair(stolen.device.signing),
          seq,
          prekey: x25519KeyPair(ports.random.bytes(32)).public,
          kem: kemKeyPair(ports.random.bytes(64)).public,
        })
        await ports.network.putRecord(prekeyRecordKey(deviceEntry(stolen.device).signing), prekey)
        await atRelay(village, ports, (client) => client.putRecord({ key, record }))
        return record
      })
    const kept = (): Promise<Uint8Array> =>
      thief.do((ports) =>
        atRelay(village, ports, async (client) => {
          const answer = await client.getRecord(key)
          if (answer.status !== 'ok') throw new Error(`the relay says ${answer.status}`)
          return answer.record
        }),
      )

    const theirs = await publish()
    expect(await kept()).to.deep.equal(theirs)
    await world.eventually(async () => (await bob.it.friends())[0]!.keysChanged === true, HOUR)
    expect(await codeOf(bob.do((it) => it.send('alice', 'a secret')))).to.equal('KEY_CHANGED')
    expect((await bob.do((it) => it.status())).problems.map(({ code }) => code)).to.deep.equal(['KEYS_CHANGED'])
    const alarms = (await eventsOf(alice)).filter(({ event }) => event === 'alarm')
    expect(alarms.map(({ detail }) => detail['kind'])).to.include('not-ours')

    await rotate(village, alice)
    await untilFollowed(village, bob, alice)
    const { bytes: owners } = readIdentityRecord((await keysOf(village, alice)).records.at(-1)!.record)
    expect((await believedBy(village, bob, alice)).bytes).to.deep.equal(owners)
    // again, as high as it is possible then, wherever records lie
    await world.pass(2 * HOUR)
    await publish()
    await world.pass(HOUR)
    expect(await kept()).to.deep.equal(owners)
    expect((await believedBy(village, bob, alice)).bytes).to.deep.equal(owners)
    world.crash('mallory')
    const { stranger: reader } = await startStranger(village, 'reader')
    expect(await reader.do((ports) => ports.network.getRecord(key))).to.deep.equal([owners])

    await bob.do((it) => it.trust('alice'))
    await sayOnce(village, bob, alice, 'I know it was not you')
    await sayOnce(village, alice, bob, 'good to be back')
    await untilRest(village, 2 * HOUR)
    expect(await alice.do(() => textsOf(alice, bob))).to.include('I know it was not you')
    expect(await bob.do(() => textsOf(bob, alice))).to.include('good to be back')
  })

  it('T49 shuts out a thief who runs the whole stolen home', async () => {
    const village = await createVillage(905, { node: { trust: 'notify' } })
    const { world, alice, bob, addresses } = village
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    const stolen = world.disk('alice').image()
    await rotate(village, alice)
    await untilFollowed(village, bob, alice)
    await sayOnce(village, bob, alice, 'so it is you')
    await sayOnce(village, alice, bob, 'yes')
    await untilRest(village, 2 * HOUR)

    world.disk('mallory').restore(stolen)
    const mallory = await startPerson(world, 'mallory', { relays: addresses })
    await mallory.do((it) => it.send('bob', 'lend me some money'))
    // long enough for the stolen home to try new sessions too
    await world.pass(3 * HOUR)
    await sayOnce(village, bob, alice, 'and now a secret')
    await world.pass(HOUR)
    expect(await bob.do(() => textsOf(bob, alice)))
      .to.include('yes')
      .and.to.not.include('lend me some money')
    expect(
      await mallory.do(async (it) => (await it.history({ who: 'bob', limit: 99 })).map(({ text }) => text)),
    ).to.not.include('and now a secret')
    expect((await historyOf(bob, alice)).at(-1)).to.include({ text: 'and now a secret', state: 'delivered' })
  })

  it('takes one durable step, the friends’ sessions and what is told of it included', async () => {
    const village = await createVillage(902)
    await untilRest(village)
    const { written } = village.villagers.get('alice')!
    const before = written.length
    await rotate(village, village.alice)
    const steps = written.slice(before).filter((rows) => rows.some(({ key }) => key.table === TABLE.identity))
    const tables = steps[0]!.map(({ key }) => key.table)
    expect(tables).to.include.members([TABLE.identity, TABLE.session, TABLE.history, TABLE.event])
    expect(await codeOf(village.alice.do((it) => it.rotateIdentity('no words')))).to.equal('BAD_WORDS')
    const other = phraseOf(village.world, village.bob)
    expect(await codeOf(village.alice.do((it) => it.rotateIdentity(other)))).to.equal('WRONG_WORDS')
    expect(readIdentityRecord((await keysOf(village, village.alice)).records.at(-1)!.record).head.events).to.equal(1)
  })

  for (const who of ['alice', 'bob'] as const) {
    it(`loses no request that waits: ${who === 'alice' ? 'the one who was asked' : 'the one who asks'} rotates`, async () => {
      const village = await createVillage(904, { friends: false })
      const { world, alice, bob } = village
      const { invite } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
      await bob.do((it) => it.add({ target: invite, petname: 'alice' }))
      await world.eventually(async () => (await alice.it.requests()).length === 1, HOUR)
      if (who === 'alice') {
        await rotate(village, alice)
        await alice.do((it) => it.accept('bob', 'bob'))
      } else {
        // the answer to what was asked with the old keys comes to the new ones
        world.crash('bob')
        await alice.do((it) => it.accept('bob', 'bob'))
        await world.pass(MINUTE)
        world.net.partition('bob', 'relay1')
        await world.restart('bob')
        await rotate(village, bob)
        world.net.heal()
      }
      const states = async (): Promise<string[]> =>
        [...(await alice.it.friends()), ...(await bob.it.friends())].map(({ state }) => state)
      await world.eventually(async () => (await states())[1] === 'friend', 2 * HOUR)
      // who asked sends nothing to keys that they had not seen when they did
      if (who === 'alice') await bob.do((it) => it.trust('alice'))
      await world.eventually(async () => (await states()).join() === 'friend,friend', 2 * HOUR)
      expect(await alice.do((it) => it.invites()), 'a use of the invite').to.deep.equal([])
      // who asked was answered by other keys than those that they had seen, or asked with others
      await world.pass(2 * HOUR)
      for (const [one, other] of [
        [alice, bob],
        [bob, alice],
      ] as const) {
        await one.do((it) => it.trust(other.name))
      }
      const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
      await untilRest(village, 2 * HOUR)
      for (const { text } of sent) expect((await historyOf(alice, bob)).map((entry) => entry.text)).to.include(text)
    })
  }

  it('is told, and stops nothing, where a friend’s node is told to notify', async () => {
    const village = await createVillage(903, { node: { trust: 'notify' } })
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'hello')]
    await untilRest(village)
    await world.pass(2 * MINUTE)
    await rotate(village, alice)
    // the node ends in the middle of it, and goes on
    world.crash('alice')
    await world.restart('alice')
    await untilFollowed(village, bob, alice)
    sent.push(await sayOnce(village, bob, alice, 'so it is you'), await sayOnce(village, alice, bob, 'yes'))
    await untilRest(village, 2 * HOUR)
    expect(await viewOf(bob, alice)).to.include({ verified: false, keysChanged: true })
    const texts = (await historyOf(alice, bob)).filter(({ type }) => type === 'text')
    expect(texts.map(({ text }) => text)).to.have.members(sent.map(({ text }) => text))
  })

  it('is followed by friends, who are told, and write again once they accepted it', async () => {
    const village = await createVillage(900)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'one'), await sayOnce(village, bob, alice, 'two')]
    await untilRest(village)
    await bob.do((it) => it.verify('alice', {}))
    const { safetyNumber: before } = await bob.do((it) => it.verify('alice'))
    const id = await alice.do((it) => it.id)
    const lane = await laneOf(village, bob, alice)
    await world.pass(2 * MINUTE)

    await rotate(village, alice)
    expect(await alice.do((it) => it.id)).to.equal(id)
    sent.push(await sayOnce(village, alice, bob, 'it is still me'))
    await untilFollowed(village, bob, alice)

    expect(await viewOf(bob, alice)).to.include({ verified: false, trust: 'changed', keysChanged: true })
    const told = (await eventsOf(bob)).filter(({ detail }) => detail['keyChanged'] === true)
    expect(
      told.map(({ detail }) => [detail['wasVerified'], detail['newDevice'], detail['deviceRevoked']]),
    ).to.deep.equal([[true, true, true]])
    expect(await codeOf(bob.do((it) => it.send('alice', 'three')))).to.equal('KEY_CHANGED')
    await world.eventually(async () => (await textsOf(bob, alice)).includes('it is still me'), HOUR)
    await world.pass(HOUR)
    // nothing was said to keys that nobody accepted
    expect(await laneOf(village, bob, alice)).to.equal('none')
    expect((await historyOf(alice, bob)).at(-1)!.state).to.not.equal('delivered')

    const { safetyNumber: after } = await bob.do((it) => it.verify('alice'))
    expect(after).to.not.equal(before)
    expect((await alice.do((it) => it.verify('bob'))).safetyNumber).to.equal(after)
    await bob.do((it) => it.verify('alice', { number: after }))
    expect(await viewOf(bob, alice)).to.deep.include({ verified: true, trust: 'verified' })
    expect(await viewOf(bob, alice)).to.not.have.property('keysChanged')
    sent.push(await sayOnce(village, bob, alice, 'three'))
    await untilRest(village, HOUR)
    expect(await laneOf(village, bob, alice)).to.equal(await laneOf(village, alice, bob))
    expect(await laneOf(village, bob, alice)).to.not.equal(lane)
    for (const [reader, writer] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const history = await historyOf(reader, writer)
      const texts = history.filter(({ type }) => type === 'text')
      expect(texts.map(({ text }) => text).toSorted()).to.deep.equal(sent.map(({ text }) => text).toSorted())
      for (const { state, text } of texts) expect(state, text).to.equal('delivered')
      expect(history.filter(({ type }) => type === 'notice')).to.have.lengthOf(1)
      expect(history.filter(({ missing }) => missing !== undefined)).to.deep.equal([])
    }
  })
})
