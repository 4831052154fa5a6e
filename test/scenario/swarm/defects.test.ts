/** What the swarm is worth: each planted defect is found, by an invariant that it breaks, in a few of the seeds that hold without it. */
import { expect } from 'chai'
import { DEFECTS } from '../../simulation/swarm/defects.ts'
import { INVARIANTS } from '../../simulation/swarm/invariants.ts'
import { hasTrait, planOf } from '../../simulation/swarm/plan.ts'
import { runPlan } from '../../simulation/swarm/run.ts'
import { replayCommand, shrink } from '../../simulation/swarm/shrink.ts'

const MAX_SEEDS = 200

describe('swarm with a planted defect', () => {
  for (const defect of DEFECTS) {
    it(`finds: ${defect.name}`, async function () {
      this.timeout(240_000)
      const { first = 1, needs } = defect
      for (let seed = first; seed < first + MAX_SEEDS; seed++) {
        if (needs && !hasTrait(seed, needs)) continue
        const { failure, plan } = await runPlan(planOf(seed), defect)
        if (!failure) continue
        expect(defect.breaks, `${failure.message}\n${replayCommand(plan, { defect })}`).to.include(failure.invariant)
        return
      }
      expect.fail(`not found in ${MAX_SEEDS} seeds`)
    })
  }

  it('says which invariants can be broken', () => {
    const shown = new Set(DEFECTS.flatMap(({ breaks }) => breaks))
    expect(INVARIANTS.filter((one) => !shown.has(one))).to.deep.equal([])
  })

  it('makes a failing plan shorter, and the short one fails in the same way', async function () {
    this.timeout(120_000)
    const defect = DEFECTS.find(({ name }) => name === 'relay: signs for copies that it does not keep')!
    const outcome = await runPlan(planOf(1), defect)
    expect(outcome.failure?.invariant).to.equal('truthfulStates')
    const { kept, outcome: short } = await shrink(outcome, 120, defect)
    expect(kept.length).to.be.lessThan(outcome.plan.steps.length / 2)
    expect(short.failure?.invariant).to.equal('truthfulStates')
  })
})
