/**
 * The plan of one seed: who is there and what happens to them, step by step. Any part of a plan is a plan as well: a step
 * that finds nothing to do does nothing, which is what lets `shrink.ts` leave steps out.
 *
 * What the plan keeps to, because no protocol could prevent the loss otherwise: one relay, the keeper, never lies, forgets
 * or goes back to an older disk, though it crashes, is cut off and runs full like everybody; and in the end everybody
 * comes back and stays long enough (`run.ts`). Some seeds have a trait besides: a person's disk is put back, weeks go by,
 * friends deliver directly.
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
export const FLOODS = ['envelopes', 'frames', 'records'] as const
export type Flood = (typeof FLOODS)[number]
export const DISK_FAULTS = ['STORE_FULL', 'STORE_FAILED'] as const
export type DiskFault = (typeof DISK_FAULTS)[number]

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
  | { act: 'full disk'; who: string; code: DiskFault; forMs: number }
  | { act: 'clock'; who: string; ahead: number }
  | { act: 'cheat'; how: Cheat }
  | { act: 'image' | 'forget everything' | 'restore the image' | 'vanish' }
  | { act: 'flood'; with: Flood }
  | { act: 'unfriend' | 'knock'; from: string; to: string }
  | { act: 'copy the home' }
  | { act: 'put the home back'; which: number; isNoticed: boolean }
  | { act: 'lose the sessions'; with: number }
  | { act: 'weeks'; weeks: number }
  | { act: 'direct'; who: string; mode: 'always' | 'never' }
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
  /** Somebody's disk is copied, and copies of it are put back. */
  restored: string | undefined
  /** Weeks go by between two steps, again and again. */
  ages: boolean
  /** People who serve their own mailboxes and write at those of others who do. */
  direct: string[]
  steps: Step[]
}

/** Which seeds of each twenty have a trait; one trait does not change what the others draw. */
const TRAITS = { restored: [5], ages: [7], direct: [13] } as const
export type Trait = keyof typeof TRAITS
/** Acts that come with a trait alone. */
const ACTS_OF_TRAITS = {
  restored: ['copy the home', 'put the home back', 'lose the sessions'],
  ages: ['weeks'],
  direct: ['direct'],
} as const satisfies Record<Trait, readonly Act[]>

/** One seed in so many has more of everything. */
const LARGE_EVERY = 20
/** How often one of the two crashes while a text is on its way. */
const CRASH_AFTER_SEND = 0.4
/** How often a friend who serves their own mailboxes ceases to while a text is on its way. */
const HIDE_AFTER_SEND = 0.3
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
  'copy the home': 6,
  'put the home back': 4,
  'lose the sessions': 2,
  weeks: 4,
  direct: 4,
}
export const ACTS = Object.keys(WEIGHTS) as Act[]

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
  const more = random.fork('traits')
  const plan: Plan = {
    seed,
    large,
    people,
    keeper: pick(random, RELAYS),
    light: people.filter(() => random.chance(0.25)),
    end: pick(random, ['honest', 'cheating', 'gone']),
    lost: large ? people.at(-1) : undefined,
    restored: hasTrait(seed, 'restored') ? pick(more, people) : undefined,
    ages: hasTrait(seed, 'ages'),
    direct: hasTrait(seed, 'direct') ? people.filter(() => more.chance(0.8)) : [],
    steps: [],
  }
  const [fewest, most] = large ? STEPS.large : STEPS.small
  const count = random.int(fewest, most)
  const acts = actsOf(seed)
  while (plan.steps.length < count) {
    const step = stepOf(random, plan, acts)
    plan.steps.push(step)
    if (step.act === 'send' && random.chance(CRASH_AFTER_SEND)) plan.steps.push(crashOf(random, step))
    plan.steps.push(...followedBy(random, plan, step))
  }
  if (plan.ages) plan.steps.push(...lastWeeks(random, plan))
  if (plan.direct.length > 0) plan.steps.push(...lastDirect(random, plan))
  return plan
}

/** The steps of a plan whose places `kept` holds. */
export function partOf(plan: Plan, kept: ReadonlySet<number>): Plan {
  return { ...plan, steps: plan.steps.filter((_, i) => kept.has(i)) }
}

/** A plan as people read it. */
export function describePlan(plan: Plan): string {
  const { seed, people, keeper, light, end, lost, restored, direct, steps } = plan
  const head = [
    `seed ${seed}: ${people.join(', ')}`,
    `the relay that can be relied on: ${keeper}; the other one ends ${end}`,
    ...(light.length > 0 ? [`without gossip: ${light.join(', ')}`] : []),
    ...(restored === undefined ? [] : [`is put back: ${restored}`]),
    ...(direct.length > 0 ? [`deliver directly: ${direct.join(', ')}`] : []),
    ...(lost === undefined ? [] : [`never comes back: ${lost}`]),
  ]
  const lines = steps.map(({ wait, act, ...rest }) => {
    const details = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`)
    return `  after ${wait} ms: ${[act, ...details].join(', ')}`
  })
  return [...head, ...lines].join('\n')
}

export function hasTrait(seed: number, trait: Trait): boolean {
  return TRAITS[trait].some((place) => place === seed % 20)
}

/** The acts that a plan draws from. */
function actsOf(seed: number): Act[] {
  const traits = Object.keys(TRAITS) as Trait[]
  const missing = new Set<Act>(traits.flatMap((trait) => (hasTrait(seed, trait) ? [] : ACTS_OF_TRAITS[trait])))
  return ACTS.filter((act) => !missing.has(act))
}

function stepOf(random: SeededRandom, plan: Plan, acts: readonly Act[]): Step {
  let draw = random.fraction() * acts.reduce((sum, act) => sum + WEIGHTS[act], 0)
  const act = acts.find((each) => (draw -= WEIGHTS[each]) < 0) ?? 'send'
  return { wait: waitOf(random), ...detailsOf(random, act, plan) }
}

function crashOf(random: SeededRandom, { from, to }: { from: string; to: string }): Step {
  const [who, side] = [pick(random, [from, to, to]), pick(random, ['before', 'after'] as const)]
  return { wait: random.int(0, 200), act: 'crash at a call', who, calls: random.int(1, 25), side }
}

/** What follows a step of a trait, so that it matters. */
function followedBy(random: SeededRandom, plan: Plan, step: Step): Step[] {
  if (step.act === 'weeks') return talkAfter(random, plan)
  // both halves say something in one place of the ratchet
  if (ACTS_OF_TRAITS.restored.some((act) => act === step.act)) return wordsOf(random, plan, plan.restored!)
  // somebody is reached directly no more while something for them goes that way alone
  if (step.act !== 'send' || !plan.direct.includes(step.to) || !random.chance(HIDE_AFTER_SEND)) return []
  return [{ wait: random.int(0, 500), act: 'direct', who: step.to, mode: 'never' }]
}

function wordsOf(random: SeededRandom, { people }: Plan, from: string): Step[] {
  const friends = friendsAmong(people).flatMap(([a, b]) => (a === from ? [b] : b === from ? [a] : []))
  return friends.map((to) => ({ wait: random.int(SECOND, 5 * SECOND), act: 'send', from, to, texts: 1 }))
}

/** Everybody is there again and greets their friends: what has come of age is replaced when a friend is heard. */
function talkAfter(random: SeededRandom, { people }: Plan): Step[] {
  const words = friendsAmong(people).flatMap(([from, to]): Step[] => [
    { wait: random.int(0, MINUTE), act: 'send', from, to, texts: 1 },
    { wait: random.int(0, MINUTE), act: 'send', from: to, to: from, texts: 1 },
  ])
  return [...allBack(people), ...random.shuffle(words)]
}

function allBack(people: readonly string[]): Step[] {
  const back = people.flatMap((who): Step[] => [
    { wait: 0, act: 'start', who },
    { wait: 0, act: 'online', who },
  ])
  return [{ wait: 0, act: 'heal' }, ...back]
}

/** Friends who are reached directly cease to be while something for them goes that way alone, for the rest of the world. */
function lastDirect(random: SeededRandom, { people, direct }: Plan): Step[] {
  const told = direct.map((who): Step => ({ wait: 0, act: 'direct', who, mode: 'always' }))
  const pairs = friendsAmong(people).filter((pair) => pair.every((name) => direct.includes(name)))
  const hidden = pairs.flatMap(([from, to]): Step[] => [
    // a link is there as long as there is something to say
    { wait: MINUTE, act: 'send', from, to, texts: 1 },
    { wait: random.int(3 * SECOND, 5 * SECOND), act: 'send', from, to, texts: 1 },
    { wait: random.int(0, 100), act: 'direct', who: to, mode: 'never' },
  ])
  return [{ wait: 0, act: 'calm' }, ...allBack(people), ...told, ...hidden]
}

/** What is replaced in the end has gone dry before the end, and is given up. */
function lastWeeks(random: SeededRandom, plan: Plan): Step[] {
  const weeks: Step = { wait: MINUTE, act: 'weeks', weeks: 5 }
  return [weeks, ...talkAfter(random, plan), weeks, { wait: 2 * HOUR, act: 'calm' }]
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
        code: pick(random, DISK_FAULTS),
        forMs: random.int(SECOND, 3 * MINUTE),
      }
    case 'cheat':
      return { act, how: pick(random, CHEATS) }
    case 'put the home back':
      return { act, which: random.fraction(), isNoticed: random.chance(0.3) }
    case 'lose the sessions':
      return { act, with: random.fraction() }
    case 'weeks':
      return { act, weeks: random.int(3, 6) }
    case 'clock':
      return { act, who: anybody, ahead: random.int(-2 * HOUR, 2 * HOUR) }
    case 'direct':
      return { act, who: person, mode: pick(random, ['always', 'never']) }
    case 'flood':
      return { act, with: pick(random, FLOODS) }
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
