/** Mutants that nobody could notice, each with the reason: they count neither for nor against the tests. */
import type { Equivalent } from './tally.ts'

export const EQUIVALENT: readonly Equivalent[] = [
  {
    file: 'node/mailbox/tags.ts',
    line: 'if (counter <= this.#highest) return',
    instead: 'counter <= this.#highest -> counter < this.#highest',
    why: 'the window of the highest counter is the one that there is',
  },
]
