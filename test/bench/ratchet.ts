/**
 * Sessions: whole messages one way and with a DH step each, both states written out at every step as a node must, and whole
 * set-ups with a first message; then sealing, opening and the legs by themselves, beside the same number of the same
 * primitives, raw: node:crypto's X25519 on keys that lie ready, noble's XChaCha20-Poly1305 and ML-KEM on the same sizes.
 */
import { diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { utf8 } from '../../node/crypto/bytes.ts'
import { drawFrom } from '../../node/session/draw.ts'
import { acceptRequest, openLeg2 } from '../../node/session/leg2.ts'
import { encodeSession } from '../../node/session/session-codec.ts'
import type { SessionState } from '../../node/session/session-state.ts'
import { openEnvelope, type SealedEnvelope, sealEnvelope } from '../../node/session/triple-ratchet.ts'
import { systemRandom } from '../../node/system.ts'
import { ENVELOPE_KIND } from '../../node/wire/envelope.ts'
import { HEADER_BYTES } from '../../node/wire/header.ts'
import { acceptFields, befriend, createPerson, NOW, receive, request } from '../support/session-fixtures.ts'
import type { Bench } from './bench.ts'
import { byTurns, type Case, plainCase } from './measure.ts'
import { Group } from './report.ts'

const random = drawFrom(systemRandom)
const TEXT = utf8('x'.repeat(256))

export async function benchRatchet(bench: Bench): Promise<Group> {
  const group = new Group('Sessions (envelopes of 4096 bytes with 256 bytes of text)')
  await benchWhole(group, bench)
  await benchMessages(group, bench)
  await benchHandshake(group, bench)
  group.note('raw: the same primitives on the same sizes, as often as a message or a leg needs them')
  return group
}

// ---- as a node does it ----

async function benchWhole(group: Group, bench: Bench): Promise<void> {
  const messages = bench.amount(300, 10)
  const setUps = bench.amount(30, 2)
  const rounds = bench.amount(15, 2)
  const rates = await byTurns({ oneWay: talking(false), pingPong: talking(true) }, { rounds, count: messages })
  group.rate('messages one way, sealed and opened, states written', rounds * messages, rates.oneWay)
  group.rate('messages with a DH step each, states written', rounds * messages, rates.pingPong)
  const { setUp } = await byTurns({ setUp: settingUp() }, { rounds, count: setUps })
  group.rate('set-ups, both legs and a first message', rounds * setUps, setUp)
}

/** Two friends who write both states out with every message; `turns` makes them answer each other. */
function talking(turns: boolean): Case {
  const { a, b } = befriend(random)
  let [from, to] = [b, a]
  return plainCase(() => {
    const done = exchange(from, to)
    encodeSession(done.from)
    encodeSession(done.to)
    ;[from, to] = turns ? [done.to, done.from] : [done.from, done.to]
  })
}

function settingUp(): Case {
  const [a, b] = [createPerson('a'), createPerson('b')]
  return plainCase(() => {
    const { leg, outgoing } = request(a, b, random)
    const { incoming } = receive(b, leg)
    const accepted = acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
    const opened = openLeg2({ outgoing, leg: accepted.leg, identitySecret: a.identity.secret })
    exchange(opened.session, accepted.session)
  })
}

// ---- messages ----

async function benchMessages(group: Group, bench: Bench): Promise<void> {
  const turns = { rounds: bench.amount(9, 2), count: bench.amount(200, 10) }
  const sizes = rawSizes()
  const oneWay = talk(false)
  const bothWays = talk(true)
  const rates = await byTurns(
    {
      rawSeal: rawMessages(sizes, 'encrypt', 0),
      seal: oneWay.seal,
      rawOpen: rawMessages(sizes, 'decrypt', 0),
      open: oneWay.open,
      // a sender draws a key and steps once, a reader steps once
      rawSealStep: rawMessages(sizes, 'encrypt', 2),
      sealStep: bothWays.seal,
      rawOpenStep: rawMessages(sizes, 'decrypt', 1),
      openStep: bothWays.open,
    },
    turns,
  )
  const n = turns.rounds * turns.count
  const pairs = [
    ['seal', 'rawSeal', 'seal, one direction'],
    ['open', 'rawOpen', 'open, one direction'],
    ['sealStep', 'rawSealStep', 'seal, a DH step each message'],
    ['openStep', 'rawOpenStep', 'open, a DH step each message'],
  ] as const
  for (const [name, raw, title] of pairs) {
    const base = group.rate(`raw: ${title}`, n, rates[raw])
    group.rate(title, n, rates[name], base)
  }
}

/** Two friends; `turns` makes them answer each other after every message. Seals and opens count apart. */
function talk(turns: boolean): { seal: Case; open: Case } {
  let { a, b } = befriend(random)
  if (!turns) ({ a, b } = exchange(b, a).swapped)
  const run = (count: number): { seal: number; open: number } => {
    const spent = { seal: 0, open: 0 }
    for (let i = 0; i < count; i++) {
      const done = exchange(b, a)
      spent.seal += done.seal
      spent.open += done.open
      ;({ a, b } = turns ? done.swapped : { a: done.to, b: done.from })
    }
    return spent
  }
  return { seal: (count) => run(count).seal, open: (count) => run(count).open }
}

function exchange(from: SessionState, to: SessionState) {
  const begin = performance.now()
  const sealed = sealText(from)
  const middle = performance.now()
  const opened = openEnvelope(to, { prefix: sealed.prefix, body: sealed.body, now: NOW })
  const end = performance.now()
  const states = { from: sealed.session, to: opened.session }
  return { ...states, swapped: { a: states.from, b: states.to }, seal: middle - begin, open: end - middle }
}

function sealText(session: SessionState): SealedEnvelope {
  return sealEnvelope(session, {
    random,
    now: NOW,
    payload: TEXT,
    kind: ENVELOPE_KIND.pairwise,
    tag: new Uint8Array(16),
    tagCounter: session.sentSerial,
    expiryDay: 20_800,
    floor: undefined,
  })
}

/** Plaintexts that one message seals: its header, and the padded payload. */
function rawSizes(): number[] {
  const { body } = sealText(befriend(random).b)
  const overhead = 40
  return [HEADER_BYTES, body.length - HEADER_BYTES - 2 * overhead]
}

function rawMessages(sizes: number[], direction: 'encrypt' | 'decrypt', agreements: number): Case {
  const key = randomBytes(32)
  const associated = randomBytes(52)
  const inputs = sizes.map((size) => {
    const plaintext = randomBytes(size)
    const nonce = randomBytes(24)
    const input = direction === 'encrypt' ? plaintext : xchacha20poly1305(key, nonce, associated).encrypt(plaintext)
    return { nonce, input }
  })
  const agree = rawAgreement()
  return plainCase(() => {
    for (const { nonce, input } of inputs) xchacha20poly1305(key, nonce, associated)[direction](input)
    for (let i = 0; i < agreements; i++) agree()
  })
}

function rawAgreement(): () => void {
  const ours = generateKeyPairSync('x25519')
  const theirs = generateKeyPairSync('x25519')
  return () => void diffieHellman({ privateKey: ours.privateKey, publicKey: theirs.publicKey })
}

// ---- handshake ----

/** X25519 multiplications (key pairs included), and ML-KEM operations, of one leg. */
interface LegCost {
  agreements: number
  kemKeys: number
  encapsulations: number
  decapsulations: number
}

const LEG_COSTS = {
  create: { agreements: 5, kemKeys: 1, encapsulations: 1, decapsulations: 0 },
  read: { agreements: 3, kemKeys: 0, encapsulations: 0, decapsulations: 1 },
  accept: { agreements: 6, kemKeys: 0, encapsulations: 1, decapsulations: 0 },
  finish: { agreements: 4, kemKeys: 0, encapsulations: 0, decapsulations: 1 },
} as const satisfies Record<string, LegCost>

const LEG_TITLES = {
  create: 'leg 1, made',
  read: 'leg 1, opened',
  accept: 'leg 2, made',
  finish: 'leg 2, opened',
} as const

async function benchHandshake(group: Group, bench: Bench): Promise<void> {
  const turns = { rounds: bench.amount(7, 2), count: bench.amount(20, 3) }
  const [a, b] = [createPerson('a'), createPerson('b')]
  const { leg, outgoing } = request(a, b, random)
  const { incoming } = receive(b, leg)
  const accept = () => acceptRequest({ random, incoming, identitySecret: b.identity.secret, accept: acceptFields(b) })
  const answer = accept().leg
  const legs = {
    create: plainCase(() => void request(a, b, random)),
    read: plainCase(() => void receive(b, leg)),
    accept: plainCase(() => void accept()),
    finish: plainCase(() => void openLeg2({ outgoing, leg: answer, identitySecret: a.identity.secret })),
  }
  const names = Object.keys(LEG_COSTS) as (keyof typeof LEG_COSTS)[]
  const raw = Object.fromEntries(names.map((name) => [`raw ${name}`, rawLeg(LEG_COSTS[name])]))
  const rates: Record<string, number[]> = await byTurns({ ...legs, ...raw }, turns)
  const n = turns.rounds * turns.count
  for (const name of names) {
    const base = group.rate(`raw: ${LEG_TITLES[name]}`, n, rates[`raw ${name}`]!)
    group.rate(LEG_TITLES[name], n, rates[name]!, base)
  }
}

function rawLeg(cost: LegCost): Case {
  const agree = rawAgreement()
  const seed = randomBytes(64)
  const coins = randomBytes(32)
  const { publicKey, secretKey } = ml_kem768.keygen(seed)
  const { cipherText } = ml_kem768.encapsulate(publicKey, coins)
  return plainCase(() => {
    for (let i = 0; i < cost.agreements; i++) agree()
    for (let i = 0; i < cost.kemKeys; i++) ml_kem768.keygen(seed)
    for (let i = 0; i < cost.encapsulations; i++) ml_kem768.encapsulate(publicKey, coins)
    for (let i = 0; i < cost.decapsulations; i++) ml_kem768.decapsulate(cipherText, secretKey)
  })
}
