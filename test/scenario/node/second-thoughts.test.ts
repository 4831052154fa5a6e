/**
 * People who change their minds: add, accept, decline, block and unfriend, in any order and several at once. Whatever they
 * do, what a node holds of a contact fits its state, no mailbox stays claimed that nobody reads, and they can begin again (T20).
 */
import { expect } from 'chai'
import { compare, toHex } from '../../../node/crypto/bytes.ts'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { KithError } from '../../../node/errors.ts'
import { type Contact, loadContacts } from '../../../node/friendship/contact.ts'
import { idToText } from '../../../node/identity/root.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { friendMailbox, KIND, mailboxAddress } from '../../../node/mailbox/keys.ts'
import type { KithNode } from '../../../node/node.ts'
import { TABLE } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode } from '../../../node/wire/schema.ts'
import { seeded } from '../../support/seed.ts'
import { HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { befriend, type Person, textsOf } from '../../simulation/people.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  expectWholeLog,
  idOf,
  sayOnce,
  settle,
  tapFrames,
  type Village,
} from './village.ts'

/** What a person may be told when somebody, or they themselves, were faster. */
const TOO_LATE = ['WRONG_STATE', 'UNKNOWN_FRIEND', 'NOT_A_FRIEND']

async function invite(person: Person, uses: number): Promise<string> {
  return (await person.do((it) => it.createInvite({ lifetimeSeconds: 30 * 86_400, uses }))).invite
}

function pick<T>({ world }: Village, from: readonly T[]): T {
  return from[world.random.int(0, from.length - 1)]!
}

/** Mailboxes of kind friend that were claimed at the relay and not released. */
class FriendMailboxes {
  readonly claimed = new Set<string>()
  /** Peer ID of the relay. */
  server: Uint8Array = new Uint8Array(0)
  readonly #tap = tapFrames((verb, args) => {
    if (verb !== wire.VERB.claim && verb !== wire.VERB.release) return
    const command = decode(wire.signedArgs, args, MAX_FRAME_BYTES).args
    if (verb === wire.VERB.release) {
      this.claimed.delete(toHex(decode(wire.releaseArgs, command, MAX_FRAME_BYTES).address))
      return
    }
    const { kind, writer, reader } = decode(wire.claimArgs, command, MAX_FRAME_BYTES)
    if (kind === KIND.friend) this.claimed.add(toHex(mailboxAddress(kind, writer, reader)))
  })

  readonly hooks: ReturnType<typeof tapFrames> = {
    ports: (ports) => {
      this.server = ports.network.peerId
      return this.#tap.ports!(ports)
    },
  }

  addressOf(secret: Uint8Array): string {
    return toHex(friendMailbox(secret, this.server).address)
  }
}

async function contactOf(village: Village, person: Person, other: Person): Promise<Contact | undefined> {
  const id = await idOf(other)
  return (await loadContacts(diskOf(village, person))).find((one) => compare(one.id, id) === 0)
}

/** What is on the disk of a contact fits its state; the secrets of the mailboxes that are read for it. */
async function expectSound(village: Village, person: Person, other: Person): Promise<Uint8Array[]> {
  const contact = await contactOf(village, person, other)
  const otherId = await idOf(other)
  const { lanes, entries } = await loadChannel(diskOf(village, person), otherId)
  const state = contact?.state ?? 'none'
  const has = {
    asked: contact?.asked !== undefined,
    asking: contact?.asking !== undefined,
    reply: contact?.reply !== undefined,
    session: lanes.length > 0,
  }
  const where = `${other.name} at ${person.name}: ${state} ${JSON.stringify(has)}`
  const isFriend = state === 'friend' || state === 'accepted'
  expect(has.session, where).to.equal(isFriend)
  if (!isFriend) expect(entries.size, where).to.equal(0)
  if (state === 'outgoing' || state === 'incoming') {
    expect([has.asked, has.asking], where).to.deep.equal([state === 'outgoing', state === 'incoming'])
  } else if (state !== 'accepted' && state !== 'friend')
    expect([has.asked, has.asking], where).to.deep.equal([false, false])
  if (state === 'accepted') expect([has.asking, has.reply], where).to.deep.equal([false, true])
  if (state === 'friend') expect(has.asked, where).to.equal(false)
  if (!isFriend) expect(has.reply, where).to.equal(false)
  const shown = (await person.do((it) => it.friends())).find(({ id }) => id === idToText(otherId))
  expect(shown?.state ?? 'none', `what ${person.name} is shown`).to.equal(state)
  return [...lanes.map(({ mailboxIn }) => mailboxIn), ...(contact?.asked ? [contact.asked.replySecret] : [])]
}

describe('people who change their minds', () => {
  seeded('T20 leave nothing behind that does not fit, and can begin again', 3, async (seed) => {
    const mailboxes = new FriendMailboxes()
    const village = await createVillage(seed, { friends: false, relayHooks: mailboxes.hooks })
    const { world, alice, bob } = village
    const links = new Map([
      ['alice', await invite(alice, 16)],
      ['bob', await invite(bob, 16)],
    ])
    const actions = (other: Person): ((it: KithNode) => Promise<unknown>)[] => [
      (it) => it.add({ target: links.get(other.name)!, petname: other.name }),
      (it) => it.add({ target: links.get(other.name)!, petname: other.name }),
      (it) => it.accept(other.name, other.name),
      (it) => it.accept(other.name, other.name),
      (it) => it.decline(other.name),
      (it) => it.block(other.name),
      (it) => it.unfriend(other.name),
      (it) => it.send(other.name, 'a word'),
    ]
    const act = async (one: Person, other: Person, count: number): Promise<void> => {
      const chosen = Array.from({ length: count }, () => pick(village, actions(other)))
      const ended = await one.do((it) => Promise.allSettled(chosen.map((action) => action(it))))
      for (const each of ended) {
        if (each.status === 'fulfilled') continue
        if (!(each.reason instanceof KithError)) throw each.reason
        expect(each.reason.code).to.be.oneOf(TOO_LATE)
      }
    }
    for (let round = 0; round < 14; round++) {
      const [one, other] = world.random.chance(0.5) ? [alice, bob] : [bob, alice]
      await act(one, other, world.random.int(1, 3))
      await world.pass(pick(village, [0, 50, SECOND, 20 * SECOND]))
      if (world.random.chance(0.1)) await world.restart(one.name)
    }
    await world.pass(HOUR)
    const secrets = [...(await expectSound(village, alice, bob)), ...(await expectSound(village, bob, alice))]
    const read = secrets.map((secret) => mailboxes.addressOf(secret))
    for (const address of mailboxes.claimed) expect(read, 'mailboxes that are read').to.include(address)
    for (const one of [alice, bob]) await expectWholeLog(village, one)
    for (const [one, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      await one.do(async (it) => {
        await it.unfriend(other.name).catch(() => undefined)
        for (const { id } of await it.requests()) await it.decline(id)
      })
    }
    await world.pass(5 * MINUTE)
    await befriend(world, alice, bob)
    const before = await bob.do(() => textsOf(bob, alice))
    await sayOnce(village, alice, bob, 'again')
    await world.eventually(async () => (await textsOf(bob, alice)).length > before.length, HOUR)
  })

  it('give one petname to one person, though two were asked or accepted at once', async () => {
    const village = await createVillage(30, { friends: false })
    const { world, alice, bob } = village
    const carol = await settle(village, 'carol')
    const dora = await settle(village, 'dora')
    const links = [await invite(bob, 1), await invite(carol, 1)]
    const ended = await dora.do((it) =>
      Promise.allSettled(links.map((target) => it.add({ target, petname: 'darling' }))),
    )
    expect(ended.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected'])
    const link = await invite(alice, 2)
    for (const one of [bob, carol]) await one.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 2)
    const ids = (await alice.do((it) => it.requests())).map(({ id }) => id)
    const accepted = await alice.do((it) => Promise.allSettled(ids.map((id) => it.accept(id, 'friend'))))
    expect(accepted.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected'])
  })

  it('mean by an ID or a petname whom it belongs to, whatever strangers call themselves', async () => {
    const village = await createVillage(31)
    const { world, alice } = village
    const carol = await settle(village, 'carol')
    const carolsId = await carol.do((it) => it.id)
    const mallory = await settle(village, carolsId)
    const link = await invite(alice, 3)
    for (const one of [carol, mallory]) await one.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 2)
    expect((await alice.do((it) => it.accept(carolsId))).id).to.equal(carolsId)
    const mallorysId = await mallory.do((it) => it.id)
    await alice.do((it) => it.accept(mallorysId))
    const named = (await alice.do((it) => it.friends())).find(({ id }) => id === mallorysId)
    expect(named?.petname).to.not.include('kith1')
    expect((await alice.do((it) => it.block(carolsId))).id).to.equal(carolsId)
  })

  it('block the friend who has that petname, and no stranger who claims the name', async () => {
    const village = await createVillage(32, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice, 2)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1)
    await alice.do((it) => it.accept('bob', 'eve'))
    const eve = await settle(village, 'eve')
    await eve.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1)
    expect((await alice.do((it) => it.block('eve'))).id).to.equal(await bob.do((it) => it.id))
    expect(await alice.do((it) => it.requests())).to.have.lengthOf(1)
    // among those who ask, a name that only one claims is enough
    expect((await alice.do((it) => it.decline('eve'))).id).to.equal(await eve.do((it) => it.id))
    expect(await codeOf(alice.do((it) => it.accept('nobody')))).to.equal('UNKNOWN_FRIEND')
  })

  it('keep no row of somebody who was declined', async () => {
    const village = await createVillage(33, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice, 1)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1)
    const bobsId = await bob.do((it) => it.id)
    // the one who comes second finds nothing to decide on
    const ended = await alice.do((it) => Promise.allSettled([it.decline('bob'), it.accept('bob')]))
    expect(ended.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected'])
    const rows = world.disk('alice').image().rows
    expect(rows.list({ table: TABLE.contact, scope: new Uint8Array(0) })).to.deep.equal([])
    await world.restart('alice')
    await world.pass(MINUTE)
    expect(await alice.do((it) => it.requests())).to.deep.equal([])
    // by the ID anybody can be blocked, but oneself
    expect(await alice.do((it) => it.block(bobsId))).to.deep.equal({ id: bobsId, state: 'blocked' })
    expect(await codeOf(alice.do((it) => it.block(it.id)))).to.equal('UNKNOWN_FRIEND')
    expect(await codeOf(alice.do((it) => it.block('bob')))).to.equal('UNKNOWN_FRIEND')
  })

  it('take a friend who asks anew by an invite of theirs as well', async () => {
    const village = await createVillage(34)
    const { world, alice, bob } = village
    await bob.do((it) => it.unfriend('alice'))
    await world.pass(2 * HOUR)
    const link = await invite(alice, 1)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1)
    const back = await invite(bob, 1)
    expect(await alice.do((it) => it.add({ target: back }))).to.include({ state: 'friend' })
    await world.eventually(async () => (await bob.it.friends())[0]?.state === 'friend', HOUR)
    expect((await eventsOf(alice)).filter(({ event }) => event === 'friend')).to.have.lengthOf(1)
  })
})
