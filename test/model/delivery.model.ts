/**
 * The model of delivery, run by Quint's simulator: what Kith does keeps every invariant and reaches what it should reach,
 * and each planted defect breaks the invariant that is named for it. `npm run check:model`.
 */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const QUINT = join(
  dirname(createRequire(import.meta.url).resolve('@informalsystems/quint/package.json')),
  'dist/src/cli.js',
)
const MODEL = join(import.meta.dirname, 'delivery.qnt')
const STEPS = 60

const INVARIANTS = ['noLoss', 'noDuplicate', 'truthfulStates', 'keyOnce', 'mailboxNotRefilled', 'generationsAgree']
const REACHED = ['allDelivered', 'newestIsWritten', 'oldIsReleased', 'goesOnAfterLostDisk']

/** The module that plants a defect, and what it breaks. */
const DEFECTS = {
  ackBeforeBatch: 'truthfulStates',
  acknowledgedBeforeBatch: 'noLoss',
  batchSplit: 'keyOnce',
  historyBeforeIndex: 'noDuplicate',
  missingDedupe: 'noDuplicate',
  receiptBeforeSync: 'truthfulStates',
  olderUpdate: 'generationsAgree',
  updateFirst: 'generationsAgree',
  releasedAtOnce: 'generationsAgree',
  releasedClaimed: 'mailboxNotRefilled',
} as const

interface Run {
  holds: boolean
  printed: string
}

async function run(main: string, invariant: string, samples: number, ...more: string[]): Promise<Run> {
  const options = ['--backend=typescript', `--main=${main}`, `--max-samples=${samples}`, `--max-steps=${STEPS}`]
  const args = ['run', ...options, `--invariant=${invariant}`, ...more, '--verbosity=1', MODEL]
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, [QUINT, ...args], (error, stdout, stderr) => {
      const printed = `${stdout}${stderr}`
      if (printed.includes('[ok] No violation found')) resolve({ holds: true, printed })
      else if (printed.includes('[violation]')) resolve({ holds: false, printed })
      else reject(error ?? new Error(printed))
    })
  })
}

describe('the model of delivery', function () {
  this.timeout(60_000)

  it('keeps every invariant, and reaches what it should', async () => {
    const { holds, printed } = await run('kith', INVARIANTS.join(' and '), 150, '--witnesses', ...REACHED)
    expect(holds, printed).to.equal(true)
    for (const state of REACHED) expect(printed).to.match(new RegExp(`${state} was witnessed in [1-9]`))
  })

  it('loses what it keeps by each planted defect', async () => {
    const waiting = Object.entries(DEFECTS)
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const [defect, invariant] = next
        const { holds } = await run(defect, invariant, 1000)
        expect(holds, `${defect} keeps ${invariant}`).to.equal(false)
      }
    }
    await Promise.all([work(), work()])
  })
})
