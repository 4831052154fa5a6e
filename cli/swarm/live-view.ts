/** What a tester sees while a swarm runs: some lines that are drawn again and again, or a line now and then. */
import { describeFault } from './schedule.ts'
import type { Progress } from './swarm.ts'

const PHASES: Record<Progress['phase'], string> = {
  start: 'starting',
  friends: 'making friends',
  run: 'running',
  settle: 'waiting for what is on its way',
  done: 'reading histories',
}
const BAR = 30

/** @param duration of the schedule, in milliseconds */
export function progressLines(progress: Progress, duration: number): string[] {
  const { phase, elapsed, up, processes, accepted, arrived, acknowledged, active } = progress
  const part = Math.min(1, elapsed / duration)
  const bar = '#'.repeat(Math.round(part * BAR)).padEnd(BAR, '.')
  const faults = active.map(describeFault)
  return [
    `${PHASES[phase]}  [${bar}]  ${(elapsed / 1000).toFixed(0)} of ${duration / 1000} s`,
    `processes ${up} of ${processes} up   accepted ${accepted}   arrived ${arrived}   acknowledged ${acknowledged}`,
    `faults: ${faults.length === 0 ? 'none' : faults.join(', ')}`,
  ]
}

/** The same in one line. */
export function progressLine(progress: Progress, duration: number): string {
  const { phase, elapsed, up, processes, accepted, arrived, active } = progress
  const faults = active.length === 0 ? '' : `, ${active.length} faults`
  const time = `${(elapsed / 1000).toFixed(0)} of ${duration / 1000} s`
  return `${PHASES[phase]}: ${time}, ${up} of ${processes} up, ${arrived} of ${accepted} arrived${faults}`
}
