/** A process of `seed-processes.ts`: runs each seed that it is sent and answers with what it came to. */
import { Coverage } from './coverage.ts'
import { planOf } from './plan.ts'
import { runPlan } from './run.ts'
import { replayCommand } from './shrink.ts'

/** What a seed came to. */
export interface Finished {
  seed: number
  /** Hash of all that crossed a port. */
  digest: string
  counts: Record<string, number>
  /** Calls of ports. */
  calls: number
  /** How long its world lived, in its own time. */
  virtualMs: number
  failure?: { invariant: string; message: string; replay: string }
}

async function finish(seed: number): Promise<Finished> {
  const outcome = await runPlan(planOf(seed))
  const { digest, calls, virtualMs, failure, plan } = outcome
  const coverage = new Coverage()
  coverage.add(outcome)
  const told = failure && { ...failure, replay: `${replayCommand(plan)} --shrink` }
  return { seed, digest, counts: coverage.counts(), calls, virtualMs, ...(told && { failure: told }) }
}

// worlds make thousands of errors that are part of their lives; a failing seed is run again to be looked at
Error.stackTraceLimit = 0
// Ctrl-C reaches every process of the terminal: the first one decides
process.on('SIGINT', () => {})
process.on('message', ({ seed }: { seed: number }) => {
  finish(seed).then(
    (finished) => process.send?.(finished),
    (error: unknown) => {
      throw error
    },
  )
})
