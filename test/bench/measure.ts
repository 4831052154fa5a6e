/** Clocks and percentiles. Cases that are compared take turns, so that a machine that is busy for a while is so for all. */

/** @param part 0.5 for the median */
export function percentile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}

/** Milliseconds that `work` took, and what it gave. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const begin = performance.now()
  const result = await work()
  return { ms: performance.now() - begin, result }
}

/** Milliseconds of each of `count` runs, one after another, behind a tenth as many that are not counted. */
export async function timesOf(count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const warm = Math.ceil(count / 10)
  const times: number[] = []
  for (let i = 0; i < warm + count; i++) {
    const { ms } = await timed(() => work(i))
    if (i >= warm) times.push(ms)
  }
  return times
}

/** Does something `count` times and tells the milliseconds that count: what it prepares need not. */
export type Case = (count: number) => number | Promise<number>

export interface Turns {
  rounds: number
  /** How often each case does its work in one round. */
  count: number
}

/** Runs the cases by turns, one round behind a shorter one that is not counted. @returns the rates a second, by case */
export async function byTurns<K extends string>(cases: Record<K, Case>, turns: Turns): Promise<Record<K, number[]>> {
  const names = Object.keys(cases) as K[]
  const rates = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>
  for (const name of names) await cases[name](Math.ceil(turns.count / 5))
  for (let round = 0; round < turns.rounds; round++) {
    for (const name of names) rates[name].push((1000 * turns.count) / (await cases[name](turns.count)))
  }
  return rates
}

/** A case of which everything counts. */
export function plainCase(work: () => void): Case {
  return (count) => {
    const begin = performance.now()
    for (let i = 0; i < count; i++) work()
    return performance.now() - begin
  }
}
