import { expect } from 'chai'
import { EQUIVALENT } from '../../mutation/equivalent.ts'
import { type Equivalent, type MutationReport, printTally, tally } from '../../mutation/tally.ts'

const SOURCE = 'const a = b < c\n  return a + 1\n'

function mutant(status: string, line: number, from: number, to: number, replacement: string) {
  return {
    mutatorName: 'Operator',
    replacement,
    status,
    location: { start: { line, column: from }, end: { line, column: to } },
  }
}

const REPORT: MutationReport = {
  files: {
    'node/x.ts': {
      source: SOURCE,
      mutants: [
        mutant('Killed', 1, 11, 16, 'b > c'),
        mutant('Timeout', 1, 11, 16, 'true'),
        mutant('Survived', 1, 11, 16, 'b <= c'),
        mutant('NoCoverage', 2, 10, 15, 'a - 1'),
        mutant('CompileError', 2, 10, 15, 'a * 1'),
        mutant('Ignored', 2, 10, 15, '""'),
      ],
    },
  },
}
const SAME: Equivalent = { file: 'node/x.ts', line: 'const a = b < c', instead: 'b < c -> b <= c', why: 'never equal' }

describe('the tally of mutants', () => {
  it('counts what was noticed against what was not, reached or not, and leaves out what was not tried', () => {
    const { score, killed, timeouts, survivors } = tally(REPORT, [])
    expect({ score, killed, timeouts }).to.deep.equal({ score: 50, killed: 2, timeouts: 1 })
    expect(survivors).to.deep.equal([
      {
        file: 'node/x.ts',
        line: 1,
        text: 'const a = b < c',
        instead: 'b < c -> b <= c',
        what: 'Operator',
        isReached: true,
      },
      {
        file: 'node/x.ts',
        line: 2,
        text: 'return a + 1',
        instead: 'a + 1 -> a - 1',
        what: 'Operator',
        isReached: false,
      },
    ])
  })

  it('leaves out equivalent mutants, and tells of those that there are no more', () => {
    const others = [
      { ...SAME, instead: 'b < c -> c' },
      { ...SAME, line: 'const a = b' },
    ]
    const elsewhere = { ...SAME, file: 'node/y.ts' }
    const result = tally(REPORT, [SAME, ...others, elsewhere])
    expect(result.survivors.map(({ line }) => line)).to.deep.equal([2])
    expect({ equivalent: result.equivalent, stale: result.stale }).to.deep.equal({ equivalent: 1, stale: others })
    expect(result.score).to.be.closeTo(66.7, 0.1)
    expect(printTally('node/x', result, false)).to.include('no such mutant survives any more: const a = b')
    expect(printTally('node/x', result, true)).not.to.include('any more')
    expect(printTally('node/x', result, true)).to.include(
      '66.7 % of 3 mutants noticed (1 by time), 1 not, 1 equivalent',
    )
  })

  it('is 100 for nothing', () => {
    expect(tally({ files: {} }, [SAME])).to.deep.include({ score: 100, stale: [], survivors: [] })
  })

  it('knows a reason for every equivalent mutant, and none twice', () => {
    for (const { why, file } of EQUIVALENT) expect(why, file).to.have.length.above(10)
    const names = EQUIVALENT.map(({ file, line, instead }) => `${file} ${line} ${instead}`)
    expect(new Set(names).size).to.equal(names.length)
  })
})
