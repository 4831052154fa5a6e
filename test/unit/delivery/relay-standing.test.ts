/** What is remembered of servers: hours away, proofs, and the bound on both. */
import { expect } from 'chai'
import { utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { RelayStanding } from '../../../node/delivery/relay-standing.ts'
import { MAX_KNOWN_RELAYS } from '../../../node/limits.ts'
import { TABLE } from '../../../node/ports.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const HOUR_MS = 3_600_000
const WEEK = 7 * 24

function serverId(address: string): Uint8Array {
  const id = new Uint8Array(38)
  id.set(sha256(utf8(address)))
  return id
}

async function setUp() {
  const clock = createManualClock()
  const store = createMemoryStore()
  const open = (): Promise<RelayStanding> => RelayStanding.open({ store, clock, serverId })
  return { clock, store, open, standing: await open() }
}

type World = Awaited<ReturnType<typeof setUp>>

async function miss({ clock }: World, standing: RelayStanding, address: string, hours: number): Promise<boolean[]> {
  const news: boolean[] = []
  for (let i = 0; i < hours; i++) {
    await clock.advance(HOUR_MS)
    news.push(await standing.note(serverId(address), false))
  }
  return news
}

async function condemn({ store }: World, standing: RelayStanding, address: string): Promise<void> {
  const tx = new Transaction()
  standing.condemn(tx, serverId(address), utf8('proof'), 1)
  await store.write(tx.changes)
  tx.committed()
}

describe('the standing of relays', () => {
  it('remembers the end that one announced, over restarts, and lets nobody change their mind more than every six hours', async () => {
    const { clock, open, standing } = await setUp()
    const server = serverId('a')
    expect(await standing.noteEnd(server, 5000)).to.equal(true)
    expect((await open()).leaves(server)).to.equal(5000)
    expect(standing.isGood('a')).to.equal(false)
    expect(standing.choose(['a', 'b'], 1)).to.deep.equal(['b'])
    for (const end of [undefined, 6000, undefined, 7000]) expect(await standing.noteEnd(server, end)).to.equal(false)
    expect(standing.leaves(server)).to.equal(5000)
    await clock.advance(6 * HOUR_MS)
    expect(await standing.noteEnd(server, undefined)).to.equal(true)
    expect(standing.isGood('a')).to.equal(true)
  })

  it('keeps no more announced ends than servers that are known', async () => {
    const { store, standing } = await setUp()
    for (let i = 0; i < MAX_KNOWN_RELAYS + 5; i++) await standing.noteEnd(serverId(`relay ${i}`), 5000)
    const rows = await store.list({ table: TABLE.meta, scope: utf8('standing'), limit: 1000 })
    expect(rows).to.have.lengthOf(MAX_KNOWN_RELAYS)
  })

  it('is lost after a week of hours, counted over restarts, and good again when it was reached', async () => {
    const world = await setUp()
    expect((await miss(world, world.standing, 'a', WEEK - 1)).some(Boolean)).to.equal(false)
    const again = await world.open()
    expect(again.isLost(serverId('a'))).to.equal(false)
    expect(await miss(world, again, 'a', 1)).to.deep.equal([true])
    expect(again.isLost(serverId('a'))).to.equal(true)
    expect(await again.note(serverId('a'), true)).to.equal(true)
    expect((await world.open()).isLost(serverId('a'))).to.equal(false)
  })

  it('counts one miss in an hour at most, and begins anew when it was reached in between', async () => {
    const world = await setUp()
    const { standing, clock } = world
    for (let i = 0; i < 10 * WEEK; i++) {
      await clock.advance(HOUR_MS / 20)
      await standing.note(serverId('a'), false)
    }
    expect(standing.isLost(serverId('a'))).to.equal(false)
    await standing.note(serverId('a'), true)
    await miss(world, standing, 'a', WEEK - 1)
    expect(standing.isLost(serverId('a'))).to.equal(false)
  })

  it('forgets that one was lost when nobody has tried for a week', async () => {
    const world = await setUp()
    await miss(world, world.standing, 'a', WEEK)
    await world.clock.advance(8 * 24 * HOUR_MS)
    expect(world.standing.isLost(serverId('a'))).to.equal(false)
  })

  it('chooses good ones first, those that are away next, and one that was caught only alone', async () => {
    const world = await setUp()
    const { standing } = world
    await miss(world, standing, 'b', WEEK)
    expect(standing.choose(['a', 'b', 'c', 'd'], 3)).to.deep.equal(['a', 'c', 'd'])
    expect(standing.choose(['a', 'b', 'c'], 3)).to.deep.equal(['a', 'c', 'b'])
    await condemn(world, standing, 'a')
    expect(standing.choose(['a', 'b', 'c'], 3)).to.deep.equal(['c', 'b'])
    expect(standing.choose(['a'], 3)).to.deep.equal(['a'])
    expect([standing.isGood('a'), standing.isGood('b'), standing.isGood('c')]).to.deep.equal([false, false, true])
  })

  it('keeps the first proof, over restarts, and reaching the server does not clear it', async () => {
    const world = await setUp()
    await condemn(world, world.standing, 'a')
    await world.standing.note(serverId('a'), true)
    await miss(world, world.standing, 'a', 1)
    await world.standing.note(serverId('a'), true)
    const [caught] = (await world.open()).caught()
    expect(caught!.proof).to.deep.equal(utf8('proof'))
  })

  it('is bounded, and those without a proof are forgotten first', async () => {
    const world = await setUp()
    await condemn(world, world.standing, 'thief')
    for (let i = 0; i < MAX_KNOWN_RELAYS + 20; i++) {
      await world.clock.advance(1000)
      await world.standing.note(serverId(`relay ${i}`), false)
    }
    for (let i = 0; i < MAX_KNOWN_RELAYS + 20; i++) await condemn(world, world.standing, `thief ${i}`)
    const again = await world.open()
    expect(again.caught()).to.have.length.at.most(MAX_KNOWN_RELAYS)
    expect(world.standing.caught()).to.have.lengthOf(again.caught().length)
  })
})
