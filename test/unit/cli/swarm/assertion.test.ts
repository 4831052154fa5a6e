/** Demands of a run: what is read, what is refused, when they hold. */
import { expect } from 'chai'
import { judge, parseAssertion } from '../../../../cli/swarm/assertion.ts'
import { METRICS, type Metrics } from '../../../../cli/swarm/metrics.ts'
import { UsageError } from '../../../../node/errors.ts'

const NONE = Object.fromEntries(METRICS.map((name) => [name, null])) as Metrics

describe('the demands of a tester', () => {
  const verdicts: [string, number, boolean][] = [
    ['lost=0', 0, true],
    ['lost=0', 1, false],
    ['lost!=0', 1, true],
    ['lost!=0', 0, false],
    ['lost<2', 1, true],
    ['lost<2', 2, false],
    ['lost<=2', 2, true],
    ['lost<=2', 3, false],
    ['lost>2', 3, true],
    ['lost>2', 2, false],
    ['lost >= 1.5', 1.5, true],
    ['lost>=1.5', 1.4, false],
  ]
  for (const [text, lost, holds] of verdicts) {
    it(`${text} ${holds ? 'holds' : 'fails'} for ${lost}`, () => {
      expect(judge([parseAssertion(text)], { ...NONE, lost })).to.deep.equal([{ text, holds, measured: lost }])
    })
  }

  it('fail when nothing was measured', () => {
    for (const operator of ['=', '!=', '<', '<=', '>', '>=']) {
      const [verdict] = judge([parseAssertion(`arrivalP99Ms${operator}0`)], NONE)
      expect(verdict, operator).to.include({ holds: false, measured: null })
    }
  })

  for (const text of [
    '',
    'lost',
    'lost=',
    '=0',
    'lost==0',
    'lost=x',
    'lost=-1',
    'toString=0',
    'gain=0',
    'lost=0 lost=0',
  ]) {
    it(`refuse ${JSON.stringify(text)} with a hint`, () => {
      expect(() => parseAssertion(text))
        .to.throw(UsageError)
        .with.property('hint')
        .that.is.a('string')
    })
  }
})
