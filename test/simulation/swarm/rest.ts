/**
 * The end of a run: waits until nothing is on its way and holds both histories of each friendship against what was said.
 * When the plan has somebody who never comes back, a year goes by after that.
 */
import { equal } from '../../../node/crypto/bytes.ts'
import { PAYLOAD_TYPE } from '../../../node/wire/payload.ts'
import { loadEntries } from '../../../node/delivery/outbox.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../engine.ts'
import { holds } from './invariants.ts'
import { channelOf, look, type Looked, storeOn } from './look.ts'
import { hasMessage } from './person-watch.ts'
import { expectHealed } from './healed.ts'
import { friendsAmong } from './plan.ts'
import type { Said, Swarm } from './swarm.ts'

/** Longest time until all is delivered when everybody is there: back-offs are minutes. */
const REST_MS = 3 * HOUR
/** Acknowledgements wait up to a minute; what a broken link lost of them is sent on the next one. */
const DRAIN_MS = 30 * MINUTE
const MAX_PAUSE_MS = 2 * MINUTE
const YEAR = 366 * DAY

/** @throws Violation */
export async function expectAtRest(swarm: Swarm): Promise<void> {
  await untilDelivered(swarm)
  await untilDrained(swarm)
  for (const pair of pairsOf(swarm)) await expectAgreement(swarm, pair)
  await expectHealed(swarm)
  if (swarm.plan.lost !== undefined) await expectExpiry(swarm, swarm.plan.lost)
}

/** Friends who are both there and still friends, and hold the sessions that they made together. */
function pairsOf({ plan, ended, torn }: Swarm): [string, string][] {
  const isWhole = (a: string, b: string): boolean => !ended.has(`${a} ${b}`) && !torn.has(`${a} ${b}`)
  return friendsAmong(plan.people).filter(([a, b]) => a !== plan.lost && b !== plan.lost && isWhole(a, b))
}

async function untilDelivered(swarm: Swarm): Promise<void> {
  const { world } = swarm
  const end = world.now + REST_MS
  for (let pause = SECOND; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    swarm.checkSends()
    swarm.checkBounds()
    const waiting = await waitingIn(swarm)
    if (waiting.length === 0) return
    holds(world.now < end, 'noLoss', () => `after ${REST_MS / HOUR} hours of calm ${waiting.join('; ')}`)
    await world.pass(pause)
    swarm.reviveAll()
  }
}

/** What is not done yet, in words. */
async function waitingIn(swarm: Swarm): Promise<string[]> {
  const { world, fixture } = swarm
  const waiting = swarm.present().flatMap((name) => (swarm.nodeOf(name).isBooted ? [] : [`${name} does not start`]))
  for (const one of swarm.said) if (swarm.isSending(one)) waiting.push(`${one.from} still sends ${one.text}`)
  for (const pair of pairsOf(swarm)) {
    for (const [from, to] of [pair, pair.toReversed() as [string, string]]) {
      const entries = await loadEntries(storeOn(world.disk(from)), fixture.ids.get(to)!)
      const texts = entries.filter(({ type }) => type !== PAYLOAD_TYPE.receipt)
      if (texts.length > 0) waiting.push(`${from} has ${texts.length} in the outbox for ${to}`)
    }
  }
  return waiting
}

/** Mailboxes of people who read are empty at the relay that can be relied on. */
async function untilDrained(swarm: Swarm): Promise<void> {
  const { world, plan, ended, torn } = swarm
  const keeper = swarm.relayWatches.get(plan.keeper)!
  const end = world.now + DRAIN_MS
  // what lies there for somebody lost or unfriended, or for a home that is gone, stays to its end
  if (plan.lost !== undefined || ended.size > 0 || torn.size > 0) return
  while (keeper.copies.size > 0) {
    holds(world.now < end, 'bounded', () => `${keeper.name} still holds ${keeper.copies.size} copies that were read`)
    await world.pass(MINUTE)
  }
}

async function expectAgreement(swarm: Swarm, [a, b]: [string, string]): Promise<void> {
  const said = swarm.said.filter(({ from, to }) => (from === a && to === b) || (from === b && to === a))
  for (const [reader, other] of [
    [a, b],
    [b, a],
  ] as const) {
    await expectGenerations(swarm, reader, other)
    const person = swarm.people.get(reader)!
    const looked = look(reader, await person.do((it) => it.history({ who: other, limit: 1000 })))
    for (const one of said) expectText(swarm, reader, one, looked)
  }
}

function expectText(swarm: Swarm, reader: string, one: Said, { order, texts }: Looked): void {
  const { from, to, text, after } = one
  const entry = texts.get(text)
  const isReported = reportedId(one) !== undefined
  const isThere = [from, to].some((name) => {
    const shown = [...swarm.personWatches.get(name)!.shown.values()]
    return shown.some((known) => known.text === text)
  })
  if (!isReported && !isThere) return
  holds(entry !== undefined, 'noLoss', () => `${reader} has not ${text}, which ${from} sent to ${to}`)
  holds(entry.state === 'delivered', 'noLoss', () => `${text} is ${entry.state} at ${reader}`)
  const place = order.get(entry.messageId)!
  for (const earlier of after) {
    const isBefore = (order.get(earlier) ?? Infinity) < place
    holds(isBefore, 'causalOrder', () => `${reader} shows ${text} before what ${from} knew then (${earlier})`)
  }
}

function reportedId({ sending }: Said): string | undefined {
  try {
    return sending.result().messageId
  } catch {
    return undefined
  }
}

async function expectGenerations(swarm: Swarm, author: string, reader: string): Promise<void> {
  const { writing } = (await channelOf(swarm, author, reader)).mailboxes
  const { reading } = (await channelOf(swarm, reader, author)).mailboxes
  const isRead = reading.some(({ secret }) => writing !== undefined && equal(secret, writing.secret))
  holds(isRead, 'generationsAgree', () => `${author} writes where ${reader} does not read`)
}

/** Who waits for somebody who never comes is told so in the end. */
async function expectExpiry(swarm: Swarm, lost: string): Promise<void> {
  const { world } = swarm
  const names = [...swarm.people.keys(), ...swarm.relays.keys()]
  for (const name of names) world.skew(name, YEAR)
  for (const relay of swarm.relayWatches.values()) relay.newStore()
  await world.pass(3 * HOUR)
  for (const one of swarm.said.filter(({ to }) => to === lost)) {
    const { from, to, text } = one
    const messageId = reportedId(one)
    const watch = swarm.personWatches.get(from)!
    if (messageId === undefined || swarm.ended.has(`${from} ${to}`) || !watch.shown.has(messageId)) continue
    const state = watch.states.get(messageId) ?? 'queued'
    const isTold = state === 'delivered' ? hasMessage(world.disk(lost), messageId) : state === 'expired'
    holds(isTold, 'noLoss', () => `${from} is told ${state} of ${text} after a year without ${lost}`)
  }
}
