/** What is written in the terminal chat: the line, commands, completion, drafts, what was sent before. */
import { expect } from 'chai'
import * as edit from '../../../../cli/chat/composer.ts'
import { inputActions } from '../../../../cli/chat/input.ts'
import type { KeyPress } from '../../../../cli/chat/keys.ts'
import { readLine, SLASH_NAMES } from '../../../../cli/chat/slash-commands.ts'
import { MAX_TEXT_BYTES } from '../../../../node/limits.ts'
import { message, person, Player } from '../../../support/chat-states.ts'

const FAMILY = '👨‍👩‍👧'
const FLAGS = [
  'ctrl',
  'meta',
  'shift',
  'upArrow',
  'downArrow',
  'leftArrow',
  'rightArrow',
  'pageUp',
  'pageDown',
] as const
const MORE_FLAGS = ['home', 'end', 'return', 'escape', 'tab', 'backspace', 'delete'] as const
const noKey = Object.fromEntries([...FLAGS, ...MORE_FLAGS].map((flag) => [flag, false])) as unknown as KeyPress

describe('the composer', () => {
  it('goes and erases by what a person reads as one character', () => {
    const composer = edit.composerOf(`a${FAMILY}e\u0301`)
    expect(edit.erase(composer, edit.left).text).to.equal(`a${FAMILY}`)
    expect(edit.erase(edit.left(composer), edit.left).text).to.equal('ae\u0301')
    expect(edit.right({ text: FAMILY, cursor: 0 }).cursor).to.equal(FAMILY.length)
    expect(edit.right({ text: '', cursor: 0 })).to.deep.equal({ text: '', cursor: 0 })
  })

  it('knows lines and words', () => {
    const composer = edit.composerOf('one two\n\nthree four')
    expect(edit.lineStart(composer).cursor).to.equal(9)
    expect(edit.lineStart({ text: '\nx', cursor: 0 }).cursor).to.equal(0)
    expect(edit.lineMove(composer, -1)!.cursor).to.equal(8)
    expect(edit.lineMove(edit.lineMove(composer, -1)!, -1)!.cursor).to.equal(0)
    expect(edit.lineMove({ text: 'x', cursor: 1 }, -1)).to.equal(undefined)
    expect(edit.erase(composer, edit.wordLeft).text).to.equal('one two\n\nthree ')
    expect(edit.wordRight({ text: 'one two', cursor: 3 }).cursor).to.equal(7)
  })

  it('lays out lines and cursor by columns', () => {
    expect(edit.layOut(edit.composerOf('世界世界'), 4)).to.deep.equal({
      lines: ['世界', '世界', ''],
      row: 2,
      column: 0,
    })
    expect(edit.layOut({ text: 'ab\ncd', cursor: 3 }, 10)).to.deep.equal({ lines: ['ab', 'cd'], row: 1, column: 0 })
  })

  it('T45 takes out of a paste what would control a terminal, and keeps its lines', () => {
    expect(edit.typedText('a\r\nb\rc\u001b[31m\u0007\u202ed\te')).to.equal('a\nb\nc[31md\te')
  })
})

describe('input of a terminal', () => {
  it('tells keys and text apart', () => {
    expect(inputActions('[O', noKey)).to.deep.equal([{ type: 'typed', text: '[O' }])
    expect(inputActions('A', { ...noKey, meta: true })).to.deep.equal([{ type: 'chord', chord: 'alt+a', text: 'A' }])
    expect(inputActions('\n', noKey)).to.deep.equal([{ type: 'chord', chord: 'ctrl+j' }])
    expect(inputActions('', { ...noKey, return: true, meta: true })).to.deep.equal([
      { type: 'chord', chord: 'alt+enter' },
    ])
  })

  it('sends an unmarked paste once at most, by the Enter at its end', () => {
    expect(inputActions('hi\rthere\r', noKey)).to.deep.equal([
      { type: 'typed', text: 'hi' },
      { type: 'typed', text: '\n' },
      { type: 'typed', text: 'there' },
      { type: 'chord', chord: 'enter' },
    ])
  })
})

describe('writing in the terminal chat', () => {
  let player: Player
  beforeEach(() => {
    player = Player.with([person('bob'), person('carol')], [message(1)])
  })

  it('sends a text, and shows it as what it is until the node has it', () => {
    player.type('hello')
    player.press('enter')
    expect(player.take('send')).to.deep.equal([{ do: 'send', id: 'kith1bob', local: 'sending-1', text: 'hello' }])
    const shown = () => player.state.timelines.get('kith1bob')!.messages.at(-1)!
    expect(shown().state).to.equal('sending')
    const sentAt = '2026-11-21T10:00:00.000Z'
    player.play({ type: 'accepted', id: 'kith1bob', local: 'sending-1', messageId: 'mm', state: 'queued', sentAt })
    expect(shown()).to.include({ messageId: 'mm', state: 'queued' })
    player.play({ type: 'delivery', messageId: 'mm', state: 'delivered' })
    expect(shown().state).to.equal('delivered')
  })

  it('shows a message once, whichever comes first: the answer or the event', () => {
    player.type('hello')
    player.press('enter')
    const own = message(2, { direction: 'out', text: 'hello', state: 'queued' })
    player.play({ type: 'arrived', id: 'kith1bob', message: own })
    player.play({ type: 'accepted', id: 'kith1bob', local: 'sending-1', messageId: 'm2', state: 'queued', sentAt: '' })
    player.play({ type: 'arrived', id: 'kith1bob', message: own })
    expect(player.state.timelines.get('kith1bob')!.messages.map(({ messageId }) => messageId)).to.deep.equal([
      'm1',
      'm2',
    ])
  })

  it('a paste of many lines is one message', () => {
    player.play({ type: 'pasted', text: 'one\r\n/quit\rthree' })
    expect(player.take('send')).to.deep.equal([])
    player.press('enter')
    expect(player.take('send').map(({ text }) => text)).to.deep.equal(['one\n/quit\nthree'])
  })

  it('never sends what begins with one slash; two mean a text', () => {
    player.type('/nosuch')
    player.press('enter')
    expect(player.state.notice).to.deep.include({ tone: 'error' })
    expect([player.take('send'), player.state.composer.text]).to.deep.equal([[], '/nosuch'])
    player.press('ctrl+u')
    player.type('//etc')
    player.press('enter')
    expect(player.take('send').map(({ text }) => text)).to.deep.equal(['/etc'])
    expect(readLine('/trust  bob ')).to.deep.equal({ command: 'trust', argument: 'bob' })
  })

  it('takes a slash right after the Escape key for what it is, though terminals write both as one', () => {
    player.press('?')
    player.play({ type: 'chord', chord: 'alt+/', text: '/' })
    player.type('requests')
    player.press('enter')
    expect(player.effects).to.deep.include({ do: 'call', call: { call: 'requests' } })
    expect(player.take('send')).to.deep.equal([])
  })

  it('keeps what is too long', () => {
    player.play({ type: 'pasted', text: 'ü'.repeat(MAX_TEXT_BYTES / 2 + 1) })
    player.press('enter')
    expect([player.take('send'), player.state.notice!.tone]).to.deep.equal([[], 'error'])
    expect(player.state.composer.text).to.have.length(MAX_TEXT_BYTES / 2 + 1)
  })

  it('keeps a draft for each conversation, and tells the node of it', () => {
    player.type('for bob')
    player.press('ctrl+n')
    expect(player.take('draft')).to.deep.equal([{ do: 'draft', id: 'kith1bob', text: 'for bob' }])
    expect(player.state.composer.text).to.equal('')
    player.press('ctrl+p')
    expect(player.state.composer.text).to.equal('for bob')
    player.press('enter')
    expect(player.take('draft')).to.deep.equal([{ do: 'draft', id: 'kith1bob', text: '' }])
  })

  it('takes up a draft that another face kept', () => {
    player.meet([person('bob'), person('carol', { draft: 'from the page' })])
    player.press('ctrl+n')
    expect(player.state.composer.text).to.equal('from the page')
  })

  it('goes through what was sent, from the first line on, and throws nothing away for it', () => {
    for (const text of ['one', 'two']) {
      player.type(text)
      player.press('enter')
    }
    player.press('up')
    expect(player.state.composer.text).to.equal('two')
    player.press('up', 'up')
    expect(player.state.composer.text).to.equal('one')
    player.press('down', 'down')
    expect(player.state.composer.text).to.equal('')
    player.type('new')
    player.press('up')
    expect(player.state.composer.text).to.equal('new')
  })

  it('completes commands and names', () => {
    player.type('/inv')
    player.press('tab')
    expect(player.state.composer.text).to.equal('/invite')
    player.press('ctrl+u')
    player.type('/open ca')
    player.press('tab')
    expect(player.state.composer.text).to.equal('/open carol')
    player.press('ctrl+u')
    player.type('/re')
    player.press('tab')
    for (const name of SLASH_NAMES.filter((each) => each.startsWith('re'))) {
      expect(player.state.notice!.text).to.include(name)
    }
  })

  it('keeps what the node refused, and sends it again under the same name', () => {
    player.type('hello')
    player.press('enter')
    player.take('send')
    player.play({ type: 'refused', id: 'kith1bob', local: 'sending-1', reason: 'the keys changed' })
    player.type('/retry')
    player.press('enter')
    expect(player.take('send')).to.deep.equal([{ do: 'send', id: 'kith1bob', local: 'sending-1', text: 'hello' }])
  })

  it('empties the line with Ctrl+C, and leaves on an empty one', () => {
    player.type('something')
    player.press('ctrl+c')
    expect([player.state.composer.text, player.take('quit')]).to.deep.equal(['', []])
    player.press('ctrl+c')
    expect(player.take('quit')).to.have.length(1)
  })
})
