import { expect } from 'chai'
import { createProtocolTime } from '../../../node/directory/protocol-time.ts'
import { createManualClock } from '../../support/manual-clock.ts'

const START = 1_800_000_000

const world = () => {
  const clock = createManualClock(START * 1000)
  return { clock, time: createProtocolTime(clock) }
}

describe('directory/protocol-time', () => {
  it('is the local clock until two sources say otherwise', () => {
    const { time } = world()
    expect(time.now()).to.equal(START)
    time.observe('a', START + 5000)
    time.observe('a', START + 5000)
    expect(time.now()).to.equal(START)
    time.observe('b', START + 5002)
    expect(time.now()).to.equal(START + 5000)
    expect(time.correction()).to.equal(5000)
  })

  it('leaves up to ten minutes alone', () => {
    for (const [offset, corrected] of [
      [600, 0],
      [601, 601],
      [-600, 0],
      [-601, -601],
    ] as const) {
      const { time } = world()
      time.observe('a', START + offset)
      time.observe('b', START + offset)
      expect(time.correction()).to.equal(corrected)
    }
  })

  it('one liar moves nothing, of two sources or of three', () => {
    for (const lie of [10 ** 9, -(10 ** 9)]) {
      const { time } = world()
      time.observe('honest', START + 3)
      time.observe('liar', START + lie)
      expect(time.correction()).to.equal(0)
      time.observe('other', START - 4)
      expect(time.correction()).to.equal(0)
    }
  })

  it('takes the middle one of many', () => {
    const { time } = world()
    for (const [i, offset] of [9000, 7000, -20_000, 8000, 10 ** 8].entries()) time.observe(`s${i}`, START + offset)
    expect(time.correction()).to.equal(8000)
  })

  it('goes on with the clock, and forgets after a day', async () => {
    const { clock, time } = world()
    time.observe('a', START + 5000)
    time.observe('b', START + 5000)
    await clock.advance(3_600_000)
    expect(time.now()).to.equal(START + 3600 + 5000)
    await clock.advance(24 * 3_600_000)
    expect(time.correction()).to.equal(0)
  })

  it('remembers 16 sources, the last heard', () => {
    const { time } = world()
    for (let i = 0; i < 1000; i++) time.observe(`old${i}`, START + 9000)
    for (let i = 0; i < 16; i++) time.observe(`new${i}`, START)
    expect(time.correction()).to.equal(0)
  })

  it('ignores what is no time', () => {
    const { time } = world()
    for (const seconds of [Number.NaN, -1, 1.5, Infinity]) {
      time.observe(`a${seconds}`, seconds)
      time.observe(`b${seconds}`, seconds)
    }
    expect(time.now()).to.equal(START)
  })
})
