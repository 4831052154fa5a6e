/**
 * What holds at rest between somebody whose disk was put back and a friend with whom something had happened since: both
 * keep what their own homes hold, once and in order, and either they still understand each other or one of them is told,
 * as long as anything can tell it.
 */
import { equal } from '../../../node/crypto/bytes.ts'
import { isBehind } from '../../../node/delivery/channel.ts'
import { KithError } from '../../../node/errors.ts'
import { HOUR, MINUTE } from '../engine.ts'
import { holds } from './invariants.ts'
import { channelOf, look } from './look.ts'
import { friendsAmong, PLANTED } from './plan.ts'
import type { Swarm } from './swarm.ts'

/** Back-offs are minutes. */
const WORD_MS = HOUR

/** @throws Violation */
export async function expectTornIsTold(swarm: Swarm): Promise<void> {
  const { plan, torn, ended } = swarm
  for (const [a, b] of friendsAmong(plan.people)) {
    if (!torn.has(`${a} ${b}`) || ended.has(`${a} ${b}`)) continue
    const [restored, friend] = a === plan.restored ? [a, b] : [b, a]
    await expectKept(swarm, restored, friend)
    await expectKept(swarm, friend, restored)
    await expectWord(swarm, friend, restored)
    await expectWord(swarm, restored, friend)
  }
}

/**
 * An older home that has sealed as much since as the friend ever opened of the newer one: no count tells them apart any more
 * (docs/THREAT-MODEL.md), although their keys may have parted.
 */
async function hasCaughtUp(swarm: Swarm, a: string, b: string): Promise<boolean> {
  const [restored, friend] = a === swarm.plan.restored ? [a, b] : [b, a]
  const opened = (await channelOf(swarm, friend, restored)).lanes
  const { lanes } = await channelOf(swarm, restored, friend)
  return lanes.every(({ id, session }) => {
    const known = opened.find((lane) => equal(lane.id, id))
    return known === undefined || known.session.openedSerial <= session.sentSerial
  })
}

/** What a log told of is in the history, once, and behind what its author knew, as far as that is there. */
async function expectKept(swarm: Swarm, reader: string, other: string): Promise<void> {
  const person = swarm.people.get(reader)!
  const { order, texts } = look(reader, await person.do((it) => it.history({ who: other, limit: 1000 })))
  for (const { messageId, friend, text } of swarm.personWatches.get(reader)!.shown.values()) {
    const isThere = friend !== other || order.has(messageId)
    holds(isThere, 'noLoss', () => `${reader} has not ${text} any more, which it had of ${other}`)
  }
  for (const { text, after } of swarm.said) {
    const entry = texts.get(text)
    if (!entry) continue
    const isBehindAll = after.every((earlier) => (order.get(earlier) ?? -1) < order.get(entry.messageId)!)
    holds(isBehindAll, 'causalOrder', () => `${reader} shows ${text} before what its author knew then`)
  }
}

/** A word of one is shown to the other, or one of them is told that a home is an older one. */
async function expectWord(swarm: Swarm, from: string, to: string): Promise<void> {
  const { world, people } = swarm
  const text = `${PLANTED} a word from ${from} to ${to}`
  const sending = world.begin(() => people.get(from)!.it.send(to, text))
  const end = world.now + WORD_MS
  while (!(await isTold(swarm, from, to)) && !isShown(swarm, from, to, text)) {
    if (world.now >= end && (await hasCaughtUp(swarm, from, to))) break
    holds(world.now < end, 'rollbackNoticed', () => `${to} gets no word of ${from}, and neither is told why`)
    await world.pass(MINUTE)
  }
  await world.reach(() => sending.done)
  try {
    sending.result()
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== 'ROLLED_BACK') throw error
  }
}

function isShown({ personWatches }: Swarm, from: string, to: string, text: string): boolean {
  return [...personWatches.get(to)!.shown.values()].some((one) => one.friend === from && one.text === text)
}

/** Whether one of two has stopped, on its disk and in what it says. */
async function isTold(swarm: Swarm, a: string, b: string): Promise<boolean> {
  for (const [name, friend] of [
    [a, b],
    [b, a],
  ] as const) {
    if (!isBehind(await channelOf(swarm, name, friend))) continue
    const { problems } = await swarm.people.get(name)!.do((it) => it.status())
    const isSaid = problems.some(({ code }) => code === 'ROLLED_BACK' || code === 'HOME_CHANGED')
    holds(isSaid, 'rollbackNoticed', () => `${name} has stopped for ${friend} and does not say so`)
    return true
  }
  return false
}
