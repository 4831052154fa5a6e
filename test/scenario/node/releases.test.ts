/**
 * Mailboxes that are given up while a relay is away, or just before the node ends: the relay is told later, and told once.
 */
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { DAY, MINUTE } from '../../simulation/engine.ts'
import { createVillage, passDays, tapFrames, untilRest, type Village, type VillageOptions } from './village.ts'

const BUSY = encode(wire.answer, { status: wire.STATUS.busy, body: new Uint8Array(0), retryAfter: 60 })

/** A village, and the addresses that its relays were told to release. */
async function createTapped(seed: number, options: VillageOptions): Promise<{ village: Village; released: string[] }> {
  const released: string[] = []
  const relayHooks = tapFrames((verb, args) => {
    if (verb !== wire.VERB.release) return
    const { args: release } = decode(wire.signedArgs, args, MAX_FRAME_BYTES)
    released.push(toHex(decode(wire.releaseArgs, release, MAX_FRAME_BYTES).address))
  })
  return { village: await createVillage(seed, { ...options, relayHooks }), released }
}

describe('a mailbox that is given up', () => {
  it('while the relay is away is released when it is back, over a restart, and once', async () => {
    const { village, released } = await createTapped(1, {})
    const { world, alice } = village
    await untilRest(village)
    await world.pass(5 * MINUTE)
    // the invite and the reply mailbox of the beginning
    const before = released.length
    world.crash('bob')
    world.crash('relay1')
    await world.pass(MINUTE)
    await alice.do((it) => it.unfriend('bob'))
    await world.pass(5 * MINUTE)
    await world.restart('alice')
    await world.restart('relay1')
    await world.pass(5 * MINUTE)
    expect(released.length - before, 'the mailbox of the session').to.equal(1)
    await world.restart('alice')
    await world.pass(5 * MINUTE)
    expect(released.length - before).to.equal(1)
    expect(new Set(released).size).to.equal(released.length)
  })

  it('by a node that crashes in the same moment is released when it is back', async () => {
    const { village, released } = await createTapped(2, {})
    const { world, alice } = village
    await untilRest(village)
    await world.pass(5 * MINUTE)
    const before = released.length
    await alice.do((it) => it.unfriend('bob'))
    world.crash('alice')
    expect(released.length).to.equal(before)
    await world.restart('alice')
    await world.pass(5 * MINUTE)
    expect(released.length - before).to.equal(1)
  })

  it('because its invite ended while the node was away is released when it is back', async () => {
    const { village, released } = await createTapped(3, { friends: false })
    const { world, alice } = village
    await alice.do((it) => it.createInvite({ lifetimeSeconds: 3600, uses: 1 }))
    await world.pass(MINUTE)
    world.crash('alice')
    world.crash('bob')
    await passDays(village, 15)
    await world.restart('alice')
    await world.pass(5 * MINUTE)
    expect(released).to.have.lengthOf(1)
  })

  it('is not held to be released by a relay that is too busy', async () => {
    let isBusy = true
    let asked = 0
    const relayHooks = tapFrames(
      (verb) => void (asked += verb === wire.VERB.release ? 1 : 0),
      (verb, answer) => (verb === wire.VERB.release && isBusy ? BUSY : answer),
    )
    const village = await createVillage(4, { friends: false, relayHooks })
    const { world, alice } = village
    const { inviteId } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 3600, uses: 1 }))
    await alice.do((it) => it.revokeInvite(inviteId))
    await world.pass(2 * MINUTE)
    expect(asked).to.equal(1)
    isBusy = false
    await world.pass(11 * MINUTE)
    expect(asked).to.equal(2)
    await world.pass(DAY)
    expect(asked).to.equal(2)
  })
})
