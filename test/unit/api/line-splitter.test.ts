import { expect } from 'chai'
import * as fc from 'fast-check'
import { LineSplitter } from '../../../node/api/line-splitter.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('lines of the API', () => {
  it('finds the same lines however the bytes are cut', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n') && text.trim() !== '')
    const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 })
    fc.assert(
      fc.property(fc.array(line), cuts, (lines, sizes) => {
        const all = Buffer.from(lines.map((text) => `${text}\n`).join(''))
        const splitter = new LineSplitter(10_000)
        const found: string[] = []
        for (let at = 0, i = 0; at < all.length; at += sizes[i % sizes.length]!, i++) {
          found.push(...splitter.push(all.subarray(at, at + sizes[i % sizes.length]!)))
        }
        expect(found).to.deep.equal(lines)
      }),
    )
  })

  it('leaves out empty lines and keeps what has no end yet', () => {
    const splitter = new LineSplitter(100)
    expect(splitter.push(bytes('\n\na\n \nb'))).to.deep.equal(['a'])
    expect(splitter.push(bytes('c\n'))).to.deep.equal(['bc'])
  })

  it('refuses a line of one byte too many, also before its end has come', () => {
    expect(new LineSplitter(4).push(bytes('abcd\n'))).to.deep.equal(['abcd'])
    expect(() => new LineSplitter(4).push(bytes('abcde\n'))).to.throw('at most 4 bytes')
    const splitter = new LineSplitter(4)
    splitter.push(bytes('abc'))
    expect(() => splitter.push(bytes('de'))).to.throw('at most 4 bytes')
  })

  it('refuses what is not UTF-8', () => {
    expect(() => new LineSplitter(100).push(Uint8Array.of(0xff, 0x0a))).to.throw('UTF-8')
  })
})
