/** Programs that live on the event log: where they go on after restarts, and messages that are sent once for each key. */
import { expect } from 'chai'
import { readEventPage } from '../../../node/api/event-page.ts'
import { Subscription } from '../../../node/api/subscription.ts'
import type { NodeEvent } from '../../../node/api/service.ts'
import { MAX_CONSUMERS } from '../../../node/limits.ts'
import { TABLE } from '../../../node/ports.ts'
import { codeOf, createVillage, eventsOf, historyOf, sayOnce, untilRest, type Village } from './village.ts'

const everything = (): boolean => true

/** Takes rows out of the log, as it does itself when there are too many. */
function dropEvents({ world }: Village, name: string, count: number): void {
  const image = world.disk(name).image()
  const range = { table: TABLE.event, scope: new Uint8Array(0) }
  const gone = image.rows.list({ ...range, limit: count })
  image.rows.apply(gone.map(({ position }) => ({ key: { ...range, position }, value: undefined })))
  world.disk(name).restore(image)
}

describe('a consumer of events', () => {
  it('goes on behind what it acknowledged, over restarts of the node', async () => {
    const village = await createVillage(830)
    const { world, alice, bob } = village
    const begin = await alice.do((it) => it.openConsumer('echo'))
    expect(begin).to.equal(alice.it.lastCursor())
    for (const text of ['one', 'two']) await sayOnce(village, bob, alice, text)
    await untilRest(village)
    const [first] = (await eventsOf(alice)).filter(({ event, cursor }) => event === 'message' && cursor > begin)
    expect(await alice.do((it) => it.acknowledge('echo', first!.cursor))).to.equal(first!.cursor)
    world.crash('alice')
    await world.restart('alice')
    expect(await alice.do((it) => it.openConsumer('echo'))).to.equal(first!.cursor)
    expect(await alice.do((it) => it.acknowledge('echo', begin))).to.equal(first!.cursor)
    const [view] = await alice.do((it) => it.consumers())
    expect(view).to.include({
      consumer: 'echo',
      cursor: first!.cursor,
      behind: alice.it.lastCursor() - first!.cursor,
    })
  })

  it('is known by name, and no event is acknowledged before it is there', async () => {
    const { alice } = await createVillage(831)
    expect(await codeOf(alice.do((it) => it.acknowledge('nobody', 1)))).to.equal('UNKNOWN_CONSUMER')
    await alice.do((it) => it.openConsumer('echo', 0))
    expect(await codeOf(alice.do((it) => it.acknowledge('echo', it.lastCursor() + 1)))).to.equal('BAD_CURSOR')
    expect(await alice.do((it) => it.forgetConsumer('echo'))).to.equal(true)
    expect(await alice.do((it) => it.forgetConsumer('echo'))).to.equal(false)
    expect(await alice.do((it) => it.consumers())).to.deep.equal([])
  })

  it('is one of only so many', async () => {
    const { alice } = await createVillage(832)
    for (let i = 0; i < MAX_CONSUMERS; i++) await alice.do((it) => it.openConsumer(`consumer-${i}`))
    expect(await codeOf(alice.do((it) => it.openConsumer('one too many')))).to.equal('TOO_MANY')
    await alice.do((it) => it.openConsumer('consumer-0'))
    await alice.do((it) => it.forgetConsumer('consumer-1'))
    await alice.do((it) => it.openConsumer('one too many'))
  })

  it('is told what the log has dropped, in a page and by a subscription', async () => {
    const village = await createVillage(833)
    const { world, alice, bob } = village
    await alice.do((it) => it.openConsumer('echo', 1))
    for (const text of ['one', 'two', 'three']) {
      await sayOnce(village, bob, alice, text)
      // in this order: gossip and relays may change that of what is under way together
      await untilRest(village)
    }
    world.crash('alice')
    dropEvents(village, 'alice', 2)
    await world.restart('alice')
    const since = await alice.do((it) => it.openConsumer('echo'))
    const page = await alice.do((it) => readEventPage(it, { since, limit: 100, wants: everything }))
    expect(page.lagged).to.deep.equal({ from: 2, to: 2 })
    expect(page.events[0]!.cursor).to.equal(3)
    const told: unknown[] = []
    await alice.do(
      (it) =>
        new Promise<void>((resolve, reject) => {
          const subscription = new Subscription({
            service: it,
            since,
            wants: ({ event }) => event === 'message',
            tell: async ({ detail }: NodeEvent) => {
              told.push(detail['text'])
              if (detail['text'] !== 'three') return
              subscription.end()
              resolve()
            },
            lagged: async (from, to) => void told.push({ from, to }),
            onFailure: reject,
          })
          subscription.start()
        }),
    )
    expect(told).to.deep.equal([{ from: 2, to: 2 }, 'one', 'two', 'three'])
  })
})

describe('a page of events', () => {
  it('holds what is wanted, and goes on behind what was looked at', async () => {
    const village = await createVillage(834)
    const { alice, bob } = village
    for (const text of ['one', 'two', 'three']) {
      await sayOnce(village, bob, alice, text)
      // in this order: gossip and relays may change that of what is under way together
      await untilRest(village)
    }
    const wants = ({ event }: NodeEvent): boolean => event === 'message'
    const first = await alice.do((it) => readEventPage(it, { since: 0, limit: 2, wants }))
    expect(first.events.map(({ detail }) => detail['text'])).to.deep.equal(['one', 'two'])
    const second = await alice.do((it) => readEventPage(it, { since: first.cursor, limit: 2, wants }))
    expect(second.events.map(({ detail }) => detail['text'])).to.deep.equal(['three'])
    expect(second.cursor).to.equal(alice.it.lastCursor())
  })
})

describe('a message with an idempotency key', () => {
  it('is sent once, whoever asks again, also when the node crashed meanwhile', async () => {
    const village = await createVillage(835)
    const { world, alice, bob } = village
    const first = await alice.do((it) => it.send('bob', 'hello', 'k1'))
    expect(await alice.do((it) => it.send('bob', 'hello', 'k1'))).to.include({ messageId: first.messageId })
    world.crash('alice')
    await world.restart('alice')
    expect(await alice.do((it) => it.send('bob', 'hello', 'k1'))).to.include({ messageId: first.messageId })
    await untilRest(village)
    expect(await alice.do((it) => it.send('bob', 'hello', 'k1'))).to.deep.equal({ ...first, state: 'delivered' })
    expect(await codeOf(alice.do((it) => it.send('bob', 'other', 'k1')))).to.equal('IDEMPOTENCY_CONFLICT')
    expect((await historyOf(bob, alice)).map(({ text }) => text)).to.deep.equal(['hello'])
  })

  it('that may not be sent leaves its key free', async () => {
    const village = await createVillage(836, { friends: false })
    const { alice, bob } = village
    const { invite } = await bob.do((it) => it.createInvite({ lifetimeSeconds: 3600, uses: 1 }))
    await alice.do((it) => it.add({ target: invite, petname: 'bob' }))
    expect(await codeOf(alice.do((it) => it.send('bob', 'hello', 'k1')))).to.equal('NOT_A_FRIEND')
    expect(await codeOf(alice.do((it) => it.send('bob', 'hello', 'k1')))).to.equal('NOT_A_FRIEND')
  })
})
