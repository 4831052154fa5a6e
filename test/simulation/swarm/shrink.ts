/** Makes a failing plan shorter: leaves out steps, many at first and single ones at last, as long as it fails in the same way. */
import { partOf, type Plan } from './plan.ts'
import { type Outcome, runPlan } from './run.ts'
import type { Defect } from './defects.ts'

export interface Shrunk {
  /** Places of the steps that are left. */
  kept: number[]
  outcome: Outcome
}

/**
 * @param failing what the whole plan came to
 * @param maxRuns after so many runs no other part is tried
 */
export async function shrink(failing: Outcome, maxRuns: number, defect?: Defect): Promise<Shrunk> {
  const { plan, failure } = failing
  let runs = 0
  let best: Shrunk = { kept: [...plan.steps.keys()], outcome: failing }
  for (let size = best.kept.length >> 1; size >= 1; size = Math.min(size >> 1, best.kept.length >> 1)) {
    for (let from = 0; from < best.kept.length; ) {
      if (runs++ >= maxRuns) return best
      const kept = best.kept.toSpliced(from, size)
      const outcome = await runPlan(partOf(plan, new Set(kept)), defect)
      if (outcome.failure?.invariant === failure?.invariant) best = { kept, outcome }
      else from += size
    }
  }
  return best
}

/** The command that runs a plan again, or a part of it. */
export function replayCommand({ seed }: Plan, options: { kept?: readonly number[]; defect?: Defect } = {}): string {
  const { kept, defect } = options
  const parts = ['node test/simulation/swarm/replay.ts', `--seed ${seed}`]
  if (kept) parts.push(`--steps ${kept.join()}`)
  if (defect) parts.push(`--defect '${defect.name.replaceAll("'", "'\\''")}'`)
  return parts.join(' ')
}
