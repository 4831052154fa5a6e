/** What a number of runs came to together: how often each act, fault and state was reached. A zero is a gap in the proof. */
import { type FaultCounts, noFaultsYet } from '../faults.ts'
import { ACTS, CHEATS } from './plan.ts'
import type { Outcome } from './run.ts'

/** The states that a message comes to; `read` is no state of this version. */
const STATES = ['queued', 'sent', 'custody', 'delivered', 'expired', 'failed']

export class Coverage {
  readonly #counts = new Map<string, number>()
  seeds = 0

  constructor() {
    const faults = Object.keys(noFaultsYet())
    const cheats = CHEATS.map((how) => `cheat ${how}`)
    const names = [...ACTS, ...cheats].map((act) => `act ${act}`)
    for (const name of [...names, ...faults.map((fault) => `fault ${fault}`), ...STATES.map((one) => `state ${one}`)]) {
      this.#counts.set(name, 0)
    }
  }

  add({ plan, acts, faults, states }: Outcome): void {
    this.seeds++
    for (const [act, count] of acts) this.#count(`act ${act}`, count)
    for (const step of plan.steps) if (step.act === 'cheat') this.#count(`act cheat ${step.how}`, 1)
    for (const fault of Object.keys(faults) as (keyof FaultCounts)[]) this.#count(`fault ${fault}`, faults[fault])
    for (const [state, count] of states) this.#count(`state ${state}`, count)
  }

  /** Adds what another process counted. */
  merge(counts: Record<string, number>, seeds: number): void {
    this.seeds += seeds
    for (const [name, count] of Object.entries(counts)) this.#count(name, count)
  }

  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }

  /** What was never reached. */
  gaps(): string[] {
    return [...this.#counts].filter(([, count]) => count === 0).map(([name]) => name)
  }

  #count(name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }
}
