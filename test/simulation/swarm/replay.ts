/**
 * Runs one seed of the swarm again and says what it came to: `node test/simulation/swarm/replay.ts --seed 7`.
 *   --steps 0,4,9   only these steps of its plan      --defect NAME   with a defect planted
 *   --shrink        looks for a shorter plan that fails in the same way, in 300 runs
 */
import { parseArgs } from 'node:util'
import { DEFECTS } from './defects.ts'
import { describePlan, partOf, planOf } from './plan.ts'
import { runPlan } from './run.ts'
import { replayCommand, shrink } from './shrink.ts'

const SHRINK_RUNS = 300

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    steps: { type: 'string' },
    defect: { type: 'string' },
    shrink: { type: 'boolean', default: false },
  },
})
const defect = DEFECTS.find(({ name }) => name === values.defect)
if (values.defect !== undefined && !defect)
  throw new RangeError(`expected one of: ${DEFECTS.map((d) => d.name).join('; ')}`)
const whole = planOf(Number(values.seed))
const steps = values.steps?.split(',').map(Number)
const plan = steps ? partOf(whole, new Set(steps)) : whole
const outcome = await runPlan(plan, defect)
const say = (text: string): void => void process.stdout.write(`${text}\n`)
say(describePlan(plan))
say(`trace ${outcome.digest}`)
say(outcome.failure ? outcome.failure.message : 'everything holds')
process.exitCode = outcome.failure ? 1 : 0
if (values.shrink && outcome.failure && !steps) {
  const { kept } = await shrink(outcome, SHRINK_RUNS, defect)
  say(`shorter, and fails in the same way:\n${describePlan(partOf(whole, new Set(kept)))}`)
  say(replayCommand(whole, { kept, ...(defect && { defect }) }))
}
