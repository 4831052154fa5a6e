/**
 * All that happens in a run, decided before it begins: who are friends, which relays keep whose mail, what is written
 * when, and which fault strikes when. A pure function of the options, the seed among them; a report carries it, so that
 * the same run can be had again on a machine that is as fast.
 */
import { UsageError } from '../../node/errors.ts'
import { checkOptions, type KillOrder, RATES, type RateName, type SwarmOptions } from './options.ts'
import { SeededRandom } from './seeded-random.ts'

/** `n3` is a person's node, `r1` a relay. */
export type Name = string

export interface Fault {
  kind: 'partition' | 'kill' | 'churn' | RateName
  /** When it begins, in milliseconds. */
  at: number
  /** When it ends; undefined is never. */
  until?: number
  /** Of a partition: who stays together. */
  groups?: [Name[], Name[]]
  /** Of a partition: nobody is told; connections stay open, and what is sent is swallowed. */
  silent?: boolean
  /** Of a kill or churn: who leaves, and how. */
  who?: Name
  signal?: 'SIGTERM' | 'SIGKILL'
  /** Of loss, breaks and stalls: of chunks, 0 to 1. */
  rate?: number
}

/** Whom or what a fault strikes, for people. */
export function describeFault({ kind, silent, who, groups, rate }: Fault): string {
  if (rate !== undefined) return `${kind} ${rate * 100}%`
  return `${silent === true ? 'silent ' : ''}${kind} ${who ?? groups![0].join(' ')}`
}

export interface PlannedMessage {
  at: number
  from: Name
  to: Name
  text: string
}

export interface Schedule {
  nodes: Name[]
  relays: Name[]
  /** By node: the relays that keep its mail. */
  relaysOf: Record<Name, Name[]>
  /** The first invites, the second asks. */
  friendships: [Name, Name][]
  /** In the order of their time. */
  messages: PlannedMessage[]
  /** In the order of their beginning. */
  faults: Fault[]
}

const RELAYS_OF_A_NODE = 2
const MINUTE_MS = 60_000
/** How long a node that churns is away. */
const CHURN_AWAY_MS = { least: 5000, most: 15_000 }
/** Between two absences of one process: it shall be up for a while. */
const REST_MS = 5000
const TRIES = 200

/** @throws UsageError for options that no schedule fits */
export function createSchedule(options: SwarmOptions): Schedule {
  checkOptions(options)
  const nodes = named('n', options.nodes)
  const relays = named('r', options.relays)
  const friendships = befriend(nodes, options)
  const partitions = splitUp([...nodes, ...relays], options)
  const kills = plannedKills(nodes, relays, options)
  const faults = [...partitions, ...kills, ...plannedChurn(nodes, kills, options), ...badLinks(options)]
  return {
    nodes,
    relays,
    relaysOf: Object.fromEntries(nodes.map((node, index) => [node, relaysFor(index, relays)])),
    friendships,
    messages: writeMessages(friendships, options),
    faults: faults.toSorted((a, b) => a.at - b.at),
  }
}

function named(letter: string, count: number): Name[] {
  return Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)
}

function relaysFor(index: number, relays: readonly Name[]): Name[] {
  const count = Math.min(RELAYS_OF_A_NODE, relays.length)
  return Array.from({ length: count }, (_, i) => relays[(index + i) % relays.length]!)
}

/** A ring, so that everybody is reached, and chords up to the number of friends. */
function befriend(nodes: readonly Name[], { friends, seed }: SwarmOptions): [Name, Name][] {
  const random = new SeededRandom(seed, 'friendships')
  const pairs: [Name, Name][] = []
  const degree = new Map<Name, number>(nodes.map((node) => [node, 0]))
  const join = (a: Name, b: Name): void => {
    if (a === b || pairs.some((pair) => pair.includes(a) && pair.includes(b))) return
    if (degree.get(a)! >= friends || degree.get(b)! >= friends) return
    pairs.push([a, b])
    for (const one of [a, b]) degree.set(one, degree.get(one)! + 1)
  }
  for (const [index, node] of nodes.entries()) join(node, nodes[(index + 1) % nodes.length]!)
  for (let i = 0; i < nodes.length * TRIES; i++) {
    const free = nodes.filter((node) => degree.get(node)! < friends)
    if (free.length < 2) break
    join(random.pick(free), random.pick(free))
  }
  return pairs
}

function writeMessages(friendships: readonly [Name, Name][], { messages, duration, seed }: SwarmOptions) {
  const random = new SeededRandom(seed, 'messages')
  const times = Array.from({ length: messages }, () => random.int(0, duration - 1)).toSorted((a, b) => a - b)
  return times.map((at, index): PlannedMessage => {
    const [a, b] = random.pick(friendships)
    const [from, to] = random.int(0, 1) === 0 ? [a, b] : [b, a]
    return { at, from, to, text: `message ${index + 1} of ${from} to ${to}` }
  })
}

function splitUp(all: readonly Name[], { partitions, seed }: SwarmOptions): Fault[] {
  const random = new SeededRandom(seed, 'partitions')
  return partitions.map(({ at, lasts, silent }) => {
    const mixed = random.shuffle(all)
    const size = random.int(Math.ceil(all.length / 3), Math.floor(all.length / 2))
    const groups: Fault['groups'] = [mixed.slice(0, size), mixed.slice(size)]
    return { kind: 'partition', at, until: at + lasts, groups, ...(silent === true ? { silent } : {}) }
  })
}

function badLinks(options: SwarmOptions): Fault[] {
  return RATES.flatMap((kind) =>
    options[kind].map(({ rate, window = { at: 0, lasts: options.duration } }): Fault => {
      return { kind, at: window.at, until: window.at + window.lasts, rate }
    }),
  )
}

function plannedKills(nodes: readonly Name[], relays: readonly Name[], { kills, seed }: SwarmOptions): Fault[] {
  const random = new SeededRandom(seed, 'kills')
  const planned: Fault[] = []
  for (const { role, number, at, away } of kills) {
    const candidates = role === 'node' ? nodes : relays
    const end = until(at, away)
    const who = number === undefined ? pickFree(random, candidates, at, end, planned) : candidates[number - 1]
    if (who === undefined || !isFree(who, at, end, planned)) {
      throw new UsageError('USAGE', `no ${who ?? role} is up to be killed at ${at / 1000} s`, {
        hint: `two kills of one process are at least ${REST_MS / 1000} s apart`,
      })
    }
    planned.push({ kind: 'kill', at, who, signal: 'SIGKILL', ...(away === undefined ? {} : { until: at + away }) })
  }
  return planned
}

function until(at: number, away: KillOrder['away']): number {
  return away === undefined ? Number.POSITIVE_INFINITY : at + away
}

/** Leaves at random instants, orderly or killed, so many a minute as asked for. */
function plannedChurn(nodes: readonly Name[], kills: readonly Fault[], options: SwarmOptions): Fault[] {
  const random = new SeededRandom(options.seed, 'churn')
  const perMillisecond = (options.nodes * options.churn) / MINUTE_MS
  const planned: Fault[] = []
  if (perMillisecond === 0) return planned
  for (let at = 0; ; ) {
    at += Math.ceil(-Math.log(1 - random.fraction()) / perMillisecond)
    const end = at + random.int(CHURN_AWAY_MS.least, CHURN_AWAY_MS.most)
    const signal = random.int(0, 1) === 0 ? 'SIGTERM' : 'SIGKILL'
    if (end > options.duration) return planned
    const who = pickFree(random, nodes, at, end, [...kills, ...planned])
    if (who !== undefined) planned.push({ kind: 'churn', at, until: end, who, signal })
  }
}

function pickFree(random: SeededRandom, names: readonly Name[], at: number, end: number, taken: readonly Fault[]) {
  return random.shuffle(names).find((name) => isFree(name, at, end, taken))
}

function isFree(name: Name, at: number, end: number, taken: readonly Fault[]): boolean {
  return taken.every(
    (fault) =>
      fault.who !== name || end + REST_MS < fault.at || at > (fault.until ?? Number.POSITIVE_INFINITY) + REST_MS,
  )
}
