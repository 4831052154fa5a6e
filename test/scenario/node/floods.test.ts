/**
 * Floods against whole nodes (T44): strangers claim and fill all that a relay has, write to mailboxes that are not theirs,
 * and pour envelopes with paid postage over the topic of a reader. What was receipted stays, and friends go on.
 */
import { expect } from 'chai'
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { createMailboxClient, type MailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { ENVELOPE_BYTES } from '../../../node/limits.ts'
import { topicOf } from '../../../node/mailbox/buckets.ts'
import { type Kind, KIND, mailboxAddress } from '../../../node/mailbox/keys.ts'
import { mintEnvelopePostage, pay } from '../../../node/mailbox/postage.ts'
import { BUCKET_BITS } from '../../../node/node.ts'
import { TABLE } from '../../../node/ports.ts'
import { ENVELOPE_KIND, envelopeId, envelopePrefix } from '../../../node/wire/envelope.ts'
import { DAY, MINUTE } from '../../simulation/engine.ts'
import { addressOf, befriend, type Person, type Relay, startRelay, textsOf } from '../../simulation/people.ts'
import type { SimPorts } from '../../simulation/world.ts'
import {
  createVillage,
  eventsOf,
  expectWholeTalk,
  idOf,
  outboxOf,
  passDays,
  sayOnce,
  type Sent,
  settle,
  startStranger,
  untilRest,
  type Village,
} from './village.ts'

const MAX_BYTES = 1_500_000
const MAX_CLAIMS = 40
/** Five times what a neighbour may send. */
const FLOOD = { ms: 6000, each10Ms: 5, paid: 200 }
const COPY_BYTES = { small: ENVELOPE_BYTES[0] + 40, large: ENVELOPE_BYTES[2] + 40 }
/** Rates are for each source; here there are as many sources as a flood likes. */
const NO_RATE = { burst: 1e9, perSecond: 1e9 }
const RATES = { frames: NO_RATE, allFrames: NO_RATE, dear: NO_RATE, allDear: NO_RATE }

/** ann and ben have read at a small relay for some days; ben is away, and two messages wait for him there. */
async function smallRelay(seed: number, days: number): Promise<{ village: Village; relay: Relay; sent: Sent[] }> {
  const village = await createVillage(seed, { relays: 0, friends: false })
  const { world } = village
  const limits = { maxBytes: MAX_BYTES, maxClaims: MAX_CLAIMS, ...RATES }
  const relay = await startRelay(world, 'relay', { limits })
  village.relays.push(relay)
  village.addresses.push(await addressOf(relay))
  for (const name of ['ann', 'ben']) await settle(village, name)
  const [ann, ben] = ['ann', 'ben'].map((name) => village.villagers.get(name)!.person) as [Person, Person]
  village.alice = ann
  village.bob = ben
  await befriend(world, ann, ben)
  const sent = [await sayOnce(village, ann, ben, 'first'), await sayOnce(village, ben, ann, 'and back')]
  await untilRest(village)
  await passDays(village, days)
  sent.push(await sayOnce(village, ann, ben, 'later'), await sayOnce(village, ben, ann, 'here too'))
  await untilRest(village)
  await world.pass(2 * MINUTE)
  world.crash('ben')
  sent.push(await sayOnce(village, ann, ben, 'it waits'), await sayOnce(village, ann, ben, 'this too'))
  await world.pass(MINUTE)
  expect(await receipted(village)).to.equal(2)
  return { village, relay, sent }
}

/** Messages of ann's that the relay has signed for. */
async function receipted(village: Village): Promise<number> {
  const entries = await outboxOf(village, village.alice, village.bob)
  return entries.filter(({ receipts }) => receipts.length > 0).length
}

/** Claims mailboxes and fills each until nothing more is taken. @returns how often each answer came */
async function fill(client: MailboxClient, { random, clock }: SimPorts, kinds: readonly Kind[]) {
  const counts = new Map<string, number>()
  const count = (what: string, status: string): string => {
    counts.set(`${what} ${status}`, (counts.get(`${what} ${status}`) ?? 0) + 1)
    return status
  }
  for (const kind of kinds) {
    const [writer, reader] = [ed25519KeyPair(random.bytes(32)), ed25519KeyPair(random.bytes(32))]
    const expires = Math.floor(clock.now() / 1000) + 20 * 86_400
    const claimed = await client.claim({ kind, writer, reader, until: expires })
    if (count('claim', claimed.status) !== 'claimed' || kind !== KIND.friend) continue
    const address = mailboxAddress(kind, writer.public, reader.public)
    for (const size of [COPY_BYTES.large, COPY_BYTES.small]) {
      const put = async (): Promise<string> =>
        (await client.put({ address, writerSeed: writer.seed, copy: random.bytes(size), expires })).status
      while (count('put', await put()) === 'stored');
    }
  }
  return counts
}

describe('floods', () => {
  it('T44 of fresh claims at a relay leave what it signed for, and take no room from who acknowledges', async () => {
    const { village, relay, sent } = await smallRelay(4400, 8)
    const { world, alice, bob } = village
    const { stranger } = await startStranger(village, 'mallory')
    const kinds = Array.from({ length: 4 * MAX_CLAIMS }, (_, i) => (i % 2 === 0 ? KIND.friend : KIND.invite))
    const counts = await stranger.do(async (ports) => {
      const client = createMailboxClient({ ...ports, link: await ports.network.connect(village.addresses[0]!) })
      const found = await fill(client, ports, kinds)
      client.close()
      return found
    })
    const { claims, bytes } = await relay.do((it) => it.relayCounters())
    expect(claims, 'claims').to.be.at.most(MAX_CLAIMS)
    expect(bytes, 'bytes').to.be.within(MAX_BYTES / 2, MAX_BYTES)
    expect(counts.get('put full'), 'copies refused').to.be.above(5)

    sent.push(await sayOnce(village, alice, bob, 'in the flood'))
    sent.push(await sayOnce(village, alice, bob, 'large '.repeat(8000)))
    await world.pass(MINUTE)
    expect(await receipted(village), 'signed for').to.equal(4)
    // the word that comes by gossip is the fast one; what lies at the relay must do alone
    await world.restart('ben')
    await untilRest(village)
    await expectWholeTalk(village, sent)
    expect(
      (await eventsOf(alice)).filter(({ event }) => event === 'relay'),
      'nobody is blamed',
    ).to.deep.equal([])
  })

  it('T44 at the mailboxes of friends, by who knows only their addresses, find every door closed', async () => {
    const { village, relay, sent } = await smallRelay(4401, 0)
    const { world } = village
    const before = await relay.do((it) => it.relayCounters())
    const addresses = world
      .disk('relay')
      .rows.list({ table: TABLE.claim, scope: new Uint8Array(0) })
      .map(({ value }) => value.slice(4, 36))
    expect(addresses.length).to.be.above(1)
    const { stranger } = await startStranger(village, 'mallory')
    const statuses = await stranger.do(async (ports) => {
      const client = createMailboxClient({ ...ports, link: await ports.network.connect(village.addresses[0]!) })
      const expires = Math.floor(ports.clock.now() / 1000) + 86_400
      const found = new Set<string>()
      for (let i = 0; i < 200; i++) {
        const address = addresses[i % addresses.length]!
        const writerSeed = ports.random.bytes(32)
        found.add(
          (await client.put({ address, writerSeed, copy: ports.random.bytes(COPY_BYTES.small), expires })).status,
        )
      }
      client.close()
      return found
    })
    expect(statuses).to.deep.equal(new Set(['refused']))
    expect(await relay.do((it) => it.relayCounters())).to.deep.equal(before)
    await world.restart('ben')
    await untilRest(village)
    await expectWholeTalk(village, sent)
  })

  it('T44 of one bucket at line rate, with postage and without, do not keep what others send there from coming', async () => {
    const village = await createVillage(4402, { node: { direct: 'never' } })
    const { world, alice, bob } = village
    await untilRest(village)
    // gossip is the only way now
    world.crash('relay1')
    const topic = topicOf(await idOf(bob), BUCKET_BITS)
    const { stranger } = await startStranger(village, 'mallory')
    const today = Math.floor(world.now / DAY)
    const body = world.random.bytes(ENVELOPE_BYTES[0] - 28)
    const paid: Uint8Array[] = []
    const unpaid = (): Uint8Array =>
      concat(envelopePrefix(ENVELOPE_KIND.pairwise, world.random.bytes(16), today + 20), new Uint8Array(8), body)
    while (paid.length < FLOOD.paid) {
      const envelope = unpaid()
      const mint = mintEnvelopePostage(envelopeId(envelope), envelope.length, new Uint8Array(8))
      paid.push(concat(envelope.slice(0, 20), await pay(mint, async () => undefined), body))
    }
    await stranger.do(async ({ network, clock }) => {
      for (let at = 0; at < FLOOD.ms; at += 10) {
        clock.after(at, () => void network.publish(topic, paid.pop() ?? unpaid()))
        for (let i = 1; i < FLOOD.each10Ms; i++) clock.after(at, () => void network.publish(topic, unpaid()))
      }
    })
    // by then the neighbour has sent more than one may at once
    await world.pass(FLOOD.ms / 2)
    const texts = Array.from({ length: 8 }, (_, i) => `through the flood ${i}`)
    for (const text of texts) await sayOnce(village, alice, bob, text)
    await world.eventually(async () => (await textsOf(bob, alice)).length === texts.length, FLOOD.ms / 4)
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal(texts)
  })
})
