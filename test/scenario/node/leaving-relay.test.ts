/**
 * A relay announces its end in the middle of a conversation: friends hear where to write instead, mail goes on, and the
 * mailboxes at it are given up, so that its operator can stop it without loss.
 */
import { expect } from 'chai'
import { DAY, HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { befriend } from '../../simulation/people.ts'
import {
  createVillage,
  eventsOf,
  expectWholeTalk,
  sayOnce,
  type Sent,
  settle,
  untilRest,
  type Village,
} from './village.ts'

describe('a relay that announces its end', () => {
  let village: Village

  before(async () => {
    village = await createVillage(620, { relays: 3, friends: false, node: { profile: 'light', relays: [] } })
    const [leaving, first, second] = village.addresses
    village.alice = await settle(village, 'carol', { profile: 'light', relays: [leaving!, first!] })
    village.bob = await settle(village, 'dave', { profile: 'light', relays: [second!] })
    await befriend(village.world, village.alice, village.bob)
    await untilRest(village)
  })

  it('is left in time, while mail goes on, and holds nothing in the end', async () => {
    const { world, alice: carol, bob: dave, relays, addresses } = village
    const relay = relays[0]!
    const sent: Sent[] = [await sayOnce(village, dave, carol, 'before')]
    await untilRest(village)

    const drainAt = world.now - (world.now % SECOND) + 2 * DAY
    await relay.do((it) => it.changeRelay({ drainAt }))
    // kept links are greeted every six hours
    await world.pass(7 * HOUR)
    const events = await eventsOf(carol)
    expect(events.filter(({ event }) => event === 'relay').map(({ detail }) => detail)).to.deep.include.members([
      { peerId: events.find(({ event }) => event === 'relay')!.detail['peerId'], state: 'leaving', endsAt: drainAt },
    ])
    const status = await carol.do((it) => it.status())
    expect(status.relays.find(({ address }) => address === addresses[0])).to.include({ leavesAt: drainAt })
    expect(status.relays.find(({ address }) => address === addresses[2])).to.include({ standIn: true })
    expect(status.problems.map(({ code }) => code)).to.include('RELAY_LEAVES')

    sent.push(await sayOnce(village, dave, carol, 'meanwhile'))
    await untilRest(village)
    const trace = await dave.do((it) => it.trace(sent[1]!.messageId))
    const receipts = trace.steps.filter(({ step }) => step === 'receipt').map(({ by }) => by)
    expect(receipts).to.include(addresses[1]).and.to.not.include(addresses[0])

    for (let day = 0; day < 2; day++) await world.pass(DAY)
    sent.push(await sayOnce(village, carol, dave, 'after'))
    await untilRest(village)
    await world.pass(5 * MINUTE)
    expect(await relay.do((it) => it.relayCounters())).to.include({ copies: 0, holding: 0 })
    await expectWholeTalk(village, sent)
  })

  it('stays with everybody when it takes its word back', async () => {
    const { world, alice: carol, relays, addresses } = village
    await relays[0]!.do((it) => it.changeRelay({ drainAt: null }))
    await world.pass(7 * HOUR)
    const status = await carol.do((it) => it.status())
    expect(status.relays.find(({ address }) => address === addresses[0])).to.not.have.property('leavesAt')
    expect(status.relays.some(({ standIn }) => standIn)).to.equal(false)
  })
})
