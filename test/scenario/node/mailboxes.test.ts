/**
 * Mailboxes over months: their secrets are replaced in band, both friends end at the same one whatever was down meanwhile,
 * and what was given up is not written to again.
 */
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { type Mailboxes, newestOf } from '../../../node/mailbox/generations.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode } from '../../../node/wire/schema.ts'
import { DAY, HOUR, MINUTE } from '../../simulation/engine.ts'
import type { Person } from '../../simulation/people.ts'
import {
  createVillage,
  diskOf,
  expectWholeTalk,
  idOf,
  passDays,
  sayOnce,
  type Sent,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

/** The mailboxes that a person has with a friend. */
async function mailboxesOf(village: Village, person: Person, friend: Person): Promise<Mailboxes> {
  return (await loadChannel(diskOf(village, person), await idOf(friend))).mailboxes
}

/** How often the secret of what `reader` reads was replaced; both must say the same. */
async function generationOf(village: Village, reader: Person, writer: Person): Promise<number> {
  const newest = newestOf(await mailboxesOf(village, reader, writer))!
  const { writing } = await mailboxesOf(village, writer, reader)
  expect(toHex(writing!.secret), `${writer.name} writes where ${reader.name} reads`).to.equal(toHex(newest.secret))
  expect([writing!.rekey, writing!.replacement]).to.deep.equal([newest.rekey, newest.replacement])
  return newest.replacement
}

/** Addresses in the order in which they were given up, and written to after that. */
function watchReleases() {
  const released = new Set<string>()
  const refilled: string[] = []
  const hooks = tapFrames((verb, args) => {
    if (verb === wire.VERB.release) {
      released.add(toHex(decode(wire.releaseArgs, innerArgs(args), MAX_FRAME_BYTES).address))
    } else if (verb === wire.VERB.put) {
      const address = toHex(decode(wire.putArgs, innerArgs(args), MAX_FRAME_BYTES).address)
      if (released.has(address)) refilled.push(address)
    }
  })
  return { released, refilled, hooks }
}

function innerArgs(args: Uint8Array): Uint8Array {
  return decode(wire.signedArgs, args, MAX_FRAME_BYTES).args
}

describe('mailboxes of friends over months', () => {
  it('T51 are replaced and given up, over restarts and with relays down, and both write where the other reads', async function () {
    this.timeout(60_000)
    const { released, refilled, hooks } = watchReleases()
    const village = await createVillage(500, { relays: 2, node: { profile: 'light' }, relayHooks: hooks })
    const { world, alice, bob } = village
    await untilRest(village)
    // those of the request end now
    await world.pass(2 * MINUTE)
    const before = released.size
    const sent: Sent[] = []
    for (let week = 0; week <= 10; week += 2) {
      const down = week % 4 === 0 ? 'relay1' : 'relay2'
      world.crash(down)
      sent.push(await sayOnce(village, alice, bob, `alice in week ${week}`))
      await world.pass(MINUTE)
      sent.push(await sayOnce(village, bob, alice, `bob in week ${week}`))
      await world.pass(5 * MINUTE)
      await world.restart(down)
      await world.pass(5 * MINUTE)
      // most of the time nobody is there
      world.crash('alice')
      world.crash('bob')
      if (week < 10) await passDays(village, 14)
      await world.restart('alice')
      await world.restart('bob')
    }
    await untilRest(village, DAY)
    await expectWholeTalk(village, sent)
    expect(await generationOf(village, alice, bob)).to.equal(2)
    expect(await generationOf(village, bob, alice)).to.equal(2)
    // the first of each direction at both relays
    expect(released.size - before).to.equal(4)
    expect(refilled).to.deep.equal([])
  })

  it('T51 stay as they are for a friend who is away for five weeks, who finds everything and moves then', async function () {
    this.timeout(60_000)
    const { released, refilled, hooks } = watchReleases()
    const village = await createVillage(501, { node: { profile: 'light' }, relayHooks: hooks })
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
    await untilRest(village)
    await world.pass(2 * MINUTE)
    const before = released.size
    // alice hears of bob and replaces, and bob is gone before the update comes
    world.crash('alice')
    await passDays(village, 28)
    sent.push(await sayOnce(village, bob, alice, 'I am off'))
    await world.pass(MINUTE)
    world.crash('bob')
    await world.restart('alice')
    for (let week = 1; week <= 6; week++) {
      sent.push(await sayOnce(village, alice, bob, `week ${week}`))
      await world.pass(HOUR)
      world.crash('alice')
      await passDays(village, 6)
      await world.restart('alice')
    }
    const away = await mailboxesOf(village, alice, bob)
    expect(away.reading.map(({ replacement, until }) => [replacement, until])).to.deep.equal([
      [0, undefined],
      [1, undefined],
    ])
    expect(released.size - before).to.equal(0)
    await world.restart('bob')
    await untilRest(village, 2 * DAY)
    sent.push(await sayOnce(village, bob, alice, 'back'))
    await untilRest(village, DAY)
    await expectWholeTalk(village, sent)
    expect(await generationOf(village, alice, bob)).to.be.at.least(1)
    await generationOf(village, bob, alice)
    expect(refilled).to.deep.equal([])
  })
})
