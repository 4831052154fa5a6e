/** How often a rekey may be begun: an hour after the last, doubling to a day, and forgiven after two days (T27). */
import { expect } from 'chai'
import type { Rekeying } from '../../../node/friendship/contact.ts'
import { pauseBefore, timesInRow } from '../../../node/friendship/rekey-pace.ts'

const HOUR = 3600
const rekeying = (started: number, times: number): Rekeying => ({ started, times, answered: 0 })

describe('the pace of rekeys', () => {
  it('T27 lets somebody who always needs one begin at most a day’s worth', () => {
    let state: Rekeying | undefined
    const begun: number[] = []
    for (let now = 10 ** 9; now < 10 ** 9 + 100 * HOUR; now += 60) {
      if (pauseBefore(state, now) > 0) continue
      begun.push(now)
      state = rekeying(now, timesInRow(state, now) + 1)
    }
    const pauses = begun.slice(1).map((at, i) => (at - begun[i]!) / HOUR)
    expect(pauses).to.deep.equal([1, 2, 4, 8, 16, 24, 24])
  })

  it('begins anew after two days without one', () => {
    expect(pauseBefore(rekeying(1000, 9), 1000 + 25 * HOUR)).to.equal(0)
    expect(timesInRow(rekeying(1000, 9), 1000 + 48 * HOUR - 1)).to.equal(9)
    expect(timesInRow(rekeying(1000, 9), 1000 + 48 * HOUR)).to.equal(0)
    expect(timesInRow(undefined, 5)).to.equal(0)
  })

  it('is no slower after a clock was put back', () => {
    expect(pauseBefore(rekeying(10 ** 9, 1), 1000)).to.equal(HOUR)
    expect(pauseBefore(rekeying(10 ** 9, 20), 1000)).to.equal(24 * HOUR)
  })
})
