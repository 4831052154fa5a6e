/** The screen of the terminal chat as data: its size, its columns, and that no peer paints on it. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { frameOf } from '../../../../cli/chat/frame.ts'
import { showable, textWidth, truncate, wrapText } from '../../../../cli/chat/text-width.ts'
import { message, messages, person, Player, settingsOf } from '../../../support/chat-states.ts'

const HOSTILE = [
  'plain',
  '\u001b[2J\u001b[H\u001b]0;title\u0007\u001b]8;;http://evil\u0007link',
  '\u202eright to left\u2066isolated',
  '世界'.repeat(60),
  '👨‍👩‍👧👍🏽❤️🇩🇪1️⃣'.repeat(10),
  `z${'\u0301'.repeat(5000)}`,
  '\u200b\u200d\ufeff\u2060',
  'ᄀ각क्षि\u0e33',
  '\t\ttabs\rand returns\u2028separators\u0085',
  'x'.repeat(5000),
  '\n'.repeat(500),
  '﷽𒐫⸻',
]

function screen(player: Player): string[] {
  return frameOf(player.state).lines.map((line) => line.map(({ text }) => text).join(''))
}

describe('the frame of the terminal chat', () => {
  const text = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 200 }))

  it('T45 has exactly the rows and at most the columns of the terminal, whatever peers write and are called', () => {
    const size = { rows: fc.integer({ min: 1, max: 60 }), columns: fc.integer({ min: 1, max: 170 }) }
    const world = fc.record({
      ...size,
      texts: fc.array(text, { maxLength: 6 }),
      name: text,
      typed: text,
      listOpen: fc.boolean(),
    })
    fc.assert(
      fc.property(world, ({ rows, columns, texts, name, typed, listOpen }) => {
        const history = texts.map((each, i) => message(i + 1, { text: each, ...(i % 3 === 1 ? { reason: each } : {}) }))
        const player = Player.with(
          [person('bob', { name, petname: i18n(name) }), person('carol', { unread: 3 })],
          history,
        )
        player.play({ type: 'pasted', text: typed }, { type: 'resized', rows, columns })
        if (listOpen) player.press('alt+l')
        const { lines, cursor } = frameOf(player.state)
        expect(lines).to.have.length(rows)
        for (const line of lines) {
          const shown = line.map((span) => span.text).join('')
          expect(textWidth(shown), JSON.stringify(shown)).to.be.at.most(columns)
          // oxlint-disable-next-line no-control-regex -- nothing of the kind may be there
          expect(shown).to.not.match(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/)
        }
        expect(cursor.x).to.be.within(0, columns - 1)
        expect(cursor.y).to.be.within(0, rows - 1)
      }),
      { numRuns: 150 },
    )
  })

  it('T45 no line of a message begins where lines of ours begin', () => {
    const forged = 'hi\n09:00    me         │ I owe you 100\n─── new ───\n the node has gone'
    for (const columns of [40, 80, 160]) {
      const player = Player.with([person('bob')], [message(1, { text: forged })])
      player.play({ type: 'resized', rows: 24, columns })
      const pane = screen(player).map((line) => (columns < 60 ? line : line.slice(line.indexOf('│') + 2)))
      const lines = pane.filter((line) => /owe|new ───|gone/.test(line))
      expect(lines.length, `${columns}`).to.be.at.least(3)
      for (const line of lines) expect(line).to.match(/^ {9,}│ /)
    }
  })

  it('folds the conversations below 60 columns, and opens them on a key', () => {
    const player = Player.with([person('bob'), person('carol')], messages(1, 3))
    player.play({ type: 'resized', rows: 24, columns: 59 })
    expect(screen(player).join('\n')).to.not.include('carol')
    player.press('alt+l')
    expect(screen(player).join('\n')).to.include('carol').and.not.include('text 3')
    player.press('ctrl+n')
    expect(screen(player).join('\n')).to.not.include('text 3')
    player.play({ type: 'resized', rows: 24, columns: 60 })
    expect(screen(player).join('\n')).to.include('bob')
  })

  it('draws ASCII alone when it is told to', () => {
    const player = Player.with([person('bob', { unread: 1 })], [message(1, { direction: 'out', state: 'delivered' })])
    player.state = { ...player.state, settings: settingsOf({ symbols: 'ascii' }) }
    const drawn = screen(player).join('\n').replaceAll('·', '')
    expect(drawn)
      .to.match(/^[\n -~]*$/)
      .and.include('vv')
  })

  it('keeps the lines of what is written in sight, and the cursor in them', () => {
    const player = Player.with([person('bob')], messages(1, 3))
    player.play({ type: 'pasted', text: Array.from({ length: 40 }, (_, i) => `line ${i}`).join('\n') })
    expect(screen(player).at(-1)).to.include('line 39')
    expect(frameOf(player.state).cursor).to.deep.equal({ x: 9, y: 23 })
    for (let i = 0; i < 30; i += 1) player.press('up')
    expect(screen(player).join('\n')).to.include('line 9')
  })
})

/** A petname has to have something in it. */
function i18n(name: string): string {
  return name.trim() === '' ? 'bob' : name
}

describe('text on the screen', () => {
  it('T45 is made of what every terminal counts alike', () => {
    expect(showable('👍🏽')).to.equal('👍')
    expect(showable('👨‍👩‍👧')).to.equal('👨👩👧')
    expect(showable('❤️ 1️⃣')).to.equal('❤ 1')
    expect(showable('🇩🇪')).to.equal('DE')
    expect(showable('a\u001b[31mb')).to.equal('a␛[31mb')
    expect(textWidth(showable('﷽'))).to.equal(1)
  })

  it('is cut and wrapped between graphemes, within its columns', () => {
    expect(truncate('世界世界', 5)).to.equal('世界…')
    expect(wrapText('one two three', 7)).to.deep.equal(['one two', 'three'])
    expect(wrapText('a'.repeat(7), 3)).to.deep.equal(['aaa', 'aaa', 'a'])
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.integer({ min: 2, max: 30 }), (raw, columns) => {
        const line = showable(raw)
        const pieces = wrapText(line, columns)
        for (const piece of pieces) expect(textWidth(piece)).to.be.at.most(columns)
        const letters = (words: string): string => words.replaceAll(' ', '')
        expect(letters(pieces.join(''))).to.equal(letters(line))
      }),
    )
  })
})

describe('the picture in docs/TERMINAL.md', () => {
  it('is what the chat draws', async () => {
    const player = new Player({ rows: 14, columns: 78 })
    player.play({ type: 'connected', node: { id: 'kith1me', name: 'Ada', ours: false } })
    player.meet([
      person('bob', { name: 'Robert', verified: true, online: true, unread: 1, firstUnread: 'm4' }),
      person('Grandma'),
      person('Jo', { keysChanged: true }),
    ])
    player.play({ type: 'arrived', id: 'kith1Grandma', message: message(0) })
    const history = [
      message(1, { direction: 'out', text: 'The train is late.' }),
      message(2, { text: 'We wait for you.\nTake your time!' }),
      message(3, { direction: 'out', text: 'Shall I bring 月餅?', state: 'custody' }),
      message(4, { text: 'Yes.' }),
    ].map((each) => ({ ...each, sentAt: each.sentAt.replace('Z', '') }))
    player.page('newest', history, false)
    player.type('see you')
    const picture = screen(player)
      .map((line) => line.trimEnd())
      .join('\n')
    const document = await readFile(resolve(import.meta.dirname, '../../../../docs/TERMINAL.md'), 'utf8')
    expect(/```text picture\n([\s\S]*?)\n```/.exec(document)?.[1]).to.equal(picture)
  })
})
