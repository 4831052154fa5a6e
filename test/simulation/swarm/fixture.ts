/**
 * Friends who have met already, as images of disks: making them takes seconds, and every seed begins with them. Made once in
 * a process, in a world of a seed that no plan has, so that no randomness comes twice.
 */
import { sha256 } from '../../../node/crypto/hash.ts'
import { utf8 } from '../../../node/crypto/bytes.ts'
import { idFromText } from '../../../node/identity/root.ts'
import { MINUTE } from '../engine.ts'
import { addressOf, befriend, type Person, startPerson, startRelay } from '../people.ts'
import type { DiskImage } from '../sim-disk.ts'
import { createWorld, type World } from '../world.ts'
import { friendsAmong, PEOPLE, RELAYS } from './plan.ts'

const FIXTURE_SEED = 900_000_001

/** A village at rest, in which everybody of the first so many people has met. */
export interface Fixture {
  /** Virtual milliseconds since the world began. */
  elapsed: number
  /** By the name of the node. */
  disks: ReadonlyMap<string, DiskImage>
  /** Multiaddrs of the relays. */
  addresses: readonly string[]
  /** 32-byte IDs by the name of the node. */
  ids: ReadonlyMap<string, Uint8Array>
}

/** Seed of a relay's transport key, the same in each world, because people remember its address. */
export function relaySeed(name: string): Uint8Array {
  return sha256(utf8(`swarm ${name}`))
}

let made: Promise<ReadonlyMap<number, Fixture>> | undefined

/** The village of that many people, 3 to 6. */
export async function fixtureOf(people: number): Promise<Fixture> {
  made ??= makeFixtures()
  return (await made).get(people)!
}

async function makeFixtures(): Promise<ReadonlyMap<number, Fixture>> {
  const world = createWorld(FIXTURE_SEED)
  const addresses: string[] = []
  for (const name of RELAYS) {
    addresses.push(await addressOf(await startRelay(world, name, { signingSeed: relaySeed(name) })))
  }
  const people: Person[] = []
  const ids = new Map<string, Uint8Array>()
  const fixtures = new Map<number, Fixture>()
  for (const [i, name] of PEOPLE.entries()) {
    const person = await startPerson(world, name, { relays: addresses })
    people.push(person)
    ids.set(name, idFromText(person.it.id))
    const known = friendsAmong(PEOPLE.slice(0, i + 1)).filter(([, late]) => late === name)
    for (const [early] of known) await meet(world, people.find((one) => one.name === early)!, person)
    if (people.length < 3) continue
    // what they told each other when they met is read, acknowledged and deleted
    await world.pass(5 * MINUTE)
    const disks = new Map([...RELAYS, ...ids.keys()].map((node) => [node, world.disk(node).image()]))
    fixtures.set(people.length, { elapsed: world.elapsed, disks, addresses, ids: new Map(ids) })
  }
  return fixtures
}

/** Whoever was there first compares the safety number, and the other does not. */
async function meet(world: World, early: Person, late: Person): Promise<void> {
  await befriend(world, early, late)
  await early.do((it) => it.verify(late.name, {}))
}
