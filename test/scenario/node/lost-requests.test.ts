/**
 * Requests that nobody can answer, or that came from somebody who lost their home: what is given up is told with a reason, and
 * nobody waits for what cannot come (T18, T20 hold meanwhile).
 */
import { expect } from 'chai'
import type { NodeEvent } from '../../../node/api/service.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { utf8 } from '../../../node/crypto/bytes.ts'
import type { KithNode } from '../../../node/node.ts'
import * as wire from '../../../node/wire/commands.ts'
import { DAY, HOUR, MINUTE } from '../../simulation/engine.ts'
import type { Person } from '../../simulation/people.ts'
import type { SimPorts } from '../../simulation/world.ts'
import {
  createVillage,
  eventsOf,
  expectWholeTalk,
  passDays,
  sayOnce,
  settle,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

async function invite(person: Person, lifetimeSeconds = 7 * 86_400, uses = 1): Promise<string> {
  return (await person.do((it) => it.createInvite({ lifetimeSeconds, uses }))).invite
}

async function untilAsked({ world, alice }: Village, forMs?: number): Promise<void> {
  await world.eventually(async () => (await alice.it.requests()).length === 1, forMs)
}

async function untilState({ world }: Village, who: Person, state: string, forMs?: number): Promise<void> {
  await world.eventually(async () => (await who.it.friends()).some((one) => one.state === state), forMs)
}

/** Looks seldom: for what takes days. */
async function passUntilState({ world }: Village, who: Person, state: string, forMs: number): Promise<void> {
  for (let passed = 0; passed < forMs; passed += forMs / 10) {
    await world.pass(forMs / 10)
    if ((await who.do((it) => it.friends())).some((one) => one.state === state)) return
  }
  throw new Error(`${who.name} has nobody who is ${state}`)
}

async function failuresOf(person: Person): Promise<NodeEvent['detail'][]> {
  const events = await eventsOf(person)
  return events.filter(({ detail }) => detail['state'] === 'failed').map(({ detail }) => detail)
}

/** Counts the REQUESTs that come to a relay. */
function countRequests(): { count: number; hooks: ReturnType<typeof tapFrames> } {
  const counter = { count: 0, hooks: tapFrames((verb) => void (counter.count += verb === wire.VERB.request ? 1 : 0)) }
  return counter
}

describe('a request that cannot be left', () => {
  it('fails, with the reason, once its invite was taken back, and costs no postage any more', async () => {
    const requests = countRequests()
    const village = await createVillage(1, { friends: false, relays: 2, relayHooks: requests.hooks })
    const { world, alice, bob } = village
    const { invite: link, inviteId } = await alice.do((it) =>
      it.createInvite({ lifetimeSeconds: 30 * 86_400, uses: 1 }),
    )
    await world.pass(MINUTE)
    await alice.do((it) => it.revokeInvite(inviteId))
    await world.pass(2 * MINUTE)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await passUntilState(village, bob, 'failed', 2 * HOUR)
    const reason = 'the invite was used up or taken back before'
    const [friend] = await bob.do((it) => it.friends())
    expect(friend).to.include({ petname: 'alice', state: 'failed', reason })
    expect(await failuresOf(bob)).to.deep.equal([{ id: friend!.id, state: 'failed', petname: 'alice', reason }])
    const { count } = requests
    expect(count).to.be.lessThan(5)
    await world.restart('bob')
    await passDays(village, 4)
    expect(requests.count, 'REQUESTs after it was given up').to.equal(count)
    expect((await bob.do((it) => it.friends()))[0]).to.include({ state: 'failed', reason })
    // what failed can be tried anew, or forgotten
    const again = await invite(alice)
    await bob.do((it) => it.add({ target: again }))
    const [asked] = await bob.do((it) => it.friends())
    expect(asked).to.include({ petname: 'alice', state: 'outgoing' })
    expect(asked).to.not.have.property('reason')
    await untilAsked(village)
  })

  it('can be forgotten once it has failed', async () => {
    const village = await createVillage(2, { friends: false })
    const { world, alice, bob } = village
    const { invite: link, inviteId } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await alice.do((it) => it.revokeInvite(inviteId))
    await world.pass(2 * MINUTE)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await passUntilState(village, bob, 'failed', 2 * HOUR)
    expect(await bob.do((it) => it.unfriend('alice'))).to.include({ state: 'none' })
    expect(await bob.do((it) => it.friends())).to.deep.equal([])
  })

  it('fails once invite and request have expired and no relay took it', async () => {
    const village = await createVillage(3, { friends: false, relays: 2 })
    const { world, addresses } = village
    // carol reads at one relay, dora at the other, and never reaches carol's
    const carol = await settle(village, 'carol', { relays: [addresses[0]!] })
    const dora = await settle(village, 'dora', { relays: [addresses[1]!] })
    const link = await invite(carol, 86_400)
    await world.pass(MINUTE)
    world.net.partition('dora', 'relay1')
    await dora.do((it) => it.add({ target: link, petname: 'carol' }))
    await world.pass(MINUTE)
    // nobody else matters any more
    for (const name of ['alice', 'bob', 'carol', 'relay1']) world.crash(name)
    await passDays(village, 10)
    // until then a relay that comes back may take it, and carol may answer
    expect((await dora.do((it) => it.friends()))[0]).to.include({ state: 'outgoing' })
    await passUntilState(village, dora, 'failed', 6 * DAY)
    expect((await failuresOf(dora))[0]).to.include({ reason: 'the invite expired before a relay took the request' })
  })

  it('is not given up when a relay took it and its word was lost', async () => {
    let taken = (): void => undefined
    const hooks = tapFrames(
      () => undefined,
      (verb, answer) => {
        if (verb === wire.VERB.request) taken()
        return answer
      },
    )
    const village = await createVillage(4, { friends: false, relayHooks: hooks })
    const { world, alice, bob } = village
    const link = await invite(alice, 86_400)
    taken = () => world.crash('bob')
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await untilAsked(village)
    await alice.do((it) => it.accept('bob', 'bob'))
    await passDays(village, 16)
    await world.restart('bob')
    await untilState(village, bob, 'friend', HOUR)
    expect(await failuresOf(bob)).to.deep.equal([])
  })

  it('is not given up when the person asks anew at that moment', async () => {
    let opened: ((node: KithNode) => void) | undefined
    const village = await createVillage(5, { friends: false })
    const { world, alice } = village
    const carol = await settle(village, 'carol', {}, { opened: (node) => opened?.(node) })
    const link = await invite(alice, 3600)
    await world.pass(MINUTE)
    world.net.partition('carol', ['alice', 'bob', 'relay1'])
    await carol.do((it) => it.add({ target: link, petname: 'alice' }))
    world.crash('carol')
    await world.pass(2 * HOUR)
    const fresh = await invite(alice)
    let adding: Promise<unknown> | undefined
    opened = (node) => {
      adding = node.add({ target: fresh })
    }
    // the new request is still being written when the old one is found to be over
    world.rates.syncMs = [2000, 2000]
    await world.restart('carol')
    world.net.heal()
    await carol.do(() => adding)
    await untilAsked(village, HOUR)
    expect((await carol.do((it) => it.friends()))[0]).to.include({ state: 'outgoing' })
  })
})

describe('somebody who lost their home', () => {
  /** The identity is made from the same words in each life that begins on an empty disk. */
  function sameWords(ports: SimPorts): SimPorts {
    let isFirst = true
    const bytes = (length: number): Uint8Array => {
      if (!isFirst) return ports.random.bytes(length)
      isFirst = false
      return sha256(utf8('the words of carol'))
    }
    return { ...ports, random: { bytes } }
  }

  async function settleCarol(village: Village): Promise<Person> {
    const { world, alice } = village
    const carol = await settle(village, 'carol', {}, { ports: sameWords })
    const link = await invite(alice, 7 * 86_400, 2)
    await carol.do((it) => it.add({ target: link, petname: 'alice' }))
    await untilAsked(village)
    await alice.do((it) => it.accept('carol', 'carol'))
    await untilState(village, carol, 'friend')
    await untilState(village, alice, 'friend')
    await world.pass(5 * MINUTE)
    world.crash('carol')
    world.disk('carol').wipe()
    await world.restart('carol')
    await carol.do((it) => it.add({ target: link, petname: 'alice' }))
    return carol
  }

  it('is seen soon when they ask again, and nothing is believed before the person accepts', async () => {
    const village = await createVillage(10, { friends: false })
    const { world, alice } = village
    const carol = await settleCarol(village)
    await untilAsked(village, 10 * MINUTE)
    expect((await alice.do((it) => it.friends()))[0]).to.include({ petname: 'carol', state: 'friend' })
    await alice.do((it) => it.accept('carol'))
    await untilState(village, carol, 'friend', HOUR)
    const talk = { ...village, bob: carol }
    const sent = [
      await sayOnce(talk, alice, carol, 'so you are back'),
      await sayOnce(talk, carol, alice, 'with nothing'),
    ]
    await untilRest(talk)
    await world.pass(MINUTE)
    await expectWholeTalk(talk, sent)
  })

  it('uses up no other friendship of an invite', async () => {
    const village = await createVillage(11, { friends: false })
    const { alice } = village
    await settleCarol(village)
    await untilAsked(village, 10 * MINUTE)
    await alice.do((it) => it.accept('carol'))
    expect(await alice.do((it) => it.invites())).to.have.lengthOf(1)
  })
})

describe('a request of somebody who was accepted before', () => {
  it('uses up no other friendship of an invite', async () => {
    const village = await createVillage(20, { friends: false })
    const { world, alice, bob } = village
    const link = await invite(alice, 20 * 86_400, 2)
    await bob.do((it) => it.add({ target: link, petname: 'alice' }))
    await untilAsked(village)
    await world.pass(2 * MINUTE)
    // bob never hears of it: he builds another request when the first has expired
    world.crash('alice')
    world.net.partition('alice', 'bob')
    const second = await acceptUnheard(village)
    await bob.do((it) => it.add({ target: link }))
    await world.pass(MINUTE)
    world.crash('bob')
    await second()
    expect(await alice.do((it) => it.invites())).to.have.lengthOf(1)
    expect((await alice.do((it) => it.friends()))[0]).to.include({ state: 'accepted' })
  })

  /** alice accepts while no answer of hers can reach bob, and reads what he left meanwhile afterwards. */
  async function acceptUnheard({ world, alice }: Village): Promise<() => Promise<void>> {
    await world.restart('alice')
    world.crash('relay1')
    await alice.do((it) => it.accept('bob', 'bob'))
    world.crash('alice')
    await world.restart('relay1')
    return async () => {
      await world.restart('alice')
      await world.pass(2 * MINUTE)
    }
  }
})
