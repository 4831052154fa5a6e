/** What a number of runs came to together: how often each act, fault, crash point and state was reached. A zero is a gap in the proof. */
import { type FaultCounts, noFaultsYet } from '../faults.ts'
import { ACTS, CHEATS, DISK_FAULTS, FLOODS } from './plan.ts'
import type { Outcome } from './run.ts'

/** The states that a message comes to; `read` is no state of this version. */
const STATES = ['queued', 'sent', 'custody', 'delivered', 'expired', 'failed']

/** Calls in which a node crashes before they reach anything, and after. */
const CRASH_POINTS = ['store.get', 'store.list', 'store.write', 'link.call', 'network.connect', 'network.publish']

export class Coverage {
  readonly #counts = new Map<string, number>()
  seeds = 0

  constructor() {
    const kinds = [
      ...CHEATS.map((how) => `cheat ${how}`),
      ...FLOODS.map((kind) => `flood with ${kind}`),
      ...DISK_FAULTS.map((code) => `full disk ${code}`),
    ]
    const points = CRASH_POINTS.flatMap((call) => [`before ${call}`, `after ${call}`])
    const names = [
      ...[...ACTS, ...kinds].map((act) => `act ${act}`),
      ...Object.keys(noFaultsYet()).map((fault) => `fault ${fault}`),
      ...points.map((point) => `crash ${point}`),
      ...STATES.map((state) => `state ${state}`),
    ]
    for (const name of names) this.#counts.set(name, 0)
  }

  add({ plan, acts, faults, crashPoints, states }: Outcome): void {
    this.seeds++
    for (const [act, count] of acts) this.#count(`act ${act}`, count)
    for (const step of plan.steps) {
      if (step.act === 'cheat') this.#count(`act cheat ${step.how}`, 1)
      if (step.act === 'flood') this.#count(`act flood with ${step.with}`, 1)
      if (step.act === 'full disk') this.#count(`act full disk ${step.code}`, 1)
    }
    for (const fault of Object.keys(faults) as (keyof FaultCounts)[]) this.#count(`fault ${fault}`, faults[fault])
    for (const [point, count] of crashPoints) this.#count(`crash ${point}`, count)
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
