/**
 * What holds at rest between somebody whose disk was put back, or lost its sessions, and a friend with whom something had
 * happened since: the friendship has healed by itself. Both keep what their own homes hold, once and in order, with a gap where
 * something is gone; each opens a new word of the other's in one session, nothing waits, and who was verified is.
 */
import { equal } from '../../../node/crypto/bytes.ts'
import { isBehind, sendingLane } from '../../../node/delivery/channel.ts'
import { loadEntries } from '../../../node/delivery/outbox.ts'
import { KithError } from '../../../node/errors.ts'
import { PAYLOAD_TYPE } from '../../../node/wire/payload.ts'
import { DAY, MINUTE, type Settling } from '../engine.ts'
import { holds } from './invariants.ts'
import { channelOf, look, storeOn } from './look.ts'
import { friendsAmong, PLANTED } from './plan.ts'
import type { Swarm } from './swarm.ts'

/** A rekey waits a day at most for the one before, and three when nothing but silence tells that one is due. */
const HEALED_MS = 5 * DAY
const MAX_PAUSE_MS = 30 * MINUTE

/** @throws Violation */
export async function expectHealed(swarm: Swarm): Promise<void> {
  const { plan, torn, ended } = swarm
  for (const [a, b] of friendsAmong(plan.people)) {
    if (ended.has(`${a} ${b}`) || a === plan.lost || b === plan.lost) continue
    if (torn.has(`${a} ${b}`)) {
      await untilHealed(swarm, a, b)
      await expectKept(swarm, a, b)
      await expectKept(swarm, b, a)
    }
    if (plan.restored !== undefined) await expectVerified(swarm, a, b)
  }
}

async function untilHealed(swarm: Swarm, a: string, b: string): Promise<void> {
  const { world } = swarm
  const words: Word[] = []
  const begun = world.now
  const end = begun + HEALED_MS
  for (let pause = MINUTE; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    const day = Math.floor((world.now - begun) / DAY)
    // silence tells nothing of friends who say nothing more: each has a word for every day
    if (words.length <= 2 * day) words.push(new Word(swarm, a, b, day), new Word(swarm, b, a, day))
    for (const word of words) word.say()
    const isDone = words.every((word) => word.isShown()) && (await isWhole(swarm, a, b))
    if (isDone) return
    await expectTold(swarm, a, b)
    holds(world.now < end, 'healed', () => `${a} and ${b} do not understand each other after five days of calm`)
    await world.pass(pause)
    swarm.reviveAll()
  }
}

/** A new word that is said as soon as it can be. */
class Word {
  readonly #swarm: Swarm
  readonly #from: string
  readonly #to: string
  readonly #text: string
  #sending: Settling<unknown> | undefined

  constructor(swarm: Swarm, from: string, to: string, day: number) {
    this.#swarm = swarm
    this.#from = from
    this.#to = to
    this.#text = `${PLANTED} a word from ${from} to ${to}${day > 0 ? `, ${day}` : ''}`
  }

  say(): void {
    const { world, people } = this.#swarm
    if (this.#sending && !this.#sending.done) return
    try {
      this.#sending?.result()
      if (this.#sending) return
    } catch (error) {
      // an older home seals nothing before it is healed
      if (!(error instanceof KithError) || error.code !== 'ROLLED_BACK') throw error
    }
    this.#sending = world.begin(() => people.get(this.#from)!.it.send(this.#to, this.#text))
  }

  isShown(): boolean {
    const shown = [...this.#swarm.personWatches.get(this.#to)!.shown.values()]
    return shown.some(({ friend, text }) => friend === this.#from && text === this.#text)
  }
}

/** Both send in one session, and nothing waits. */
async function isWhole(swarm: Swarm, a: string, b: string): Promise<boolean> {
  const lanes = [sendingLane(await channelOf(swarm, a, b)), sendingLane(await channelOf(swarm, b, a))]
  if (!lanes[0] || !lanes[1] || !equal(lanes[0].id, lanes[1].id)) return false
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const entries = await loadEntries(storeOn(swarm.world.disk(from)), swarm.fixture.ids.get(to)!)
    if (entries.some(({ type }) => type !== PAYLOAD_TYPE.receipt)) return false
  }
  return true
}

/** Whoever has stopped says so. */
async function expectTold(swarm: Swarm, a: string, b: string): Promise<void> {
  for (const [name, friend] of [
    [a, b],
    [b, a],
  ] as const) {
    const person = swarm.people.get(name)!
    if (!person.isBooted || !isBehind(await channelOf(swarm, name, friend))) continue
    const { problems } = await person.do((it) => it.status())
    const isSaid = problems.some(({ code }) => code === 'ROLLED_BACK' || code === 'HOME_CHANGED')
    holds(isSaid, 'rollbackNoticed', () => `${name} has stopped for ${friend} and does not say so`)
  }
}

/** What a log told of is in the history, once, and behind what its author knew, as far as that is there; what is not is a gap. */
async function expectKept(swarm: Swarm, reader: string, other: string): Promise<void> {
  const person = swarm.people.get(reader)!
  const history = await person.do((it) => it.history({ who: other, limit: 1000 }))
  const { order, texts } = look(reader, history)
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
  const known = new Map(swarm.said.map(({ text, after }) => [text, after]))
  const first = history.find(({ text }) => known.get(text)?.some((earlier) => !order.has(earlier)))
  const isGap = first === undefined || (first.missing ?? 0) > 0
  holds(isGap, 'healed', () => `${reader} shows no gap in front of ${first?.text}, whose author knew more`)
}

async function expectVerified(swarm: Swarm, early: string, late: string): Promise<void> {
  for (const [name, friend, isVerified] of [
    [early, late, true],
    [late, early, false],
  ] as const) {
    const friends = await swarm.people.get(name)!.do((it) => it.friends())
    const found = friends.find(({ petname }) => petname === friend)?.verified
    holds(found === isVerified, 'healed', () => `${name} has ${friend} as ${String(found)}, and had as ${isVerified}`)
  }
}
