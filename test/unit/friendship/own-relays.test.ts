/** Which relays a person has: configured ones, stand-ins, former ones. */
import { expect } from 'chai'
import { loadToldRelays, OwnRelays } from '../../../node/friendship/own-relays.ts'
import type { RelayStanding } from '../../../node/delivery/relay-standing.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

function createPerson(configured: string[], friends: Record<string, number> = {}) {
  const clock = createManualClock()
  const store = createMemoryStore()
  const bad = new Set<string>()
  const closed = new Set<string>()
  const asked: string[] = []
  const standing = { isGood: (address: string) => !bad.has(address) } as unknown as RelayStanding
  const open = async (): Promise<OwnRelays> =>
    new OwnRelays(
      {
        store,
        clock,
        random: countingRandom('relays'),
        standing,
        configured,
        protocolTime: () => clock.now() / 1000,
        candidates: () => new Map(Object.entries(friends)),
        takesMail: async (address) => {
          asked.push(address)
          return !closed.has(address)
        },
      },
      await loadToldRelays(store),
    )
  return { clock, store, bad, closed, asked, open }
}

describe('the own relays', () => {
  it('are those that are configured while they work, and nobody else is asked', async () => {
    const { open, asked } = createPerson(['a', 'b'], { c: 5 })
    const relays = await open()
    await relays.review()
    expect([relays.current, relays.isNews, asked]).to.deep.equal([['a', 'b'], false, []])
  })

  it('stay one when one is configured, and get one when it is gone', async () => {
    const { open, bad } = createPerson(['a'], { c: 1, d: 3 })
    const relays = await open()
    await relays.remember()
    await relays.review()
    expect(relays.current).to.deep.equal(['a'])
    bad.add('a')
    await relays.review()
    expect(relays.current).to.deep.equal(['d'])
    expect([relays.isNews, relays.isStandIn('d'), relays.read.toSorted()]).to.deep.equal([true, true, ['a', 'd']])
  })

  it('take relays of most friends first, none that is bad or takes nothing, and never more than two', async () => {
    const { open, bad, closed } = createPerson(['a', 'b', 'x'], { c: 9, d: 8, e: 7, f: 6, g: 5 })
    for (const relay of ['a', 'b', 'x', 'c']) bad.add(relay)
    closed.add('d')
    const relays = await open()
    await relays.review()
    expect(relays.current).to.deep.equal(['e', 'f'])
  })

  it('are the configured ones when nothing works and nobody is known, who is asked for later and later', async () => {
    const { open, bad, closed, asked, clock } = createPerson(['a', 'b'], { c: 1 })
    bad.add('a').add('b')
    closed.add('c')
    const relays = await open()
    for (let hours = 0; hours < 24 * 10; hours++) {
      await relays.review()
      await clock.advance(HOUR_MS)
    }
    expect(relays.current).to.deep.equal(['a', 'b'])
    expect(asked.length).to.be.within(9, 30)
  })

  it('are remembered with their stand-ins; what was left is read for 30 days', async () => {
    const { open, bad, clock } = createPerson(['a', 'b'], { c: 1 })
    const first = await open()
    await first.remember()
    bad.add('a')
    await first.review()
    expect(first.current).to.deep.equal(['b', 'c'])
    await first.remember()
    const second = await open()
    expect([second.current, second.isNews]).to.deep.equal([['b', 'c'], false])
    bad.clear()
    await second.review()
    expect([second.current, second.isNews]).to.deep.equal([['a', 'b'], true])
    await second.remember()
    expect(second.read).to.include('c')
    await clock.advance(31 * DAY_MS)
    const third = await open()
    expect(third.read).to.deep.equal(['a', 'b'])
  })
})
