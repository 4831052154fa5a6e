import { expect } from 'chai'
import * as fc from 'fast-check'
import { block, CONTINUATION, displayWidth, table } from '../../../cli/layout.ts'

describe('lines for people', () => {
  it('puts what belongs to a text under its margin', () => {
    expect(block('09:56  bob: ', ['one', 'two'], undefined)).to.deep.equal(['09:56  bob: one', '            │ two'])
  })

  it('T45 no line but the first begins without the margin, at any width', () => {
    const word = fc.constantFrom('a', 'bb ', ' ', '日本', 'é', '👍', 'kith: ')
    const line = fc.array(word, { maxLength: 60 }).map((words) => words.join(''))
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 60, max: 120 }),
        (lines, columns) => {
          const [first, ...rest] = block('09:56  bob: ', lines, columns)
          expect(first!.startsWith('09:56  bob: ')).to.equal(true)
          for (const next of rest) expect(next.startsWith(`            ${CONTINUATION}`)).to.equal(true)
          for (const each of [first!, ...rest]) expect(displayWidth(each)).to.be.at.most(columns)
        },
      ),
    )
  })

  it('loses nothing but spaces at the ends of lines', () => {
    const text = 'the quick brown fox jumps over the lazy dog '.repeat(8).trim()
    const lines = block('> ', [text], 60)
    const joined = lines.map((line, i) => line.slice(i === 0 ? 2 : 2 + CONTINUATION.length)).join(' ')
    expect(joined).to.equal(text)
  })

  it('sets columns', () => {
    expect(
      table([
        ['a', 'bcd', 'e'],
        ['日本', '', 'f'],
        ['x', '', ''],
      ]),
    ).to.deep.equal(['a     bcd  e', '日本       f', 'x'])
  })
})
