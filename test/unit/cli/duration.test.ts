import { expect } from 'chai'
import { parseDuration } from '../../../cli/duration.ts'

describe('durations', () => {
  const good: [string, number][] = [
    ['30s', 30],
    ['10m', 600],
    ['4h', 14_400],
    ['14d', 1_209_600],
    ['0s', 0],
  ]
  for (const [text, seconds] of good) it(`${text} is ${seconds} s`, () => expect(parseDuration(text)).to.equal(seconds))
  for (const text of ['', '10', 'm', '1.5h', '-3s', '3 s', '3S', '1h30m', '9999999999s', '4000d']) {
    it(`${JSON.stringify(text)} is none`, () => expect(parseDuration(text)).to.equal(undefined))
  }
})
