/**
 * T36, the part of shapes: whatever bytes or text come, every reader of them gives a value or a KithError, soon. Inputs
 * that once told something are kept in `corpus/` with their outcome (`test/support/make-fuzz-corpus.ts`), and replayed.
 */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { fromHex } from '../../node/crypto/bytes.ts'
import { MAX_FRAME_BYTES } from '../../node/limits.ts'
import { FUZZ_TARGETS } from '../support/fuzz-targets.ts'
import { FUZZ_RUNS, FUZZ_SEED, mutated, outcome } from '../support/fuzzing.ts'

const RUN = { seed: FUZZ_SEED, numRuns: FUZZ_RUNS }

type Corpus = Record<string, { bytes: string; outcome: string }[]>

for (const [group, targets] of Object.entries(FUZZ_TARGETS)) {
  describe(`T36 ${group} under fuzzing`, () => {
    const corpus = JSON.parse(readFileSync(join(import.meta.dirname, 'corpus', `${group}.json`), 'utf8')) as Corpus

    for (const { name, read, seeds } of targets) {
      it(`T36 ${name}: a value or a KithError, whatever came`, () => {
        const outcomes = new Set<string>()
        const count = (bytes: Uint8Array): void => void outcomes.add(outcome(read, bytes))
        fc.assert(fc.property(mutated(seeds), count), RUN)
        fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), count), RUN)
        // the fuzzing means something only if it comes through at times and is refused at others
        expect([...outcomes]).to.include('read')
        expect(outcomes.size).to.be.greaterThan(1)
      })

      it(`${name}: the corpus ends as it did`, () => {
        const kept = corpus[name]!
        expect(kept).to.have.length.above(0)
        for (const { bytes, outcome: before } of kept) expect(outcome(read, fromHex(bytes)), bytes).to.equal(before)
      })
    }

    it('the corpus is of readers that there are', () => {
      expect(Object.keys(corpus)).to.deep.equal(targets.map(({ name }) => name))
    })
  })
}

describe('T36 the largest frames', () => {
  it('T36 filled with one byte, are judged soon by every decoder', () => {
    const worst = [0x00, 0x40, 0x60, 0x61, 0x80, 0x81, 0x82, 0x9f, 0xa0, 0xa1, 0xbf, 0xc1, 0xd8, 0xf6, 0xff]
    const { read } = FUZZ_TARGETS.maps.find(({ name }) => name === 'read answer')!
    for (const byte of worst) {
      const bytes = new Uint8Array(MAX_FRAME_BYTES).fill(byte)
      expect(outcome(read, bytes), byte.toString(16)).to.equal('MALFORMED')
      // and as the content of an array and of a map that promise as many items
      for (const head of [0x9a, 0xba]) {
        bytes.set([head, 0x00, 0x05, 0xff, 0xfb])
        expect(outcome(read, bytes), `${head.toString(16)} of ${byte.toString(16)}`).to.equal('MALFORMED')
      }
    }
    for (const target of Object.values(FUZZ_TARGETS).flat()) {
      outcome(target.read, new Uint8Array(MAX_FRAME_BYTES).fill(0x81))
      outcome(target.read, new Uint8Array(MAX_FRAME_BYTES).fill(0x20))
    }
  })
})
