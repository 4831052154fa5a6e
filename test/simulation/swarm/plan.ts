/**
 * The plan of one seed: who is there and what happens to them, step by step. Any part of a plan is a plan as well: a step
 * that finds nothing to do does nothing, which is what lets `shrink.ts` leave steps out.
 *
 * What the plan keeps to, because no protocol could prevent the loss otherwise: one relay, the keeper, never lies, forgets
 * or goes back to an older disk, though it crashes, is cut off and runs full like everybody; and in the end everybody
 * comes back and stays long enough (`run.ts`).
 */
import { HOUR, MINUTE, SECOND } from '../engine.ts'
import { SeededRandom } from '../seeded-random.ts'

/** Each name holds the planted word, as texts do: it may be read at friends alone. */
export const PLANTED = 'quokka'
export const PEOPLE = ['ada', 'ben', 'cleo', 'dan', 'eve', 'fay'].map((name) => `${name}-${PLANTED}`)
export const RELAYS = ['relay1', 'relay2'] as const
export type RelayName = (typeof RELAYS)[number]

/** What a relay does that is not the keeper: nothing wrong, or wrong things with what it is asked. */
export const CHEATS = ['honest', 'drops', 'replays', 'reorders', 'forges', 'refuses', 'silent'] as const
export type Cheat = (typeof CHEATS)[number]

export type Step = {
  /** Virtual milliseconds that pass before it. */
  wait: number
} & (
  | { act: 'send'; from: string; to: string; texts: number }
  | { act: 'crash' | 'start' | 'offline' | 'online' | 'move'; who: string }
  | { act: 'crash at a call'; who: string; calls: number; side: 'before' | 'after' }
  | { act: 'partition'; left: string[]; right: string[] }
  | { act: 'heal' | 'calm' | 'lie' | 'tell the truth' }
  | { act: 'loss' | 'duplication' | 'breaks'; rate: number }
  | { act: 'reordering' | 'slow disks'; upTo: number }
  | { act: 'full disk'; who: string; code: 'STORE_FULL' | 'STORE_FAILED'; forMs: number }
  | { act: 'clock'; who: string; ahead: number }
  | { act: 'cheat'; how: Cheat }
  | { act: 'image' | 'forget everything' | 'restore the image' | 'vanish' }
  | { act: 'flood'; with: 'envelopes' | 'frames' | 'records' }
  | { act: 'unfriend' | 'knock'; from: string; to: string }
)
export type Act = Step['act']

export interface Plan {
  seed: number
  large: boolean
  people: string[]
  /** The relay that can be relied on. */
  keeper: RelayName
  /** People without gossip. */
  light: string[]
  /** How the other relay ends: honest again, as bad as it was, or gone. */
  end: 'honest' | 'cheating' | 'gone'
  /** Somebody never comes back, and a year goes by. */
  lost: string | undefined
  steps: Step[]
}

/** One seed in so many has more of everything. */
const LARGE_EVERY = 20
/** How often one of the two crashes while a text is on its way. */
const CRASH_AFTER_SEND = 0.4
const STEPS = { small: [100, 125], large: [220, 300] } as const

/** How often an act is drawn, relatively. */
const WEIGHTS: Record<Act, number> = {
  send: 12,
  crash: 3,
  'crash at a call': 4,
  start: 11,
  offline: 4,
  online: 5,
  move: 2,
  partition: 4,
  heal: 5,
  calm: 4,
  loss: 5,
  duplication: 5,
  breaks: 5,
  reordering: 5,
  'slow disks': 4,
  'full disk': 3,
  clock: 4,
  lie: 3,
  'tell the truth': 2,
  cheat: 6,
  image: 3,
  'forget everything': 1,
  'restore the image': 2,
  vanish: 1,
  flood: 4,
  unfriend: 0.4,
  knock: 2,
}
export const ACTS = Object.keys(WEIGHTS) as Act[]
const TOTAL = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0)

/** Who are friends: everybody with at least one. */
export function friendsAmong(people: readonly string[]): [string, string][] {
  return people.flatMap((name, i): [string, string][] => {
    if (i === 0) return []
    const first: [string, string] = [people[0]!, name]
    // three know each other, the others know two
    return i === 1 ? [first] : [first, [people[i - 1]!, name]]
  })
}

export function planOf(seed: number): Plan {
  const random = new SeededRandom(`plan ${seed}`)
  const large = seed % LARGE_EVERY === 0
  const people = PEOPLE.slice(0, large ? random.int(5, 6) : pick(random, [3, 3, 3, 3, 4]))
  const plan: Plan = {
    seed,
    large,
    people,
    keeper: pick(random, RELAYS),
    light: people.filter(() => random.chance(0.25)),
    end: pick(random, ['honest', 'cheating', 'gone']),
    lost: large ? people.at(-1) : undefined,
    steps: [],
  }
  const [fewest, most] = large ? STEPS.large : STEPS.small
  const count = random.int(fewest, most)
  while (plan.steps.length < count) {
    const step = stepOf(random, plan)
    plan.steps.push(step)
    if (step.act === 'send' && random.chance(CRASH_AFTER_SEND)) plan.steps.push(crashOf(random, step))
  }
  return plan
}

/** The steps of a plan whose places `kept` holds. */
export function partOf(plan: Plan, kept: ReadonlySet<number>): Plan {
  return { ...plan, steps: plan.steps.filter((_, i) => kept.has(i)) }
}

/** A plan as people read it. */
export function describePlan(plan: Plan): string {
  const { seed, people, keeper, light, end, lost, steps } = plan
  const head = [
    `seed ${seed}: ${people.join(', ')}`,
    `the relay that can be relied on: ${keeper}; the other one ends ${end}`,
    ...(light.length > 0 ? [`without gossip: ${light.join(', ')}`] : []),
    ...(lost === undefined ? [] : [`never comes back: ${lost}`]),
  ]
  const lines = steps.map(({ wait, act, ...rest }) => {
    const details = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`)
    return `  after ${wait} ms: ${[act, ...details].join(', ')}`
  })
  return [...head, ...lines].join('\n')
}

function stepOf(random: SeededRandom, plan: Plan): Step {
  let draw = random.fraction() * TOTAL
  const act = ACTS.find((each) => (draw -= WEIGHTS[each]) < 0) ?? 'send'
  return { wait: waitOf(random), ...detailsOf(random, act, plan) }
}

function crashOf(random: SeededRandom, { from, to }: { from: string; to: string }): Step {
  const [who, side] = [pick(random, [from, to, to]), pick(random, ['before', 'after'] as const)]
  return { wait: random.int(0, 200), act: 'crash at a call', who, calls: random.int(1, 25), side }
}

function waitOf(random: SeededRandom): number {
  const kind = random.fraction()
  if (kind < 0.55) return random.int(0, 2 * SECOND)
  if (kind < 0.88) return random.int(2 * SECOND, MINUTE)
  if (kind < 0.98) return random.int(MINUTE, 15 * MINUTE)
  return random.int(HOUR, 4 * HOUR)
}

function detailsOf(random: SeededRandom, act: Act, { people }: Plan): WithoutWait<Step> {
  const person = pick(random, people)
  // people crash and go away more often than relays do
  const anybody = random.chance(0.75) ? person : pick(random, RELAYS)
  switch (act) {
    case 'knock': {
      const [from, to] = random.shuffle(people)
      return { act, from: from!, to: to! }
    }
    case 'send':
    case 'unfriend': {
      const pair = pick(random, friendsAmong(people))
      const [from, to] = random.chance(0.5) ? pair : pair.toReversed()
      if (act === 'unfriend') return { act, from: from!, to: to! }
      return { act, from: from!, to: to!, texts: pick(random, [1, 1, 1, 2]) }
    }
    case 'crash':
    case 'start':
    case 'offline':
    case 'online':
      return { act, who: anybody }
    case 'move':
      return { act, who: person }
    case 'crash at a call':
      return { act, who: anybody, calls: random.int(1, 30), side: pick(random, ['before', 'after']) }
    case 'partition': {
      const mixed = random.shuffle([...people, ...RELAYS])
      const size = random.int(1, 2)
      return { act, left: mixed.slice(0, size), right: mixed.slice(size) }
    }
    case 'loss':
    case 'duplication':
      return { act, rate: pick(random, [0.1, 0.3, 0.8]) }
    case 'breaks':
      return { act, rate: pick(random, [0.005, 0.02, 0.05]) }
    case 'reordering':
      return { act, upTo: pick(random, [500, 3000, 9000]) }
    case 'slow disks':
      return { act, upTo: pick(random, [100, 1000]) }
    case 'full disk':
      return {
        act,
        who: anybody,
        code: pick(random, ['STORE_FULL', 'STORE_FAILED']),
        forMs: random.int(SECOND, 3 * MINUTE),
      }
    case 'clock':
      return { act, who: anybody, ahead: random.int(-2 * HOUR, 2 * HOUR) }
    case 'cheat':
      return { act, how: pick(random, CHEATS) }
    case 'flood':
      return { act, with: pick(random, ['envelopes', 'frames', 'records']) }
    default:
      return { act }
  }
}

type WithoutWait<S> = S extends unknown ? Omit<S, 'wait'> : never

/** The relay that the keeper is not. */
export function otherRelay(plan: Plan): RelayName {
  return plan.keeper === 'relay1' ? 'relay2' : 'relay1'
}

function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[random.int(0, items.length - 1)]!
}
