/** The lines that a tester watches, and how they are drawn over one another. */
import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { Output } from '../../../../cli/output.ts'
import { progressLine, progressLines } from '../../../../cli/swarm/live-view.ts'
import type { Progress } from '../../../../cli/swarm/swarm.ts'

const PROGRESS: Progress = {
  phase: 'run',
  elapsed: 15_000,
  up: 4,
  processes: 7,
  accepted: 40,
  arrived: 38,
  acknowledged: 30,
  active: [
    { kind: 'kill', at: 1, who: 'r1', signal: 'SIGKILL' },
    { kind: 'partition', at: 1, until: 2, groups: [['n1', 'n2'], ['n3']], silent: true },
    { kind: 'loss', at: 1, until: 2, rate: 0.02 },
  ],
}

describe('the live view of a swarm', () => {
  it('says how far it is and what holds', () => {
    const [head, counts, faults, ...rest] = progressLines(PROGRESS, 30_000)
    expect(head).to.equal(`running  [${'#'.repeat(15)}${'.'.repeat(15)}]  15 of 30 s`)
    expect(counts).to.equal('processes 4 of 7 up   accepted 40   arrived 38   acknowledged 30')
    expect(faults).to.equal('faults: kill r1, silent partition n1 n2, loss 2%')
    expect(rest).to.deep.equal([])
    expect(progressLine(PROGRESS, 30_000)).to.equal('running: 15 of 30 s, 4 of 7 up, 38 of 40 arrived, 3 faults')
  })

  it('stays within its bar when it waits longer than the run', () => {
    const late: Progress = { ...PROGRESS, phase: 'settle', elapsed: 90_000, active: [] }
    expect(progressLines(late, 30_000)[0]).to.include(`[${'#'.repeat(30)}]`)
    expect(progressLines(late, 30_000)[2]).to.equal('faults: none')
  })

  it('is drawn over what was drawn before', async () => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true })
    const out = new Output({ stdout, stderr: new PassThrough(), json: false, quiet: false })
    await out.redraw(['one', 'two\u001b[2J'], 0)
    await out.redraw(['three'], 2)
    const drawn = String(stdout.read())
    expect(drawn.startsWith('one\ntwo')).to.equal(true)
    expect(drawn.endsWith('\u001b[2A\u001b[0Jthree\n')).to.equal(true)
    expect(drawn, 'no text moves the cursor').not.to.include('\u001b[2J')
  })
})
