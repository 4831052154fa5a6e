/**
 * Two worlds for the intruder. In the recorded one A asks B, B answers, each writes, and everything was written down. In the
 * hostile one all that is sent goes through the intruder's hands, who is also a person E with an identity of their own:
 * A asks B and E, under records that may be forged or hold B's keys under E's name; B answers every leg that opens, and A
 * goes on with every leg 2 that opens, over all choices of keys that were seen or that the intruder drew.
 */
import {
  drawnByA,
  drawnByB,
  firstKeys,
  type Flaws,
  type Identity,
  identityRecord,
  leg1,
  type Leg1,
  type Leg1Parts,
  leg2,
  type Leg2,
  type Leg2Parts,
  message,
  messageKey,
  prekeyRecord,
  type Prekeys,
  requestOf,
} from './handshake.ts'
import { allOf, anyOf, type Conditions, Intruder } from './intruder.ts'
import { kemCiphertext, name, part, publicKey, type Term, tuple, verifyKey } from './terms.ts'

/** What may leak or break, in the order of the bits. A key that is drawn for each handshake leaks from all of them. */
export const LEAKS = [
  'X25519 broken',
  'ML-KEM broken',
  'root key of A',
  'root key of B',
  'signing key of B',
  'DIKa',
  'DIKb',
  'SPKb',
  'KEMb',
  'EKa',
  'coins of ct1',
  'OTa',
  'KEMa',
  'EKb',
  'coins of ct2',
  'RKb',
  'RKa',
  "A's session",
  "B's session",
] as const

export type Leak = (typeof LEAKS)[number]

/** Under which sets of leaks a single leak is there: itself for all sets at once, or yes and no for one set. */
export type LeakConditions = (leak: Leak) => Conditions

/** What the intruder reaches, and under which leaks. */
export type Reached = Record<Goal, Conditions>

export const GOALS = {
  whoAsks: 'who asks (c1)',
  note: 'the note (c2)',
  answer: "B's answer (c3)",
  firstOfB: "B's first messages",
  firstOfA: "A's first message",
  secondOfB: "B's next message",
  whoAsksLive: 'live: who asks',
  noteLive: 'live: the note',
  requestAsA: 'ask B as A',
  writeAsA: 'write to B as A',
  writeAsB: 'write to A as B',
} as const

export type Goal = keyof typeof GOALS

// ---- people ----

const rootA = name('root key of A')
const rootB = name('root key of B')
const rootE = name('root key of E')
const signA = name('signing key of A')
const signB = name('signing key of B')
const signE = name('signing key of E')
const dikA = name('DIKa')
const dikB = name('DIKb')
const spkB = name('SPKb')
const kemB = name('KEMb')
/** All that the intruder draws: it knows it, so one of a kind is as good as many. */
const own = name("the intruder's")

const a = identityRecord(rootA, dikA, verifyKey(signA))
const b = identityRecord(rootB, dikB, verifyKey(signB))
const prekeysB = prekeyRecord(signB, rootB, spkB, kemB)

/** Under A's name, with a device of the intruder's: takes A's root key. */
const forgedA = identityRecord(rootA, own, verifyKey(signE))
const e = identityRecord(rootE, own, verifyKey(signE))
/** Nobody proves that they have the keys that their record lists. */
const eWithKeyOfA = identityRecord(rootE, dikA, verifyKey(signE))
const eWithKeyOfB = identityRecord(rootE, dikB, verifyKey(signE))

function publicThings(intruder: Intruder, leak: LeakConditions): void {
  for (const known of [own, rootE, signE, a.record, b.record, prekeysB.record]) intruder.learn(known)
  intruder.learn(verifyKey(signA))
  intruder.learn(rootA, leak('root key of A'))
  intruder.learn(rootB, leak('root key of B'))
  intruder.learn(signB, leak('signing key of B'))
  intruder.learn(dikA, leak('DIKa'))
  intruder.learn(dikB, leak('DIKb'))
  intruder.learn(spkB, leak('SPKb'))
  intruder.learn(kemB, leak('KEMb'))
}

function leakDrawnByA(intruder: Intruder, tag: string, leak: LeakConditions): void {
  const { ephemeral, coins, oneTime, oneTimeKem, ratchet } = drawnByA(tag)
  intruder.learn(ephemeral, leak('EKa'))
  intruder.learn(coins, leak('coins of ct1'))
  intruder.learn(oneTime, leak('OTa'))
  intruder.learn(oneTimeKem, leak('KEMa'))
  intruder.learn(ratchet, leak('RKa'))
}

function leakDrawnByB(intruder: Intruder, tag: string, leak: LeakConditions): void {
  const { ephemeral, coins, ratchet } = drawnByB(tag)
  intruder.learn(ephemeral, leak('EKb'))
  intruder.learn(coins, leak('coins of ct2'))
  intruder.learn(ratchet, leak('RKb'))
}

/** What both states hold right after leg 2, and B's its pair besides. */
function leakSessions(intruder: Intruder, x: Leg1Parts, y: Leg2Parts, two: Leg2, leak: LeakConditions): void {
  const { steps, pqChains } = firstKeys(two.session, { ...x, ...stepNames('1', y) })
  const root = [0, 32, 64].map((from) => part(steps[0], from))
  const { headerKeyA, headerKeyB } = two.session
  const state = [...root, headerKeyA, headerKeyB, part(pqChains, 0), part(pqChains, 32)]
  const session = tuple(...state, publicKey(y.ratchet), publicKey(x.oneTime))
  intruder.learn(session, anyOf([leak("A's session"), leak("B's session")]))
  intruder.learn(y.ratchet, leak("B's session"))
}

function stepNames(tag: string, y: Leg2Parts) {
  return { ratchetB: y.ratchet, ratchetA: drawnByA(tag).ratchet, ratchetB2: drawnByB(tag).ratchet2 }
}

function answerOf(tag: string, x: Leg1Parts): Leg2Parts {
  const { ephemeral, coins, ratchet, said } = drawnByB(tag)
  return { ephemeral, ciphertext: kemCiphertext(coins, x.oneTimeKem), ratchet, said }
}

// ---- the recorded world ----

/** A asks B, B answers and writes, A writes, B writes again; the intruder has what was sent, and later what leaked. */
export function recordedWorld(flaws: Flaws, broken: LeakConditions): Partial<Reached> {
  const intruder = new Intruder({ x25519: broken('X25519 broken'), kem: broken('ML-KEM broken') })
  publicThings(intruder, broken)
  leakDrawnByA(intruder, '1', broken)
  leakDrawnByB(intruder, '1', broken)
  const x = requestOf('1', a, b, prekeysB)
  const y = answerOf('1', x)
  const one = leg1(x, flaws)
  const two = leg2(one, x, y, flaws)
  leakSessions(intruder, x, y, two, broken)
  const { session, th3 } = two
  const { steps, pqChains } = firstKeys(session, { ...x, ...stepNames('1', y) })
  const [chainA, chainB] = [part(pqChains, 0), part(pqChains, 32)]
  const texts = [name("B's first text"), name("A's first text"), name("B's second text")] as const
  const written = [
    message(session.headerKeyB, messageKey(steps[0], chainB, 0), y.ratchet, texts[0], th3),
    message(session.headerKeyA, messageKey(steps[1], chainA, 0), drawnByA('1').ratchet, texts[1], th3),
    // the header key of B's second chain comes from step 0
    message(part(steps[0], 64), messageKey(steps[2], chainB, 1), drawnByB('1').ratchet2, texts[2], th3),
  ]
  for (const term of [...one.sent, ...two.sent, ...written]) intruder.learn(term)
  return {
    whoAsks: intruder.has(x.asking),
    note: intruder.has(x.note),
    answer: intruder.has(y.said),
    firstOfB: intruder.has(texts[0]),
    firstOfA: intruder.has(texts[1]),
    secondOfB: intruder.has(texts[2]),
  }
}

// ---- the hostile world ----

interface RunOfA {
  parts: Leg1Parts
  leg: Leg1
  tag: string
}

interface RunOfB {
  parts: Leg1Parts
  leg: Leg1
  answer: Leg2Parts
  leg2: Leg2
}

/** Whom A asks, under which records; the first is the honest case. */
function runsOfA(flaws: Flaws): RunOfA[] {
  const forgedPrekeys = prekeyRecord(signB, rootB, own, own)
  const forgedB = identityRecord(rootB, own, verifyKey(signE))
  const asked: [string, Identity, Prekeys][] = [
    ['1', b, prekeysB],
    ['2', b, forgedPrekeys],
    ['3', forgedB, prekeyRecord(signE, rootB, own, own)],
    ['4', eWithKeyOfB, prekeyRecord(signE, rootE, spkB, kemB)],
    ['5', e, prekeyRecord(signE, rootE, own, own)],
  ]
  return asked.map(([tag, identity, prekeys]) => {
    const parts = requestOf(tag, a, identity, prekeys)
    return { parts, leg: leg1(parts, flaws), tag }
  })
}

/** What may come to B as a leg 1: every mixture of what was seen and what the intruder has. */
function* legsForB(asks: readonly RunOfA[]): Generator<Leg1Parts> {
  const [first, , , fourth] = asks.map(({ parts }) => parts) as [Leg1Parts, Leg1Parts, Leg1Parts, Leg1Parts]
  const seen = [first, fourth]
  const ephemerals = [own, dikA, dikB, spkB, ...seen.map(({ ephemeral }) => ephemeral)]
  const ciphertexts = [kemCiphertext(own, kemB), ...seen.map(({ ciphertext }) => ciphertext)]
  const lie = { asking: own, note: own }
  const requests = [
    { ...lie, oneTime: own, oneTimeKem: own },
    { ...lie, oneTime: dikA, oneTimeKem: own },
    { ...lie, oneTime: dikB, oneTimeKem: own },
    { ...lie, oneTime: spkB, oneTimeKem: kemB },
    ...seen.map(({ oneTime, oneTimeKem }) => ({ ...lie, oneTime, oneTimeKem })),
  ]
  const replayed = seen.map(({ asking, note, oneTime, oneTimeKem }) => ({ asking, note, oneTime, oneTimeKem }))
  const cutIn = seen.flatMap(({ asking }) => requests.map((request) => ({ ...request, asking })))
  for (const asker of [a, forgedA, e, eWithKeyOfA]) {
    for (const request of asker === a ? [...requests, ...replayed, ...cutIn] : requests) {
      for (const ephemeral of ephemerals) {
        for (const ciphertext of ciphertexts) {
          yield { asker, asked: b, prekeys: prekeysB, ephemeral, ciphertext, ...request }
        }
      }
    }
  }
}

/** What may come to A as leg 2. */
function* legsForA({ parts }: RunOfA, honest: RunOfB): Generator<Leg2Parts> {
  const { answer } = honest
  for (const ephemeral of [own, dikA, dikB, spkB, parts.ephemeral, parts.oneTime, answer.ephemeral]) {
    for (const ciphertext of [kemCiphertext(own, parts.oneTimeKem), parts.ciphertext, answer.ciphertext]) {
      yield { ephemeral, ciphertext, ratchet: own, said: own }
    }
  }
  yield answer
}

/** Everything sent goes through the intruder's hands; what leaks is there from the beginning. */
export function hostileWorld(flaws: Flaws, broken: LeakConditions): Partial<Reached> {
  const intruder = new Intruder({ x25519: broken('X25519 broken'), kem: broken('ML-KEM broken') })
  publicThings(intruder, broken)
  const asks = runsOfA(flaws)
  for (const { parts, leg, tag } of asks) {
    leakDrawnByA(intruder, tag, broken)
    intruder.addAnswer([parts.asked.record, parts.prekeys.record], leg.sent)
  }
  const answers = [...legsForB(asks)].map((parts, index): RunOfB => {
    const leg = leg1(parts, flaws)
    const answer = answerOf(`run ${index}`, parts)
    leakDrawnByB(intruder, `run ${index}`, broken)
    const two = leg2(leg, parts, answer, flaws)
    intruder.addAnswer(leg.sent, two.sent)
    return { parts, leg, answer, leg2: two }
  })
  const toB = asks[0]!
  const honest = answers.find(({ leg }) => leg.c2 === toB.leg.c2)!
  leakSessions(intruder, honest.parts, honest.answer, honest.leg2, broken)
  const friendships = asks.flatMap((run) =>
    [...legsForA(run, honest)].map((answer) => goOn(intruder, run, answer, flaws)),
  )
  const asA = answers.filter(({ parts }) => [a, forgedA].includes(parts.asker))
  const asB = friendships.filter(({ run, two }) => run.tag <= '3' && two.c3 !== honest.leg2.c3)
  const requests = asks.filter(({ tag }) => tag <= '3').map(({ parts }) => parts)
  return {
    whoAsksLive: anyOf(requests.map(({ asking }) => intruder.has(asking))),
    noteLive: anyOf(requests.map(({ note }) => intruder.has(note))),
    requestAsA: anyOf(asA.filter(({ leg }) => leg.c2 !== toB.leg.c2).map(({ leg }) => intruder.has(...leg.sent))),
    writeAsA: anyOf(asA.map((run) => writesFirst(intruder, run))),
    writeAsB: anyOf([...asB.map(({ premises }) => intruder.has(...premises)), intruder.has(forgedByB(honest))]),
  }
}

/** A has asked, a leg 2 opens: A writes. */
function goOn(intruder: Intruder, run: RunOfA, answer: Leg2Parts, flaws: Flaws) {
  const { parts, leg, tag } = run
  const two = leg2(leg, parts, answer, flaws)
  const came = flaws.noConfirmation ? two.sent.slice(0, 2) : two.sent
  const premises = [parts.asked.record, parts.prekeys.record, ...came]
  const { steps, pqChains } = firstKeys(two.session, { ...parts, ...stepNames(tag, answer) })
  const key = messageKey(steps[1], part(pqChains, 0), 0)
  const text = name(`A's first text ${tag}`)
  intruder.addAnswer(premises, [message(two.session.headerKeyA, key, drawnByA(tag).ratchet, text, two.th3)])
  return { run, two, premises }
}

/** The leg 1 opens at B, and the intruder writes the first message of its session. */
function writesFirst(intruder: Intruder, { parts, leg, answer, leg2: two }: RunOfB): Conditions {
  const accepted = intruder.has(...leg.sent)
  if (accepted.length === 0) return accepted
  const { steps, pqChains } = firstKeys(two.session, { ...parts, ...stepNames('none', answer), ratchetA: own })
  const key = messageKey(steps[1], part(pqChains, 0), 0)
  const written = message(two.session.headerKeyA, key, own, own, two.th3)
  return allOf([accepted, intruder.has(written)])
}

/** What comes to A as B's first message in the session that both hold. */
function forgedByB({ parts, answer, leg2: two }: RunOfB): Term {
  const { steps, pqChains } = firstKeys(two.session, { ...parts, ...stepNames('1', answer) })
  return message(two.session.headerKeyB, messageKey(steps[0], part(pqChains, 32), 0), answer.ratchet, own, two.th3)
}
