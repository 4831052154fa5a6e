/** Runs one plan: its steps one after the other, and at the end everybody comes back and is checked. */
import { MINUTE, SimulationError } from '../engine.ts'
import type { FaultCounts } from '../faults.ts'
import type { Defect } from './defects.ts'
import { fixtureOf } from './fixture.ts'
import { type Invariant, Violation } from './invariants.ts'
import type { Act, Plan } from './plan.ts'
import { expectAtRest } from './rest.ts'
import { takeStep } from './steps.ts'
import { Swarm } from './swarm.ts'

/** What may still happen after the last check, a bug that is reported for example. */
const PAUSE_MS = MINUTE

export interface Failure {
  invariant: Invariant
  message: string
}

/** How a run ended and what it came to. */
export interface Outcome {
  plan: Plan
  /** Hash of all that crossed a port. */
  digest: string
  virtualMs: number
  /** Calls of ports. */
  calls: number
  acts: Map<Act, number>
  faults: FaultCounts
  crashPoints: ReadonlyMap<string, number>
  states: Map<string, number>
  failure?: Failure
}

/** The plan, step by step; after each the cheap checks. */
async function live(swarm: Swarm): Promise<void> {
  const { steps, lost } = swarm.plan
  for (const [i, step] of steps.entries()) {
    await swarm.world.pass(step.wait)
    if (lost !== undefined && i === steps.length >> 1) {
      swarm.world.crash(lost)
      swarm.isLost = true
    }
    if (takeStep(swarm, step)) swarm.acts.set(step.act, (swarm.acts.get(step.act) ?? 0) + 1)
    swarm.checkSends()
    swarm.checkBounds()
  }
}

/** Runs a plan, with a defect planted if one is given. Never rejects for what the plan finds. */
export async function runPlan(plan: Plan, defect?: Defect): Promise<Outcome> {
  const swarm = new Swarm(plan, await fixtureOf(plan.people.length))
  const { world, acts, states } = swarm
  let failure: Failure | undefined
  try {
    await swarm.begin(defect)
    await live(swarm)
    await swarm.calm()
    await expectAtRest(swarm)
    await world.pass(PAUSE_MS)
  } catch (error) {
    failure = failureOf(error)
  }
  const { faults, crashPoints, elapsed, trace } = world
  const virtualMs = elapsed - swarm.fixture.elapsed
  const digest = trace.digest()
  const counts = { calls: trace.count, acts, faults, crashPoints, states }
  return { plan, digest, virtualMs, ...counts, ...(failure && { failure }) }
}

function failureOf(error: unknown): Failure {
  const cause = error instanceof SimulationError ? (error.cause ?? error) : error
  if (cause instanceof Violation) return { invariant: cause.invariant, message: cause.message }
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return { invariant: 'noBug', message: text }
}
