/** Mutants that nobody could notice, each with the reason: they count neither for nor against the tests. */
import type { Equivalent } from './tally.ts'

export const EQUIVALENT: readonly Equivalent[] = []
