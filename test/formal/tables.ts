/** The tables of docs/THREAT-MODEL.md about leaked keys, made from what the checker found. */
import { isEnough } from './intruder.ts'
import { type Goal, GOALS, type Leak, LEAKS, type Reached } from './world.ts'

/** Sets of leaks that say something to a reader; each leak alone comes before them. */
const TOGETHER: readonly (readonly Leak[])[] = [
  ['EKa', 'coins of ct1'],
  ['EKa', 'coins of ct1', 'OTa', 'KEMa'],
  ['EKb', 'coins of ct2', 'RKb'],
  ['SPKb', 'EKb'],
  ['SPKb', 'KEMb'],
  ['DIKb', 'SPKb', 'KEMb'],
  ['DIKa', 'DIKb'],
  ['DIKa', 'DIKb', 'SPKb', 'KEMb'],
  ['signing key of B', 'DIKb'],
  ['X25519 broken', 'KEMb'],
  ['X25519 broken', 'ML-KEM broken'],
  ['X25519 broken', "A's session"],
]

export function maskOf(leaks: readonly Leak[]): number {
  return leaks.reduce((mask, leak) => mask | (1 << LEAKS.indexOf(leak)), 0)
}

const goals = Object.keys(GOALS) as Goal[]

/** One row for each set of leaks, with a mark under what it gives. */
export function leakRows(reached: Reached): string[][] {
  const sets: (readonly Leak[])[] = [[], ...LEAKS.map((leak) => [leak]), ...TOGETHER]
  const rows = sets.map((leaks) => [
    leaks.join(', ') || 'nothing',
    ...goals.map((goal) => (isEnough(maskOf(leaks), reached[goal]) ? 'yes' : '')),
  ])
  return [['leaked or broken', ...Object.values(GOALS)], ...rows]
}

/**
 * For each goal what is enough by itself, and groups: whoever reaches it has one of the first, or at least one leak of every
 * group, and that is enough. This decides every set of leaks.
 */
export function groupRows(reached: Reached): string[][] {
  const rows = goals.map((goal) => {
    const groups = hittingSets(reached[goal])
    const alone = groups.reduce((common, group) => common & group)
    const rest = groups.map((group) => group & ~alone)
    const listed = rest.includes(0) ? [] : rest.map((group) => `(${namesOf(group).join(' or ')})`)
    return [GOALS[goal], namesOf(alone).join(', '), listed.join(' and ')]
  })
  return [['who reaches', 'has one of these', 'or one of each of these'], ...rows]
}

function namesOf(mask: number): Leak[] {
  return LEAKS.filter((_, bit) => (mask >> bit) & 1)
}

/** The smallest sets that share an element with each of `sets`. */
function hittingSets(sets: readonly number[]): number[] {
  let found: number[] = [0]
  for (const set of sets) {
    const bits = LEAKS.map((_, bit) => 1 << bit).filter((bit) => set & bit)
    const grown = found.flatMap((mask) => (mask & set ? [mask] : bits.map((bit) => mask | bit)))
    const distinct = [...new Set(grown)]
    found = distinct.filter((mask) => !distinct.some((less) => less !== mask && (less & mask) === less))
  }
  return found.sort((a, b) => a - b)
}

/** Markdown of a table. */
export function markdown([head, ...rows]: string[][]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head!), line(head!.map((cell) => '-'.repeat(cell.length))), ...rows.map(line)]
}
