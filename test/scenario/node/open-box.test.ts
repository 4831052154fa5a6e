/**
 * People who take requests from anybody who knows their ID (PROTOCOL 3 and 7): found and asked by the ID alone, looked for
 * until they are there, no more once they ask for an invite; and what strangers can do to the box (T43).
 */
import { expect } from 'chai'
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { untypeKey } from '../../../node/crypto/key-type.ts'
import { createMailboxClient, type MailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { identityRecordKey, prekeyRecordKey } from '../../../node/identity/record-keys.ts'
import {
  compareHeads,
  type IdentityView,
  type PrekeyView,
  readIdentityRecord,
  readPrekeyRecord,
} from '../../../node/identity/records.ts'
import { idToText } from '../../../node/identity/root.ts'
import { LEG_BYTES, MAX_REQUESTS_THROUGH_BOX } from '../../../node/limits.ts'
import { KIND, KINDS, openBox } from '../../../node/mailbox/keys.ts'
import { createLeg1 } from '../../../node/session/leg1.ts'
import { copyId } from '../../../node/wire/commands.ts'
import { REQUEST_POLICY } from '../../../node/wire/records.ts'
import { HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import type { Person } from '../../simulation/people.ts'
import { testPerson } from '../../support/identity-fixtures.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  expectWholeTalk,
  idOf,
  passDays,
  sayOnce,
  settle,
  startStranger,
  type Stranger,
  type Village,
} from './village.ts'

const MAX_SLOTS_PER_SOURCE = 4

/** A village in which everybody may ask carol, who has been there for a minute. */
async function withCarol(seed: number, relays = 1): Promise<Village & { carol: Person; id: string }> {
  const village = await createVillage(seed, { friends: false, relays })
  const carol = await settle(village, 'carol', { requests: 'open' })
  // with several relays the time is waited for before anything is signed
  await village.world.pass(2 * MINUTE)
  return { ...village, carol, id: idToText(await idOf(carol)) }
}

async function stateOf(person: Person, petname: string): Promise<string | undefined> {
  return (await person.it.friends()).find((one) => one.petname === petname)?.state
}

/** carol's records as a stranger finds them in the DHT. */
async function recordsOf(stranger: Stranger, id: Uint8Array): Promise<{ identity: IdentityView; prekey: PrekeyView }> {
  return stranger.do(async ({ network }) => {
    const views = (await network.getRecord(identityRecordKey(id))).map((bytes) => readIdentityRecord(bytes))
    const identity = views.toSorted((a, b) => compareHeads(b.head, a.head))[0]!
    const [prekey] = await network.getRecord(prekeyRecordKey(identity.record.devices[0]!.signing))
    return { identity, prekey: readPrekeyRecord(prekey!) }
  })
}

function boxOf({ id, record }: IdentityView): ReturnType<typeof openBox> {
  return openBox(id, untypeKey('ed25519', record.requestReader!))
}

async function atRelay<R>(stranger: Stranger, relay: string, work: (client: MailboxClient) => Promise<R>): Promise<R> {
  return stranger.do(async (ports) => {
    const client = createMailboxClient({ ...ports, link: await ports.network.connect(relay) })
    try {
      return await work(client)
    } finally {
      client.close()
    }
  })
}

/** Leaves legs in carol's box; what the relay says of each. */
async function knock(
  { world, addresses }: Village,
  stranger: Stranger,
  identity: IdentityView,
  legs: Uint8Array[],
): Promise<string[]> {
  const { writer, address } = boxOf(identity)
  return atRelay(stranger, addresses[0]!, async (client) => {
    const said: string[] = []
    for (const leg of legs) {
      const expires = Math.floor(world.now / 1000) + 86_400
      said.push((await client.request({ address, writerSeed: writer.seed, leg, expires })).status)
    }
    return said
  })
}

/** A leg 1 for whoever has these records, as it lies in their box, of a guest by number. */
function legOf({ world, addresses }: Village, peer: { identity: IdentityView; prekey: PrekeyView }, guest: number) {
  const now = Math.floor(world.now / 1000)
  const person = testPerson(guest)
  const own = person.record({ seq: now })
  const { leg } = createLeg1({
    random: (length) => world.random.bytes(length),
    now,
    self: {
      record: own.bytes,
      device: own.record.devices[0]!.signing,
      identitySecret: person.device.identity,
    },
    peer: { record: peer.identity.bytes, prekeyRecord: peer.prekey.bytes },
    request: { replySecret: world.random.bytes(32), relays: addresses, rekey: 0, name: 'g', note: '' },
  })
  return concat(leg, world.random.bytes(40))
}

describe('somebody who takes requests from anybody', () => {
  it('is found, asked and answered by the ID alone', async () => {
    const village = await withCarol(1, 2)
    const { world, bob, carol, id } = village
    const added = await bob.do((it) => it.add({ target: id, petname: 'carol', note: 'we met in Ghent' }))
    expect(added).to.include({ id, state: 'outgoing' })
    await world.eventually(async () => (await carol.it.requests()).length === 1, MINUTE)
    const [request] = await carol.do((it) => it.requests())
    expect(request).to.include({ name: 'bob', note: 'we met in Ghent' })
    await carol.do((it) => it.accept('bob', 'bob'))
    await world.eventually(async () => (await stateOf(bob, 'carol')) === 'friend', MINUTE)
    await world.eventually(async () => (await stateOf(carol, 'bob')) === 'friend', MINUTE)
    const sent = [await sayOnce(village, bob, carol, 'hello'), await sayOnce(village, carol, bob, 'and to you')]
    await world.pass(5 * MINUTE)
    await expectWholeTalk({ ...village, alice: carol }, sent)
    // the box is not used up
    await village.alice.do((it) => it.add({ target: id.toUpperCase(), petname: 'carol' }))
    await world.eventually(async () => (await carol.it.requests()).length === 1, MINUTE)
  })

  it('is asked once they are found, however long that takes, over a restart', async () => {
    const village = await createVillage(2, { friends: false })
    const { world, bob } = village
    world.net.partition('carol', ['relay1', 'alice', 'bob'])
    const carol = await settle(village, 'carol', { requests: 'open' })
    const id = idToText(await idOf(carol))
    expect(await bob.do((it) => it.add({ target: id, petname: 'carol' }))).to.include({ state: 'outgoing' })
    const [waiting] = await bob.do((it) => it.friends())
    expect(waiting).to.include({ state: 'outgoing', reason: 'their records were not found yet' })
    await world.pass(HOUR)
    await world.restart('bob')
    await world.pass(HOUR)
    expect(await stateOf(bob, 'carol')).to.equal('outgoing')
    world.net.heal()
    await world.eventually(async () => (await carol.it.requests()).length === 1, 3 * HOUR)
    expect((await bob.do((it) => it.friends()))[0]).to.not.have.property('reason')
    await carol.do((it) => it.accept('bob', 'bob'))
    await world.eventually(async () => (await stateOf(bob, 'carol')) === 'friend', MINUTE)
  })

  it('is asked once more every day, and is there after ten days', async () => {
    const village = await withCarol(3)
    const { world, bob, carol, id } = village
    world.crash('carol')
    await bob.do((it) => it.add({ target: id, petname: 'carol' }))
    await world.pass(MINUTE)
    // the relay loses what it has
    world.crash('relay1')
    world.disk('relay1').wipe()
    await world.restart('relay1')
    await passDays(village, 10)
    await world.restart('carol')
    await passDays(village, 2)
    expect(await carol.do((it) => it.requests())).to.have.lengthOf(1)
  })

  it('and asks for an invite from now on gives the box up, and is asked by ID no more', async () => {
    const village = await createVillage(4, { friends: false })
    const { world, bob, alice } = village
    let requests: 'open' | 'invite' = 'open'
    const carol = await settle(village, 'carol', {
      get requests() {
        return requests
      },
    })
    const id = idToText(await idOf(carol))
    const { stranger } = await startStranger(village, 'mallory')
    await world.pass(MINUTE)
    await bob.do((it) => it.add({ target: id, petname: 'carol' }))
    await world.eventually(async () => (await carol.it.requests()).length === 1, MINUTE)
    const before = await recordsOf(stranger, await idOf(carol))
    requests = 'invite'
    await world.restart('carol')
    await world.pass(5 * MINUTE)
    expect(await knock(village, stranger, before.identity, [world.random.bytes(LEG_BYTES)])).to.deep.equal(['released'])
    const after = await recordsOf(stranger, await idOf(carol))
    expect(after.identity.record.policy).to.equal(REQUEST_POLICY.invite)
    expect(after.identity.record).to.not.have.any.keys('requestReader', 'relays')
    expect(await codeOf(alice.do((it) => it.add({ target: id })))).to.equal('INVITE_NEEDED')
    // who asked in time can be answered still
    await carol.do((it) => it.accept('bob', 'bob'))
    await world.eventually(async () => (await stateOf(bob, 'carol')) === 'friend', MINUTE)
    // and another box is another mailbox: the old one is never claimed again
    requests = 'open'
    await world.restart('carol')
    await world.pass(5 * MINUTE)
    const again = await recordsOf(stranger, await idOf(carol))
    expect(boxOf(again.identity).address).to.not.deep.equal(boxOf(before.identity).address)
    await alice.do((it) => it.add({ target: id, petname: 'carol' }))
    await world.eventually(async () => (await carol.it.requests()).length === 1, MINUTE)
  })

  it('fails a request that was waiting for records which then ask for an invite', async () => {
    const village = await createVillage(5, { friends: false })
    const { world, bob } = village
    world.net.partition('carol', ['relay1', 'alice', 'bob'])
    const carol = await settle(village, 'carol')
    const id = idToText(await idOf(carol))
    await bob.do((it) => it.add({ target: id, petname: 'carol' }))
    world.net.heal()
    await world.eventually(async () => (await stateOf(bob, 'carol')) === 'failed', 3 * HOUR)
    const reason = 'they take requests by invite only: ask them for one'
    expect((await bob.do((it) => it.friends()))[0]).to.include({ state: 'failed', reason })
    const events = (await eventsOf(bob)).filter(({ detail }) => detail['state'] === 'failed')
    expect(events.map(({ detail }) => detail)).to.deep.equal([{ id, state: 'failed', petname: 'carol', reason }])
    // an invite of theirs still helps
    await world.pass(2 * MINUTE)
    const { invite } = await carol.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await bob.do((it) => it.add({ target: invite, petname: 'carol' }))
    await world.eventually(async () => (await carol.it.requests()).length === 1, 5 * MINUTE)
  })
})

describe('strangers at an open box', () => {
  it('T43 who know the ID can neither read, count nor delete what lies there', async () => {
    const village = await withCarol(43)
    const { world, bob, carol, id } = village
    const { stranger } = await startStranger(village, 'mallory')
    const { identity } = await recordsOf(stranger, await idOf(carol))
    const { writer, address } = boxOf(identity)
    world.crash('carol')
    await bob.do((it) => it.add({ target: id, petname: 'carol' }))
    await world.pass(MINUTE)
    const contacts = await loadContacts(diskOf(village, bob))
    expect(contacts[0]!.asked!.sentTo, 'where the leg lies').to.have.lengthOf(1)
    // W is what they have, and keys of their own
    const own = ed25519KeyPair(world.random.bytes(32))
    const cid = copyId(concat(contacts[0]!.asked!.leg!.leg, new Uint8Array(40)))
    const said = await atRelay(stranger, village.addresses[0]!, async (client) => {
      const answers: string[] = []
      for (const readerSeed of [undefined, writer.seed, own.seed]) {
        const entries = [{ address, after: 0, readerSeed }]
        answers.push((await client.fetch({ entries })).status, (await client.subscribe({ entries })).status)
        answers.push((await client.stat({ address, cids: [cid], readerSeed })).status)
        if (!readerSeed) continue
        answers.push((await client.acknowledge({ address, readerSeed, cids: [cid] })).status)
        answers.push((await client.release({ address, readerSeed })).status)
      }
      // a mailbox under the same W is another mailbox
      const until = Math.floor(world.now / 1000) + 86_400
      const claimed = await client.claim({ kind: KIND.box, writer, reader: own, until })
      return { answers: [...new Set(answers)], claimed: claimed.status }
    })
    expect(said).to.deep.equal({ answers: ['refused'], claimed: 'claimed' })
    await world.restart('carol')
    await world.eventually(async () => (await carol.it.requests()).length === 1, MINUTE)
  })

  it('T43 who fill it, from one place or from many, keep nobody else out', async function () {
    this.timeout(60_000)
    const village = await withCarol(44)
    const { world, bob, alice, carol, id } = village
    const { capacity, sources } = { capacity: KINDS.box.maxCopies, sources: KINDS.box.maxCopies / MAX_SLOTS_PER_SOURCE }
    const { stranger } = await startStranger(village, 'mallory0')
    const { identity } = await recordsOf(stranger, await idOf(carol))
    world.crash('carol')
    const garbage = (count: number): Uint8Array[] => Array.from({ length: count }, () => world.random.bytes(LEG_BYTES))
    const said = await knock(village, stranger, identity, garbage(20))
    expect(said).to.deep.equal([...Array(4).fill('placed'), ...Array(16).fill('full')])
    // an honest request, while a single flooder does its worst
    await bob.do((it) => it.add({ target: id, petname: 'carol' }))
    await world.pass(MINUTE)
    let placed = MAX_SLOTS_PER_SOURCE + 1
    for (let i = 1; i < sources; i++) {
      const { stranger: other } = await startStranger(village, `mallory${i}`)
      placed += (await knock(village, other, identity, garbage(6))).filter((status) => status === 'placed').length
    }
    expect(placed, 'legs at the relay, full to the brim').to.equal(capacity)
    // and one that comes when the box is full of others'
    await alice.do((it) => it.add({ target: id, petname: 'carol' }))
    await world.pass(MINUTE)
    await world.restart('carol')
    await world.pass(2 * MINUTE)
    const names = (await carol.do((it) => it.requests())).map(({ name }) => name)
    expect(names).to.have.members(['alice', 'bob'])
  })

  it(`lets ${MAX_REQUESTS_THROUGH_BOX} people wait, the next when one was answered, and those with an invite beside them`, async function () {
    this.timeout(60_000)
    const village = await withCarol(45)
    const { world, bob, carol } = village
    const { stranger } = await startStranger(village, 'post')
    const { identity, prekey } = await recordsOf(stranger, await idOf(carol))
    for (let source = 0; source * MAX_SLOTS_PER_SOURCE <= MAX_REQUESTS_THROUGH_BOX; source++) {
      const { stranger: post } = await startStranger(village, `post${source}`)
      const legs = [0, 1, 2, 3].map((i) =>
        legOf(village, { identity, prekey }, 4500 + source * MAX_SLOTS_PER_SOURCE + i),
      )
      expect(await knock(village, post, identity, legs)).to.deep.equal(Array(4).fill('placed'))
      await world.pass(10 * SECOND)
    }
    await world.pass(2 * MINUTE)
    const waiting = await carol.do((it) => it.requests())
    expect(waiting).to.have.lengthOf(MAX_REQUESTS_THROUGH_BOX)
    const { invite } = await carol.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await bob.do((it) => it.add({ target: invite, petname: 'carol' }))
    await world.eventually(async () => (await carol.it.requests()).some(({ name }) => name === 'bob'), MINUTE)
    await carol.do((it) => it.decline(waiting[0]!.id))
    await world.pass(2 * MINUTE)
    const ids = (await carol.do((it) => it.requests())).map((one) => one.id)
    expect(ids).to.have.lengthOf(MAX_REQUESTS_THROUGH_BOX + 1)
    expect(ids).to.not.include(waiting[0]!.id)
  })

  it('T43 who knock again and again under one ID are shown once an hour', async () => {
    const village = await withCarol(46)
    const { world, carol } = village
    const { stranger } = await startStranger(village, 'post')
    const peer = await recordsOf(stranger, await idOf(carol))
    const shown = async () => (await eventsOf(carol)).filter(({ event }) => event === 'request').length
    const times: number[] = []
    for (let i = 0; i < 3; i++) {
      const legs = [0, 1, 2].map(() => legOf(village, peer, 4600))
      expect(await knock(village, stranger, peer.identity, legs)).to.deep.equal(Array(3).fill('placed'))
      await world.pass(MINUTE)
      times.push(await shown())
      await world.pass(i === 0 ? 10 * MINUTE : HOUR)
    }
    expect(times).to.deep.equal([1, 1, 2])
    expect(await carol.do((it) => it.requests())).to.have.lengthOf(1)
  })
})
