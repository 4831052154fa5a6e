/** Tags of envelopes on gossip: none is used twice, and whoever was silent or crashed is found by mailbox and then by gossip. */
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { topicOf } from '../../../node/mailbox/buckets.ts'
import { decodeEnvelope, envelopeId } from '../../../node/wire/envelope.ts'
import { HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import type { Person } from '../../simulation/people.ts'
import {
  createVillage,
  diskOf,
  expectWholeTalk,
  historyOf,
  idOf,
  sayOnce,
  type Sent,
  startStranger,
  untilRest,
  type Village,
} from './village.ts'

/** How the newest text came to the reader. */
async function newestVia(reader: Person, writer: Person): Promise<string | undefined> {
  return (await historyOf(reader, writer)).findLast(({ direction }) => direction === 'in')?.via
}

async function counterOf(village: Village, writer: Person, reader: Person): Promise<number> {
  const { lanes } = await loadChannel(diskOf(village, writer), await idOf(reader))
  return lanes[0]!.tagCounter
}

async function stopAndStart({ world }: Village, person: Person): Promise<void> {
  await person.do((it) => it.stop())
  world.crash(person.name)
  await world.restart(person.name)
}

describe('tags of a friend', () => {
  it('are found again after a silence on gossip of more than a window', async function () {
    this.timeout(60_000)
    const village = await createVillage(600)
    const { world, alice, bob } = village
    const sent: Sent[] = [await sayOnce(village, alice, bob, 'hello')]
    await untilRest(village)
    const before = await counterOf(village, alice, bob)
    world.crash('bob')
    for (let i = 0; i < 135; i++) sent.push(await sayOnce(village, alice, bob, `text ${i}`))
    expect((await counterOf(village, alice, bob)) - before).to.be.greaterThan(128)
    // only the last is left on gossip when bob comes, and no window reaches it
    await world.pass(MINUTE)
    await world.restart('bob')
    await untilRest(village, 2 * HOUR)
    expect(await newestVia(bob, alice)).to.equal('relay')
    sent.push(await sayOnce(village, alice, bob, 'by gossip again'))
    await untilRest(village)
    expect(await newestVia(bob, alice)).to.equal('gossip')
    await expectWholeTalk(village, sent)
  })

  it('are used once, over crashes; who ends by itself leaves none out, who crashed leaves 1000', async () => {
    const village = await createVillage(601)
    const { world, alice, bob } = village
    const topic = topicOf(await idOf(bob), 2)
    const { overheard } = await startStranger(village, 'ear', [topic])
    const sent: Sent[] = []
    await untilRest(village)
    let before = await counterOf(village, alice, bob)
    await stopAndStart(village, alice)
    sent.push(await sayOnce(village, alice, bob, 'after a stop'))
    await untilRest(village)
    expect((await counterOf(village, alice, bob)) - before).to.be.lessThan(10)
    for (let i = 0; i < 3; i++) {
      before = await counterOf(village, alice, bob)
      world.crash('alice')
      await world.restart('alice')
      await world.pass(2 * SECOND)
      sent.push(await sayOnce(village, alice, bob, `after crash ${i}`))
      await untilRest(village)
      expect((await counterOf(village, alice, bob)) - before).to.be.within(1000, 1010)
      // beyond the window, so by mailbox, which moves it
      expect(await newestVia(bob, alice)).to.equal('relay')
      sent.push(await sayOnce(village, alice, bob, `and then ${i}`))
      await untilRest(village)
      expect(await newestVia(bob, alice)).to.equal('gossip')
    }
    await expectWholeTalk(village, sent)
    const byTag = new Map<string, string>()
    for (const { envelope } of overheard) {
      const tag = toHex(decodeEnvelope(envelope).tag)
      const eid = toHex(envelopeId(envelope))
      expect(byTag.get(tag) ?? eid, 'two envelopes under one tag').to.equal(eid)
      byTag.set(tag, eid)
    }
    expect(byTag.size).to.be.greaterThan(6)
  })
})
