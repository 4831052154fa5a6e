/** Text from a peer at the terminal: T45. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { sanitiseLine, sanitiseLines, terminalSafeJson } from '../../../cli/sanitise.ts'

// oxlint-disable-next-line no-control-regex -- they are what must be gone
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u

describe('T45 text from a peer at the terminal', () => {
  const attacks: [string, string, string][] = [
    ['colour', '\u001b[31mred', '␛[31mred'],
    ['C1 colour', '\u009b31mred', '\ufffd31mred'],
    ['title', '\u001b]0;owned\u0007', '␛]0;owned␇'],
    ['link', '\u001b]8;;https://evil\u001b\\bank\u001b]8;;\u001b\\', '␛]8;;https://evil␛\\bank␛]8;;␛\\'],
    ['clipboard', '\u001b]52;c;aGk=\u0007', '␛]52;c;aGk=␇'],
    ['cursor', '\u001b[2J\u001b[H', '␛[2J␛[H'],
    ['return over the line', 'x\rkith: done', 'x␍kith: done'],
    ['backspace', 'ab\b\bcd', 'ab␈␈cd'],
    ['new line', 'x\n12:00 alice: hi', 'x␊12:00 alice: hi'],
    ['override', 'file\u202Egpj.exe', 'filegpj.exe'],
    ['isolate', 'a\u2066b\u2069c', 'abc'],
    ['marks', 'a\u200e\u200f\u061cb', 'ab'],
    ['zero width', 'al\u200bi\u2060c\ufeffe', 'alice'],
    ['joiner in latin', 'al\u200dice\u200c', 'alice'],
    ['soft hyphen', 'al\u00adice', 'alice'],
    ['filler', 'a\u3164\u115fb', 'ab'],
    ['tags', 'a\u{e0061}\u{e007f}b', 'ab'],
    ['variation selector in latin', 'a\ufe0fb', 'ab'],
    ['tower of marks', `a${'\u0301'.repeat(40)}`, `a${'\u0301'.repeat(4)}`],
    ['lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['tab', 'a\tb', 'a b'],
  ]
  for (const [name, text, shown] of attacks) {
    it(`T45 ${name} is shown, not obeyed`, () => expect(sanitiseLine(text)).to.equal(shown))
  }

  const honest = [
    'grüße',
    'héllo',
    'Ђорђе',
    '日本語',
    'שלום',
    'می\u200cخواهم',
    'क्\u200dष',
    '👩\u200d👩\u200d👧',
    '❤\ufe0f',
    '👍🏽',
    '1\ufe0f\u20e3',
  ]
  for (const text of honest) {
    it(`keeps ${text}`, () => expect(sanitiseLine(text)).to.equal(text))
  }

  it('T45 nothing that a terminal obeys is left of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(OBEYED.test(sanitiseLine(text))).to.equal(false)
        expect(sanitiseLine(sanitiseLine(text))).to.equal(sanitiseLine(text))
      }),
    )
  })

  it('T45 every kind of line break makes lines of a text', () => {
    const text = 'a\nb\r\nc\rd\ve\ff\u0085g\u2028h\u2029i'
    expect(sanitiseLines(text)).to.deep.equal(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])
  })

  it('T45 data keeps the exact text and holds nothing that a terminal obeys', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = terminalSafeJson({ text })
        expect(OBEYED.test(json)).to.equal(false)
        expect(JSON.parse(json)).to.deep.equal({ text })
      }),
    )
  })
})
