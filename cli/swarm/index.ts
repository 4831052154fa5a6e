/**
 * The library face of the swarm, `kith/swarm`: the same swarm as `kith swarm`, for tests of programs that build on Kith.
 */
import { runtime } from '../../node/index.ts'
import { type Findings, evaluate } from './metrics.ts'
import { DEFAULT_OPTIONS, type SwarmOptions } from './options.ts'
import { createSchedule, type Schedule } from './schedule.ts'
import { Swarm, type SwarmInit } from './swarm.ts'

export type { Findings, Metrics } from './metrics.ts'
export type { SwarmOptions } from './options.ts'
export { createSchedule, type Schedule } from './schedule.ts'
export type { Swarm } from './swarm.ts'

const DEFAULT_SETTLE_MS = 60_000

export interface CreateSwarmInit extends Partial<SwarmOptions>, Partial<Pick<SwarmInit, 'keep' | 'settle' | 'signal'>> {
  /** Instead of one made of the options and the seed. */
  schedule?: Schedule
}

/**
 * Starts a swarm; resolves when its nodes are up and friends. `await using` ends it.
 * @throws UsageError for options that cannot be; NetworkError `SWARM_TAKEN`, `NO_FRIENDS`; KithError `NODE_DIED`
 */
export async function createSwarm(init: CreateSwarmInit = {}): Promise<Swarm> {
  const { schedule, keep, settle = DEFAULT_SETTLE_MS, signal, ...given } = init
  const options = { ...DEFAULT_OPTIONS, ...given }
  return await Swarm.create({
    schedule: schedule ?? createSchedule(options),
    options,
    settle,
    runtime,
    ...(keep === undefined ? {} : { keep }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** Lives through the schedule of a swarm and says what became of it. */
export async function runSwarm(swarm: Swarm): Promise<Findings> {
  return evaluate(await swarm.run())
}
