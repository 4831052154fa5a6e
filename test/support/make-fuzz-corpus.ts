/**
 * Writes `test/fuzz/corpus/`: for each reader the shortest inputs found that end in different ways, by code and text of the
 * error. `node test/support/make-fuzz-corpus.ts`; look at what changed before it is committed, and keep what a bug left.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { toHex } from '../../node/crypto/bytes.ts'
import { FUZZ_TARGETS, type FuzzTarget } from './fuzz-targets.ts'
import { FUZZ_SEED, mutated, outcome } from './fuzzing.ts'

const FOLDER = join(import.meta.dirname, '../fuzz/corpus')
const SAMPLES = 600
const MOST = 8
/** Longer ones say no more, and are read by nobody. */
const MAX_BYTES = 500

function interesting({ read, seeds }: FuzzTarget): { bytes: string; outcome: string }[] {
  const shortest = new Map<string, Uint8Array>()
  for (const bytes of fc.sample(mutated(seeds), { seed: FUZZ_SEED, numRuns: SAMPLES })) {
    const kind = endOf(read, bytes)
    const before = shortest.get(kind)
    if (bytes.length <= MAX_BYTES && (before === undefined || bytes.length < before.length)) shortest.set(kind, bytes)
  }
  const kept = [...shortest.values()].toSorted((a, b) => b.length - a.length).slice(0, MOST)
  return kept.map((bytes) => ({ bytes: toHex(bytes), outcome: outcome(read, bytes) }))
}

function endOf(read: FuzzTarget['read'], bytes: Uint8Array): string {
  try {
    read(bytes.slice())
    return 'read'
  } catch (error) {
    // numbers and names differ from input to input
    return String(error).replaceAll(/\d+|"[^"]*"/g, '')
  }
}

mkdirSync(FOLDER, { recursive: true })
for (const [group, targets] of Object.entries(FUZZ_TARGETS)) {
  const corpus = Object.fromEntries(targets.map((target) => [target.name, interesting(target)]))
  writeFileSync(join(FOLDER, `${group}.json`), `${JSON.stringify(corpus, undefined, 2)}\n`)
}
