/**
 * Where the time of a message goes: each step by itself in this process, one message after another, with the rows that
 * nodes write and real libp2p on loopback. The steps of the two ways are added up at the end.
 */
import { randomBytes } from 'node:crypto'
import { ed25519KeyPair } from '../../node/crypto/ed25519.ts'
import { GossipGate } from '../../node/delivery/gossip-gate.ts'
import { createMailboxClient, type MailboxClient } from '../../node/delivery/mailbox-client.ts'
import { friendMailbox, KIND, mailboxAddress, openCopy, sealCopy } from '../../node/mailbox/keys.ts'
import { mintEnvelopePostage, pay } from '../../node/mailbox/postage.ts'
import { MAIL_TOPICS } from '../../node/network/stack-options.ts'
import type { RowChange, Store } from '../../node/ports.ts'
import { KithRelay } from '../../node/relay.ts'
import { openEnvelope } from '../../node/session/triple-ratchet.ts'
import { systemClock, systemRandom } from '../../node/system.ts'
import { ENVELOPE_KIND, envelopeId, envelopePrefix } from '../../node/wire/envelope.ts'
import { loopbackNode, strictLogger } from '../support/libp2p-nodes.ts'
import { RecordingInbound } from '../support/recording-inbound.ts'
import { befriend, NOW, sealText, seededRandom } from '../support/session-fixtures.ts'
import { until } from '../support/until.ts'
import { libp2pEcho } from './bare-peer.ts'
import type { Bench } from './bench.ts'
import { timed, timesOf } from './measure.ts'
import { freshBatch, recordBatches } from './recorded-batches.ts'
import { type Figure, Group } from './report.ts'
import { openStore } from './store.ts'

const SIZE = 4096
/** A mailbox that is not read empty takes no more than 128. */
const MAX_PUTS = 100
const DAY = 86_400

interface Steps {
  seal: number[]
  postage: number[]
  sent: number[]
  hop: number[]
  gate: number[]
  copy: number[]
  put: number[]
  pulled: number[]
  open: number[]
  received: number[]
}

export async function benchDeliverySteps(bench: Bench): Promise<Group> {
  const group = new Group('The steps of one message, each by itself')
  const count = bench.amount(300, 10)
  const echo = await (await libp2pEcho(bench, 256)).roundTrips(bench.amount(1000, 50))
  const batches = await recordBatches()
  const store = await openStore(bench)
  const steps: Steps = {
    ...(await ratchetSteps(count)),
    postage: await timesOf(count, () => postage(randomBytes(SIZE))),
    sent: await writes(store, batches.sent, count),
    received: await writes(store, batches.received, count),
    hop: await gossipHop(bench, count),
    gate: await gate(count),
    copy: await copies(count),
    ...(await relayed(bench, Math.min(count, MAX_PUTS))),
  }
  report(group, steps, echo)
  return group
}

function report(group: Group, steps: Steps, echo: number[]): void {
  const base = group.times('raw: libp2p echo, 256 B', echo)
  const figures = {
    seal: group.times('ratchet: seal', steps.seal, base),
    postage: group.times('postage of the envelope, 10 bits', steps.postage, base),
    sent: group.times("the sender's batch, synced", steps.sent, base),
    hop: group.times('gossip: one hop, publish to validator', steps.hop, base),
    gate: group.times('validator: size, window, postage', steps.gate, base),
    copy: group.times('copy: keys at the relay, seal, and open at the reader', steps.copy, base),
    put: group.times('relay: PUT to its signed receipt, synced there', steps.put, base),
    pulled: group.times("relay: PUT to the reader's PULL", steps.pulled, base),
    open: group.times('ratchet: open', steps.open, base),
    received: group.times("the reader's batch, synced", steps.received, base),
  } satisfies Record<keyof Steps, Figure>
  const sum = (...names: (keyof Steps)[]): string =>
    `${names.reduce((total, name) => total + figures[name].p50!, 0).toFixed(1)} ms`
  const ends = ['seal', 'postage', 'sent', 'open', 'received'] as const
  group.note(
    `medians added up: by gossip ${sum(...ends, 'hop', 'gate')}, by the relay ${sum(...ends, 'copy', 'pulled')};`,
  )
  group.note(
    'between processes come the calls and events of the API, and that both people and the relay share the cores:',
  )
  group.note('with gossip the same message also goes to the relay and comes from there, to be dropped as known')
}

async function ratchetSteps(count: number): Promise<Pick<Steps, 'seal' | 'open'>> {
  const random = seededRandom('steps')
  const pair = befriend(random)
  let { b: from, a: to } = pair
  const opened: number[] = []
  const seal: number[] = []
  await timesOf(count, async () => {
    const sealed = await timed(async () => sealText(from, random, 'x'.repeat(256), { floor: from.sentSerial }))
    const { prefix, body, session } = sealed.result
    const open = await timed(async () => openEnvelope(to, { prefix, body, now: NOW }))
    from = session
    to = open.result.session
    seal.push(sealed.ms)
    opened.push(open.ms)
  })
  return { seal, open: opened }
}

/** As the sealer: with its yields. */
async function postage(envelope: Uint8Array): Promise<Uint8Array> {
  const mint = mintEnvelopePostage(envelopeId(envelope), SIZE, randomBytes(8))
  return await pay(mint, () => systemClock.yield())
}

async function writes(store: Store, batch: readonly RowChange[], count: number): Promise<number[]> {
  return await timesOf(count, async (i) => await store.write(freshBatch(batch, i)))
}

async function gossipHop(bench: Bench, count: number): Promise<number[]> {
  const [writer, reader] = [loopbackNode(), loopbackNode()]
  bench.atEnd(async () => void (await Promise.all([writer.network.stop(), reader.network.stop()])))
  const inbound = new RecordingInbound()
  await reader.network.start(inbound)
  const topic = MAIL_TOPICS[0]!
  reader.network.subscribe([topic])
  await writer.network.start(new RecordingInbound())
  const link = await writer.network.connect(reader.network.addresses()[0]!)
  bench.atEnd(async () => link.close())
  await until(() => writer.network.topicPeerCount(topic) > 0)
  return await timesOf(count, async () => {
    const arrived = new Promise<void>((resolve) => {
      inbound.verdict = () => {
        resolve()
        return 'accept'
      }
    })
    await writer.network.publish(topic, randomBytes(SIZE))
    await arrived
  })
}

async function gate(count: number): Promise<number[]> {
  const now = NOW * 1000
  const clock = { ...systemClock, now: () => now }
  const one = new GossipGate({ clock, protocolTime: () => NOW, deliver: () => undefined })
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const envelope = new Uint8Array(randomBytes(SIZE))
    envelope.set(envelopePrefix(ENVELOPE_KIND.pairwise, randomBytes(16), Math.floor(NOW / DAY) + 20))
    envelope.set(await postage(envelope), 20)
    const { ms, result } = await timed(async () => one.admit(envelope, `neighbour ${i}`))
    if (result !== 'accept') throw new Error(`the validator says ${result}`)
    times.push(ms)
  }
  return times
}

async function copies(count: number): Promise<number[]> {
  const [secret, server, envelope] = [randomBytes(32), randomBytes(38), randomBytes(SIZE)]
  return await timesOf(count, async () => {
    const copy = sealCopy(friendMailbox(secret, server).copyKey, randomBytes(24), envelope)
    openCopy(friendMailbox(secret, server).copyKey, copy)
  })
}

/** A relay with an encrypted store on the disk; writer and reader reach it over libp2p on loopback. */
async function relayed(bench: Bench, count: number): Promise<Pick<Steps, 'put' | 'pulled'>> {
  const signingSeed = new Uint8Array(randomBytes(32))
  const home = loopbackNode({ role: 'relay', privateKeySeed: signingSeed })
  const [writing, reading] = [loopbackNode(), loopbackNode()]
  const store = await openStore(bench)
  const ports = { clock: systemClock, random: systemRandom, store, network: home.network, logger: strictLogger }
  const relay = await KithRelay.open(ports, { signingSeed, policy: { claimBits: 4 } })
  await relay.start()
  bench.atEnd(async () => {
    await Promise.all([writing.network.stop(), reading.network.stop()])
    await relay.stop()
  })
  const address = home.network.addresses()[0]!
  const [writer, reader] = [await clientOf(writing, address), await clientOf(reading, address)]
  const keys = { writer: ed25519KeyPair(randomBytes(32)), reader: ed25519KeyPair(randomBytes(32)) }
  const box = mailboxAddress(KIND.friend, keys.writer.public, keys.reader.public)
  await reader.claim({ kind: KIND.friend, ...keys, until: Math.floor(Date.now() / 1000) + 30 * DAY })
  await reader.subscribe({ entries: [{ address: box, after: 0 }] })
  const put: number[] = []
  const pulled: number[] = []
  for (let i = 0; i < count; i++) {
    const begin = performance.now()
    const pulling = reader.pull().then(() => performance.now() - begin)
    const expires = Math.floor(Date.now() / 1000) + 20 * DAY
    const copy = randomBytes(SIZE + 40)
    const result = await writer.put({ address: box, writerSeed: keys.writer.seed, copy, expires })
    if (result.status !== 'stored') throw new Error(`the relay says ${result.status}`)
    put.push(performance.now() - begin)
    pulled.push(await pulling)
  }
  return { put, pulled }
}

async function clientOf(node: ReturnType<typeof loopbackNode>, server: string): Promise<MailboxClient> {
  await node.network.start(new RecordingInbound())
  const link = await node.network.connect(server)
  const client = createMailboxClient({ link, clock: systemClock, random: systemRandom, logger: strictLogger })
  await client.hello()
  return client
}
