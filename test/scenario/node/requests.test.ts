/**
 * Friend requests as people live through them: replayed, crossing each other, answered late or never, through invites that
 * expire, are given up or go round; the end of a friendship and a new beginning (T18, T20, T50).
 */
import { expect } from 'chai'
import { open, seal } from '../../../node/crypto/aead.ts'
import { hmacSha256 } from '../../../node/crypto/hash.ts'
import { kemEncapsulate, kemKeyPair } from '../../../node/crypto/kem.ts'
import { L } from '../../../node/crypto/labels.ts'
import { x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { encodeLeg2 } from '../../../node/wire/legs.ts'
import { decode } from '../../../node/wire/schema.ts'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { decodeInvite } from '../../../node/identity/invite.ts'
import { friendMailbox, inviteMailbox, sealCopy } from '../../../node/mailbox/keys.ts'
import { TABLE } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { MAX_FRAME_BYTES, MAX_REQUESTS_PER_INVITE } from '../../../node/limits.ts'
import { seeded } from '../../support/seed.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { befriend, type Person, say, textsOf } from '../../simulation/people.ts'
import {
  codeOf,
  createVillage,
  eventsOf,
  eventually,
  expectWholeTalk,
  diskOf,
  historyOf,
  idOf,
  lanesOf,
  passDays,
  persevere,
  sayOnce,
  settle,
  startStranger,
  tapFrames,
  type Stranger,
  untilRest,
  type Village,
} from './village.ts'

const WEEK_SECONDS = 7 * 86_400

async function invite(person: Person, lifetimeSeconds = WEEK_SECONDS): Promise<string> {
  return (await person.do((it) => it.createInvite({ lifetimeSeconds, uses: 1 }))).invite
}

async function stateOf(person: Person, other: Person): Promise<string> {
  const friends = await person.do((it) => it.friends())
  return friends.find(({ petname, name }) => petname === other.name || name === other.name)?.state ?? 'none'
}

async function untilFriends({ world, alice, bob }: Village, forMs?: number): Promise<void> {
  const isFriend = async (one: Person, other: Person): Promise<boolean> =>
    (await one.it.friends()).some(({ petname, state }) => petname === other.name && state === 'friend')
  await world.eventually(async () => (await isFriend(alice, bob)) && isFriend(bob, alice), forMs)
}

async function untilAsked({ world, alice }: Village, forMs?: number): Promise<void> {
  await world.eventually(async () => (await alice.it.requests()).length === 1, forMs)
}

/** Waits for all, also when one of them fails: nothing may go on in the world behind the test. */
async function together(...what: Promise<unknown>[]): Promise<void> {
  const ended = await Promise.allSettled(what)
  for (const each of ended) if (each.status === 'rejected') throw each.reason
}

/** Relays with this keep every leg 1 that is left at them. */
function tapRequests(legs: Uint8Array[]): ReturnType<typeof tapFrames> {
  return tapFrames((verb, args) => {
    if (verb !== wire.VERB.request) return
    const { args: request } = decode(wire.signedArgs, args, MAX_FRAME_BYTES)
    legs.push(decode(wire.requestArgs, request, MAX_FRAME_BYTES).leg)
  })
}

/** Leaves a leg, sealed as it was seen, in the mailbox of an invite. */
async function leave(stranger: Stranger, address: string, link: string, leg: Uint8Array): Promise<string> {
  return stranger.do(async (ports) => {
    const client = createMailboxClient({ ...ports, link: await ports.network.connect(address) })
    const { writer, address: mailbox } = inviteMailbox(decodeInvite(link))
    const expires = Math.floor(ports.clock.now() / 1000) + 86_400
    const { status } = await client.request({ address: mailbox, writerSeed: writer.seed, leg, expires })
    client.close()
    return status
  })
}

/** The same request in other bytes, for the mailbox of another link. */
function sealAgain(leg: Uint8Array, from: string, to: string): Uint8Array {
  const inner = open(decodeInvite(from).seal, leg, L('inviteSeal'))
  return seal(decodeInvite(to).seal, hmacSha256(inner, leg).subarray(0, 24), inner, L('inviteSeal'))
}

describe('a request that is played again', () => {
  const endings: Record<string, (village: Village) => Promise<unknown>> = {
    'before it was answered': async () => undefined,
    'after it was accepted': async ({ alice }) => alice.do((it) => it.accept('bob', 'bob')),
    'after it was declined': async ({ alice }) => alice.do((it) => it.decline('bob')),
    'after the friendship ended': async (village) => {
      await village.alice.do((it) => it.accept('bob', 'bob'))
      await untilFriends(village)
      await village.alice.do((it) => it.unfriend('bob'))
    },
    'after a block': async ({ alice }) => alice.do((it) => it.block('bob')),
    'after a restart': async ({ world, alice }) => {
      await alice.do((it) => it.accept('bob', 'bob'))
      await world.restart('alice')
    },
  }
  for (const [when, end] of Object.entries(endings)) {
    it(`T18 changes nothing ${when}`, async () => {
      const legs: Uint8Array[] = []
      const village = await createVillage(18, { friends: false, relayHooks: tapRequests(legs) })
      const { world, alice, bob, addresses } = village
      const { stranger } = await startStranger(village, 'mallory')
      const link = await invite(alice)
      const other = await invite(alice)
      await bob.do((it) => it.add({ target: link, petname: 'alice' }))
      await untilAsked(village)
      await end(village)
      await world.pass(3 * MINUTE)
      const look = async (): Promise<unknown> => [
        await eventsOf(alice),
        (await alice.do((it) => it.friends())).map(({ id, petname, state }) => [id, petname, state]),
        await alice.do((it) => it.requests()),
        (await lanesOf(village, alice, bob)).length,
      ]
      const before = await look()
      const [leg] = legs
      const answers = [
        await leave(stranger, addresses[0]!, link, leg!),
        await leave(stranger, addresses[0]!, link, sealAgain(leg!, link, link)),
        await leave(stranger, addresses[0]!, other, sealAgain(leg!, link, other)),
      ]
      expect(answers.at(-1), 'what the relay says of the replay').to.equal('placed')
      await world.pass(3 * MINUTE)
      await world.restart('alice')
      await world.pass(3 * MINUTE)
      expect(await look()).to.deep.equal(before)
    })
  }
})

describe('people who ask each other at once', () => {
  seeded(
    'T20 end as friends with one session to send in, and nothing that was said meanwhile is lost',
    8,
    async (seed) => {
      const village = await createVillage(seed, { friends: false, relays: 1 + (seed % 2) })
      const { world, alice, bob } = village
      world.rates.delayMs = [5, 20 + 400 * (seed % 4)]
      const [toAlice, toBob] = [await invite(alice), await invite(bob)]
      const ask = async (one: Person, other: Person, link: string): Promise<void> => {
        await world.pass(world.random.int(0, 3) * world.random.int(0, 700))
        await persevere(village, one, async (it) => {
          const isNew = (await it.friends()).every(({ state }) => state === 'incoming')
          if (isNew) await it.add({ target: link, petname: other.name })
        })
        // at every moment from which on the node takes texts
        for (let i = 0; i < 3; i++) {
          await eventually(village, async () => /accepted|friend/.test((await one.it.friends())[0]!.state))
          await sayOnce(village, one, other, `${one.name} ${i}`)
          await world.pass(world.random.int(0, 600))
        }
      }
      const crash = async (): Promise<void> => {
        await world.pass(world.random.int(200, 1500))
        if (seed % 4 === 3) world.crash('bob')
      }
      await together(ask(alice, bob, toBob), ask(bob, alice, toAlice), crash())
      await untilFriends(village)
      await untilRest(village)
      for (const [one, other] of [
        [alice, bob],
        [bob, alice],
      ] as const) {
        const arrived = await other.do(() => textsOf(other, one))
        expect(arrived.toSorted()).to.deep.equal([0, 1, 2].map((i) => `${one.name} ${i}`))
        expect((await one.do((it) => it.requests())).length, `requests at ${one.name}`).to.equal(0)
        expect((await eventsOf(one)).filter(({ event }) => event === 'friend').length).to.equal(1)
      }
      // one round trip, and both send in the same session
      await say(alice, bob, 'there')
      await world.eventually(async () => (await textsOf(bob, alice)).includes('there'))
      await say(bob, alice, 'and back')
      await untilRest(village)
      const [one] = await lanesOf(village, alice, bob)
      const [other] = await lanesOf(village, bob, alice)
      expect(one).to.deep.equal(other)
    },
  )
})

describe('an answer to a request', () => {
  it('T50 in whose place garbage lies makes nobody a friend and burns no key', async () => {
    const village = await createVillage(50, { friends: false })
    const { world, alice, bob, addresses } = village
    const { stranger } = await startStranger(village, 'mallory')
    const link = await invite(alice)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await untilAsked(village)
    const [contact] = await loadContacts(diskOf(village, bob))
    const { replySecret, leg } = contact!.asked!
    const events = await eventsOf(bob)
    const kem = kemKeyPair(new Uint8Array(64)).public
    const { ciphertext } = kemEncapsulate(kem, new Uint8Array(32))
    const garbage = [
      new Uint8Array(8192),
      world.random.bytes(8192),
      encodeLeg2({ ephemeral: x25519KeyPair(world.random.bytes(32)).public, ciphertext, c3: world.random.bytes(7070) }),
      encodeLeg2({ ephemeral: new Uint8Array(32), ciphertext, c3: world.random.bytes(7070) }),
    ]
    const putGarbage = async (bytes: Uint8Array): Promise<string> =>
      stranger.do(async (ports) => {
        const ends = await ports.network.connect(addresses[0]!)
        const client = createMailboxClient({ ...ports, link: ends })
        const keys = friendMailbox(replySecret, ends.peerId)
        const copy = sealCopy(keys.copyKey, ports.random.bytes(24), bytes)
        const expires = Math.floor(ports.clock.now() / 1000) + 86_400
        const put = { address: keys.address, writerSeed: keys.writer.seed, copy, expires }
        const { status } = await client.put(put)
        const { status: other } = await client.put({ ...put, copy: world.random.bytes(copy.length) })
        expect(other).to.equal('stored')
        client.close()
        return status
      })
    for (const bytes of garbage) expect(await putGarbage(bytes)).to.equal('stored')
    await world.pass(2 * MINUTE)
    expect(await eventsOf(bob)).to.deep.equal(events)
    expect(await stateOf(bob, alice)).to.equal('outgoing')
    const [after] = await loadContacts(diskOf(village, bob))
    expect(after!.asked!.leg).to.deep.equal(leg)
    await alice.do((it) => it.accept('bob', 'bob'))
    await untilFriends(village)
    const sent = [await sayOnce(village, alice, bob, 'there you are')]
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })
})

describe('an invite', () => {
  it('is not taken once it has expired', async () => {
    const village = await createVillage(60, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice, 3600)
    await world.pass(2 * HOUR)
    expect(await codeOf(bob.do((it) => it.add({ target: link })))).to.equal('INVITE_EXPIRED')
    expect(await alice.do((it) => it.invites())).to.deep.equal([])
  })

  it('that was given up lets nobody knock', async () => {
    const village = await createVillage(62, { friends: false })
    const { world, alice, bob } = village
    const { invite: link, inviteId } = await alice.do((it) =>
      it.createInvite({ lifetimeSeconds: WEEK_SECONDS, uses: 1 }),
    )
    await alice.do((it) => it.revokeInvite(inviteId))
    await world.pass(2 * MINUTE)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.pass(HOUR)
    await world.restart('alice')
    await world.pass(HOUR)
    expect(await alice.do((it) => it.requests())).to.deep.equal([])
    // an invite that lives does what the dead one did not
    await bob.do((it) => it.unfriend('alice'))
    await befriend(world, alice, bob)
  })

  it('that two people used makes a friend of one, and of the other when the person wants', async () => {
    const village = await createVillage(63, { friends: false })
    const { world, alice, bob } = village
    const carol = await settle(village, 'carol')
    const link = await invite(alice)
    for (const one of [bob, carol]) await one.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 2)
    await alice.do((it) => it.accept('bob'))
    await alice.do((it) => it.accept('carol'))
    await world.eventually(
      async () => (await alice.it.friends()).filter(({ state }) => state === 'friend').length === 2,
    )
    expect(await alice.do((it) => it.invites())).to.deep.equal([])
    await say(carol, alice, 'hello from carol')
    await world.eventually(async () => (await textsOf(alice, carol)).length === 1)
  })

  it(`lets ${MAX_REQUESTS_PER_INVITE} people wait, and not one more`, async function () {
    this.timeout(60_000)
    const village = await createVillage(64, { friends: false })
    const { world, alice } = village
    const link = await invite(alice)
    for (let i = 0; i <= MAX_REQUESTS_PER_INVITE; i++) {
      const guest = await settle(village, `guest${i}`)
      await guest.do((it) => it.add({ target: link, petname: 'alice' }))
      await world.pass(10 * SECOND)
    }
    await world.pass(2 * HOUR)
    const requests = await alice.do((it) => it.requests())
    expect(requests.length).to.equal(MAX_REQUESTS_PER_INVITE)
  })
})

describe('a request to somebody who is away', () => {
  it('is there after ten days, though the invite has expired meanwhile and the two were never up at once', async () => {
    const village = await createVillage(70, { friends: false, relays: 2 })
    const { world, alice, bob } = village
    const link = await invite(alice)
    world.crash('alice')
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.pass(MINUTE)
    world.crash('bob')
    await passDays(village, 10)
    await world.restart('alice')
    await untilAsked(village, HOUR)
    await alice.do((it) => it.accept('bob', 'bob'))
    const sent = [await sayOnce(village, alice, bob, 'sorry, I was away')]
    await world.pass(MINUTE)
    world.crash('alice')
    await passDays(village, 3)
    await world.restart('bob')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 1, HOUR)
    sent.push(await sayOnce(village, bob, alice, 'so was I'))
    await world.pass(MINUTE)
    world.crash('bob')
    await world.restart('alice')
    await world.eventually(async () => (await textsOf(alice, bob)).length === 1, HOUR)
    await world.restart('bob')
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })

  it('is built again when nobody came within its 14 days, as long as the invite lives', async () => {
    const village = await createVillage(71, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice, 40 * 86_400)
    world.crash('alice')
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await passDays(village, 20)
    await world.restart('alice')
    await untilAsked(village, DAY)
    await alice.do((it) => it.accept('bob', 'bob'))
    await untilFriends(village, 2 * DAY)
    const sent = [await sayOnce(village, alice, bob, 'sorry, I was away')]
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })

  for (const days of [5, 35, 50]) {
    it(`is answered while the one who asked is away for ${days} days`, async () => {
      const village = await createVillage(72, { friends: false })
      const { world, alice, bob } = village
      const link = await invite(alice)
      await bob.do((it) => it.add({ target: link, petname: 'alice' }))
      await untilAsked(village)
      world.crash('bob')
      await alice.do((it) => it.accept('bob', 'bob'))
      const sent = [await sayOnce(village, alice, bob, 'welcome')]
      await passDays(village, days)
      await world.restart('bob')
      await untilFriends(village, 2 * DAY)
      sent.push(await sayOnce(village, bob, alice, 'thank you'))
      await untilRest(village, 2 * DAY)
      await expectWholeTalk(village, sent)
    })
  }

  it('is answered after the invite and the request expired, over a restart of the one who asked', async () => {
    const village = await createVillage(73, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice, 86_400)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await untilAsked(village)
    await passDays(village, 20)
    await world.restart('bob')
    await alice.do((it) => it.accept('bob', 'bob'))
    await untilFriends(village, 2 * DAY)
  })

  it('that was taken back and made again while no relay was there goes out when one is', async () => {
    const village = await createVillage(74, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice)
    world.crash('relay1')
    await world.pass(MINUTE)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.pass(HOUR)
    await bob.do((it) => it.unfriend('alice'))
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.pass(HOUR)
    await world.restart('relay1')
    await untilAsked(village, 3 * HOUR)
    await alice.do((it) => it.accept('bob', 'bob'))
    await untilFriends(village)
  })

  it('that is made twice is answered once: the answer to the first opens too', async () => {
    const village = await createVillage(75, { friends: false })
    const { world, alice, bob } = village
    const [first, second] = [await invite(alice), await invite(alice)]
    await bob.do((it) => it.add({ target: first, petname: 'alice' }))
    await untilAsked(village)
    world.crash('alice')
    await bob.do((it) => it.add({ target: second, petname: 'alice' }))
    await world.pass(MINUTE)
    world.net.partition('bob', 'relay1')
    await world.restart('alice')
    await alice.do((it) => it.accept('bob', 'bob'))
    await world.pass(MINUTE)
    world.net.heal()
    await untilFriends(village, DAY)
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
    await untilRest(village, DAY)
    await expectWholeTalk(village, sent)
    expect(await alice.do((it) => it.requests())).to.deep.equal([])
  })
})

describe('somebody whose relay was not there when they came', () => {
  it('can be asked soon after it is, though nobody else remembers them', async () => {
    const village = await createVillage(76, { friends: false })
    const { world, bob } = village
    // the others take her records, and will not be there
    await settle(village, 'dave')
    world.crash('relay1')
    world.crash('bob')
    const carol = await settle(village, 'carol')
    await world.pass(5 * MINUTE)
    await world.restart('relay1')
    await world.pass(20 * MINUTE)
    const link = await invite(carol)
    for (const name of ['alice', 'dave', 'carol']) world.crash(name)
    await world.restart('bob')
    await bob.do((it) => it.add({ target: link, petname: 'carol' }))
    await world.pass(5 * MINUTE)
    world.crash('bob')
    await world.restart('carol')
    await world.eventually(async () => (await carol.it.requests()).length === 1, 10 * MINUTE)
  })
})

describe('a friendship that ended', () => {
  it('begins again in a new session, and mail flows in it', async () => {
    const village = await createVillage(80)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'before')]
    await untilRest(village)
    const [old] = await lanesOf(village, alice, bob)
    await alice.do((it) => it.unfriend('bob'))
    await bob.do((it) => it.unfriend('alice'))
    expect(await codeOf(alice.do((it) => it.send('bob', 'too late')))).to.equal('NOT_A_FRIEND')
    await world.pass(5 * MINUTE)
    await befriend(world, bob, alice)
    sent.push(await sayOnce(village, bob, alice, 'again'), await sayOnce(village, alice, bob, 'again and again'))
    await untilRest(village)
    await expectWholeTalk(village, sent)
    const [now] = await lanesOf(village, alice, bob)
    expect(now!.rekey).to.equal(old!.rekey + 1)
    await world.restart('alice')
    await world.restart('bob')
    sent.push(await sayOnce(village, alice, bob, 'still'))
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })

  it('on one side alone begins again, and what was said meanwhile arrives then', async () => {
    const village = await createVillage(81)
    const { world, alice, bob } = village
    await untilRest(village)
    await alice.do((it) => it.unfriend('bob'))
    await world.pass(5 * MINUTE)
    const sent = [await sayOnce(village, bob, alice, 'are you there')]
    await world.pass(HOUR)
    expect(await historyOf(alice, bob)).to.deep.equal([])
    const link = await invite(bob)
    await alice.do((it) => it.add({ target: link, petname: 'bob' }))
    await world.eventually(async () => (await bob.it.requests()).length === 1)
    await bob.do((it) => it.accept('alice'))
    await untilFriends(village)
    sent.push(await sayOnce(village, alice, bob, 'I am'))
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })

  it('while a put was under way leaves no row behind', async () => {
    const village = await createVillage(82)
    const { world, alice, bob } = village
    await untilRest(village)
    for (let i = 0; i < 5; i++) await say(alice, bob, `text ${i}`)
    await alice.do((it) => it.unfriend('bob'))
    await world.pass(5 * MINUTE)
    expect(await lanesOf(village, alice, bob)).to.deep.equal([])
    const { rows } = world.disk('alice').image()
    expect(rows.list({ table: TABLE.outbox, scope: await idOf(bob) })).to.deep.equal([])
  })
})
