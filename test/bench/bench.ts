/** What each group of benchmarks is given: how much to do, a directory that is gone afterwards, and who tidies up. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KithNodes } from '../support/kith-process.ts'

export class Bench {
  /** A small run that only shows that everything works. */
  readonly quick: boolean
  readonly #directory: string
  readonly #ends: (() => Promise<void>)[] = []
  #made = 0

  constructor(quick: boolean, directory: string) {
    this.quick = quick
    this.#directory = directory
  }

  /** One of two amounts. */
  amount(whole: number, quick: number): number {
    return this.quick ? quick : whole
  }

  /** A new empty directory. */
  async directory(): Promise<string> {
    return await mkdtemp(join(this.#directory, `${this.#made++}-`))
  }

  /** A folder of nodes that are stopped in the end. */
  async nodes(): Promise<KithNodes> {
    const nodes = new KithNodes(await this.directory())
    this.atEnd(() => nodes.stopAll())
    return nodes
  }

  /** Runs when the group is over, last first, however it went. */
  atEnd(end: () => Promise<void>): void {
    this.#ends.push(end)
  }

  async end(): Promise<void> {
    for (let end = this.#ends.pop(); end; end = this.#ends.pop()) await end()
  }
}

export async function benchDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'kith-bench-'))
}
