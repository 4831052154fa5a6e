import { expect } from 'chai'
import { RateLimit } from '../../../node/custody/rates.ts'
import { createManualClock } from '../../support/manual-clock.ts'

describe('mailbox server: rates', () => {
  it('gives a burst, then tokens at its rate, for each source', async () => {
    const clock = createManualClock()
    const limit = new RateLimit(clock, { burst: 2, perSecond: 0.5 }, { burst: 100, perSecond: 100 })
    expect([limit.take('a'), limit.take('a'), limit.take('a')]).to.deep.equal([0, 0, 2])
    expect(limit.take('b')).to.equal(0)
    await clock.advance(1000)
    expect(limit.take('a')).to.equal(1)
    await clock.advance(1000)
    expect([limit.take('a'), limit.take('a')]).to.deep.equal([0, 2])
    await clock.advance(3_600_000)
    expect([limit.take('a'), limit.take('a'), limit.take('a')]).to.deep.equal([0, 0, 2])
  })

  it('bounds all sources together, and what is refused costs nothing', async () => {
    const clock = createManualClock()
    const limit = new RateLimit(clock, { burst: 10, perSecond: 1 }, { burst: 3, perSecond: 1 })
    expect(['a', 'b', 'c', 'd'].map((source) => limit.take(source))).to.deep.equal([0, 0, 0, 1])
    for (let i = 0; i < 20; i++) limit.take('d')
    await clock.advance(1000)
    expect(limit.take('d')).to.equal(0)
  })

  it('takes a clock that is set back for standing still', () => {
    let now = 10_000
    const clock = { ...createManualClock(), now: () => now }
    const limit = new RateLimit(clock, { burst: 1, perSecond: 1 }, { burst: 10, perSecond: 1 })
    expect(limit.take('a')).to.equal(0)
    now = 0
    expect(limit.take('a')).to.equal(1)
    now = 1000
    expect(limit.take('a')).to.equal(0)
  })
})
