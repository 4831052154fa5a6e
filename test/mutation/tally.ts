/** What came of the mutants of a folder: the score, and what survived, by line. */

/** As much of Stryker's report as is read. */
export interface MutationReport {
  files: Record<string, { source: string; mutants: Mutant[] }>
}

interface Mutant {
  mutatorName: string
  replacement?: string
  status: string
  location: { start: Place; end: Place }
}

/** Both count from 1. */
interface Place {
  line: number
  column: number
}

/** A mutant that changes nothing which anybody could see, and why. */
export interface Equivalent {
  file: string
  /** The line on which it begins, without the blanks around it. */
  line: string
  /** What stands there instead, as the list of survivors shows it; any when absent. */
  instead?: string
  why: string
}

interface Survivor {
  file: string
  line: number
  text: string
  instead: string
  what: string
  isReached: boolean
}

export interface Tally {
  killed: number
  /** Of those killed: by time, or by too many rounds of a loop. */
  timeouts: number
  equivalent: number
  survivors: Survivor[]
  /** Per cent of those that are not equivalent; 100 when there is none. */
  score: number
  /** Of the files in the report, but nothing that survived is like that: the code changed, or a test notices it now. */
  stale: Equivalent[]
}

export function tally(report: MutationReport, equivalents: readonly Equivalent[]): Tally {
  const mutants = Object.entries(report.files).flatMap(([file, { source, mutants: all }]) => {
    const lines = source.split('\n')
    return all.map((mutant) => ({ file, lines, mutant }))
  })
  const count = (status: string): number => mutants.filter(({ mutant }) => mutant.status === status).length
  const timeouts = count('Timeout')
  const killed = count('Killed') + timeouts
  const alive = mutants
    .filter(({ mutant: { status } }) => status === 'Survived' || status === 'NoCoverage')
    .map(({ file, lines, mutant }) => survivorOf(file, lines, mutant))
  const used = new Set<Equivalent>()
  const survivors = alive.filter((survivor) => {
    const found = equivalents.find((equivalent) => isLike(equivalent, survivor))
    if (found) used.add(found)
    return !found
  })
  const judged = killed + survivors.length
  return {
    killed,
    timeouts,
    equivalent: alive.length - survivors.length,
    survivors,
    score: judged === 0 ? 100 : (100 * killed) / judged,
    stale: equivalents.filter((equivalent) => equivalent.file in report.files && !used.has(equivalent)),
  }
}

/** @param isPart of the mutants: then nothing is said of equivalent ones that were not met */
export function printTally(folder: string, result: Tally, isPart: boolean): string {
  const { killed, timeouts, equivalent, survivors, score, stale } = result
  const lines = survivors.map(
    ({ file, line, text, instead, what, isReached }) =>
      `${file}:${line} ${what}${isReached ? '' : ', reached by no test'}\n    ${text}\n    => ${instead}`,
  )
  if (!isPart) lines.push(...stale.map(({ file, line }) => `${file}: no such mutant survives any more: ${line}`))
  lines.push(
    `${folder}: ${score.toFixed(1)} % of ${killed + survivors.length} mutants noticed ` +
      `(${timeouts} by time), ${survivors.length} not, ${equivalent} equivalent`,
  )
  return `${lines.join('\n')}\n`
}

function survivorOf(file: string, lines: string[], mutant: Mutant): Survivor {
  const { start, end } = mutant.location
  const before = lines[start.line - 1]!
  const isOneLine = start.line === end.line
  const original = before.slice(start.column - 1, isOneLine ? end.column - 1 : undefined)
  const shown = `${original}${isOneLine ? '' : ' …'} -> ${mutant.replacement ?? ''}`
  return {
    file,
    line: start.line,
    text: before.trim(),
    instead: shown.replaceAll(/\s+/g, ' '),
    what: mutant.mutatorName,
    isReached: mutant.status === 'Survived',
  }
}

function isLike({ file, line, instead }: Equivalent, survivor: Survivor): boolean {
  return file === survivor.file && line === survivor.text && (instead === undefined || instead === survivor.instead)
}
