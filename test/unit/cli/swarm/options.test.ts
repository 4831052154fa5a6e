/** How a tester writes churn, partitions, kills and times, and what is refused. */
import { expect } from 'chai'
import {
  checkOptions,
  DEFAULT_OPTIONS,
  parseChurn,
  parseDelay,
  parseKill,
  parseMilliseconds,
  parsePartition,
  parseRate,
  type SwarmOptions,
} from '../../../../cli/swarm/options.ts'
import { UsageError } from '../../../../node/errors.ts'

describe('the grammar of a swarm', () => {
  it('reads what the documentation shows', () => {
    expect(parseChurn('10%/min')).to.equal(0.1)
    expect(parseChurn('2.5%/min')).to.equal(0.025)
    expect(parsePartition('20s@30s')).to.deep.equal({ at: 30_000, lasts: 20_000 })
    expect(parsePartition('1m@500ms')).to.deep.equal({ at: 500, lasts: 60_000 })
    expect(parseKill('relay@45s')).to.deep.equal({ role: 'relay', at: 45_000, away: 10_000 })
    expect(parseKill('node3@50s+20s')).to.deep.equal({ role: 'node', number: 3, at: 50_000, away: 20_000 })
    expect(parseKill('relay2@45s!')).to.deep.equal({ role: 'relay', number: 2, at: 45_000 })
    expect(parsePartition('silent:20s@30s')).to.deep.equal({ at: 30_000, lasts: 20_000, silent: true })
    expect(parseRate('2%')).to.deep.equal({ rate: 0.02 })
    expect(parseRate('0.5%:20s@30s')).to.deep.equal({ rate: 0.005, window: { at: 30_000, lasts: 20_000 } })
    expect(parseDelay('40ms')).to.deep.equal([40, 40])
    expect(parseDelay('20ms-1s')).to.deep.equal([20, 1000])
    expect(parseMilliseconds('40ms', 'a delay')).to.equal(40)
  })

  for (const [parse, texts] of [
    [parseChurn, ['10', '10%', '101%/min', '-1%/min', '%/min', '10%/h', '']],
    [parsePartition, ['20s', '@30s', '20s@', '20s@30', '20s@30s@40s', '20 s@30s', 'silent:', 'loud:20s@30s', '']],
    [parseRate, ['2', '0%', '51%', '-1%', '2%:', '2%:20s', '2%@30s', '2%:20s@30s:1%', '']],
    [parseDelay, ['20', '20ms-', '-20ms', '20ms-30ms-40ms', '']],
    [
      parseKill,
      ['relay', 'peer@4s', 'node0@4s', 'node@', 'node@4', 'node@4s+', 'node@4s+!', 'node@4s!!', ' node@4s', ''],
    ],
  ] as const) {
    for (const text of texts) {
      it(`${parse.name} refuses ${JSON.stringify(text)} with a hint`, () => {
        expect(() => parse(text))
          .to.throw(UsageError)
          .with.property('hint')
          .that.is.a('string')
      })
    }
  }

  const wrong: [string, Partial<SwarmOptions>][] = [
    ['one node', { nodes: 1 }],
    ['no relay', { relays: 0 }],
    ['half a message', { messages: 0.5 }],
    ['no time', { duration: 0 }],
    ['a partition after the end', { partitions: [{ at: 25_000, lasts: 6000 }] }],
    ['a partition of no time', { partitions: [{ at: 1, lasts: 0 }] }],
    ['a kill after the end', { kills: [{ role: 'relay', at: 31_000 }] }],
    ['one who comes back after the end', { kills: [{ role: 'node', at: 25_000, away: 6000 }] }],
    ['a relay that is not there', { kills: [{ role: 'relay', number: 3, at: 1000 }] }],
    ['a delay that ends before it begins', { delayMs: [80, 20] }],
    ['a delay of an hour', { delayMs: [0, 3_600_000] }],
    ['loss of everything', { loss: [{ rate: 1 }] }],
    ['stalls after the end', { stalls: [{ rate: 0.1, window: { at: 29_000, lasts: 2000 } }] }],
    ['breaks of no time', { breaks: [{ rate: 0.1, window: { at: 1, lasts: 0 } }] }],
    ['more churn than nodes', { churn: 1.5 }],
  ]
  for (const [name, change] of wrong) {
    it(`refuses ${name}`, () => {
      expect(() => checkOptions({ ...DEFAULT_OPTIONS, ...change })).to.throw(UsageError)
    })
  }
})
