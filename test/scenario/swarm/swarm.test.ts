/**
 * The swarm: worlds made from seeds, in which everything goes wrong that may, and what must hold holds (T5, T11, T24). A seed
 * that fails is printed with the command that replays it and a shorter plan that fails in the same way.
 */
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Coverage } from '../../simulation/swarm/coverage.ts'
import { describePlan, partOf, planOf } from '../../simulation/swarm/plan.ts'
import { type Outcome, runPlan } from '../../simulation/swarm/run.ts'
import { SeedProcesses } from '../../simulation/swarm/seed-processes.ts'
import { replayCommand, shrink } from '../../simulation/swarm/shrink.ts'
import { seedsFor } from '../../support/seed.ts'

const SEEDS = 200
const SEEDS_IN_ONE_TEST = 20
const SHRINK_RUNS = 40
/** Seeds that run in other processes as well; the second is a large one. */
const TWICE = [1, 20, 33]

const run = promisify(execFile)

async function failureOf(outcome: Outcome): Promise<Error> {
  const { plan, failure } = outcome
  const { kept } = await shrink(outcome, SHRINK_RUNS)
  const shorter = describePlan(partOf(plan, new Set(kept)))
  const commands = [replayCommand(plan), replayCommand(plan, { kept })]
  return new Error(`${failure?.message}\n${shorter}\nreplay: ${commands.join('\nshorter: ')}`)
}

describe('swarm', () => {
  const coverage = new Coverage()
  const digests = new Map<number, string>()
  const seeds = seedsFor(SEEDS)
  let processes: SeedProcesses
  before(() => {
    processes = new SeedProcesses(availableParallelism())
  })
  after(() => processes.end())

  for (let from = 0; from < seeds.length; from += SEEDS_IN_ONE_TEST) {
    const part = seeds.slice(from, from + SEEDS_IN_ONE_TEST)
    it(`T11 T24 holds what must hold, in seeds ${part[0]} to ${part.at(-1)}`, async function () {
      this.timeout(240_000)
      const failed: number[] = []
      const runOne = async (seed: number): Promise<void> => {
        const { digest, counts, failure } = await processes.run(seed)
        coverage.merge(counts, 1)
        digests.set(seed, digest)
        if (failure) failed.push(seed)
      }
      await Promise.all(part.map(runOne))
      if (failed.length > 0) throw await failureOf(await runPlan(planOf(Math.min(...failed))))
    })
  }

  it('has one trace for one seed, in other processes and at the same time', async function () {
    this.timeout(120_000)
    const commands = TWICE.map(async (seed) => {
      const { stdout } = await run('node', replayCommand(planOf(seed)).split(' ').slice(1))
      return [seed, /^trace (\S+)$/m.exec(stdout)?.[1]] as const
    })
    for (const [seed, digest] of await Promise.all(commands)) {
      expect(digest, `seed ${seed}`).to.equal(digests.get(seed) ?? (await runPlan(planOf(seed))).digest)
    }
  })

  it('reaches every act, every fault and every state', function () {
    if (coverage.seeds < SEEDS) this.skip()
    expect(coverage.gaps()).to.deep.equal([])
  })
})
