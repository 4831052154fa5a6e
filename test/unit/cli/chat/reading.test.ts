/** Reading in the terminal chat: what counts as read, the unread line, scrolling, pages of history, who comes next. */
import { expect } from 'chai'
import { MAX_LOADED } from '../../../../cli/chat/timeline.ts'
import { frameOf } from '../../../../cli/chat/frame.ts'
import { message, messages, person, Player } from '../../../support/chat-states.ts'

function screen(player: Player): string[] {
  return frameOf(player.state).lines.map((line) => line.map(({ text }) => text).join(''))
}

describe('reading in the terminal chat', () => {
  it('counts as read what was really seen: with the eyes here, at the newest, in this conversation', () => {
    const player = Player.with([person('bob'), person('carol')], messages(1, 60))
    player.play({ type: 'arrived', id: 'kith1bob', message: message(61) })
    expect(player.take('seen')).to.deep.equal([{ do: 'seen', id: 'kith1bob', upTo: 'm61' }])

    player.play({ type: 'focus', focused: false }, { type: 'arrived', id: 'kith1bob', message: message(62) })
    expect(player.effects.map((effect) => effect.do)).to.deep.equal(['alert'])
    player.effects.length = 0
    player.play({ type: 'focus', focused: true })
    expect(player.take('seen')).to.deep.equal([{ do: 'seen', id: 'kith1bob', upTo: 'm62' }])

    player.press('pageup')
    player.play({ type: 'arrived', id: 'kith1bob', message: message(63) })
    expect(player.take('seen')).to.deep.equal([])
    player.press('alt+e')
    expect(player.take('seen')).to.have.length(1)

    player.type('/help')
    player.press('enter')
    player.play({ type: 'arrived', id: 'kith1bob', message: message(64) })
    expect(player.take('seen')).to.deep.equal([])
    player.press('escape')
    expect(player.take('seen')).to.have.length(1)
    player.play({ type: 'arrived', id: 'kith1carol', message: message(65) })
    expect(player.take('seen')).to.deep.equal([])
  })

  it('moves nothing under the reader’s eyes: what arrives below is counted', () => {
    const player = Player.with([person('bob')], messages(1, 80))
    player.press('pageup')
    const inSight = (): string[] => screen(player).flatMap((line) => /text \d+/.exec(line)?.[0] ?? [])
    const before = inSight()
    player.play({ type: 'arrived', id: 'kith1bob', message: message(81) })
    expect(inSight()).to.deep.equal(before)
    expect(screen(player).join('\n')).to.match(/1 new ↓/)
    player.press('pagedown', 'pagedown')
    expect(screen(player).join('\n'))
      .to.include('text 81')
      .and.not.match(/1 new ↓/)
  })

  it('draws the unread line where reading ended, and keeps it while one reads', () => {
    const player = new Player()
    player.play({ type: 'connected', node: { id: '', name: '', ours: false } })
    player.meet([person('bob', { unread: 2, firstUnread: 'm3' })])
    player.page('newest', messages(1, 4), false)
    const line = screen(player).findIndex((text) => text.includes('─ new ─'))
    expect(screen(player)[line + 1]).to.include('text 3')
    expect(player.take('seen')).to.have.length(1)
    expect(screen(player).join('\n')).to.include('─ new ─')
    player.type('answer')
    player.press('enter')
    expect(screen(player).join('\n')).to.not.include('─ new ─')
  })

  it('goes to the first new message and back', () => {
    const player = new Player()
    player.play({ type: 'connected', node: { id: '', name: '', ours: false } })
    player.play({ type: 'focus', focused: false })
    player.meet([person('bob', { unread: 50, firstUnread: 'm31' })])
    player.page('newest', messages(1, 80), false)
    player.press('alt+u')
    expect(screen(player).slice(1, 4).join('\n')).to.include('─ new ─').and.include('text 31')
    player.press('alt+e')
    expect(screen(player).join('\n')).to.include('text 80')
  })

  it('reads in older pages before they are needed, and newer ones again after a long way up', () => {
    const last = MAX_LOADED + 300
    const player = Player.with([person('bob')], messages(last - 99, last), true)
    const load = (): { where: string; beside?: string }[] =>
      player.take('load').map(({ where, beside }) => ({ where, ...(beside === undefined ? {} : { beside }) }))
    player.press('pageup', 'pageup', 'pageup', 'pageup')
    let first = last - 99
    expect(load()).to.deep.equal([{ where: 'older', beside: `m${first}` }])
    while (first > 1) {
      const from = Math.max(1, first - 100)
      player.page('older', messages(from, first - 1), from > 1)
      first = from
      for (let i = 0; i < 8; i += 1) player.press('pageup')
      load()
    }
    const { messages: loaded, newer } = player.state.timelines.get('kith1bob')!
    expect([loaded.length, loaded[0]!.messageId, newer]).to.deep.equal([MAX_LOADED, 'm1', true])
    const end = loaded.at(-1)!.messageId
    let asked: { where: string; beside?: string }[] = []
    for (let i = 0; asked.length === 0 && i < 200; i += 1) {
      player.press('pagedown')
      asked = load()
    }
    expect(asked).to.deep.equal([{ where: 'newer', beside: end }])
  })

  it('a page of the store never shows a message twice', () => {
    const player = Player.with([person('bob')], messages(50, 99), true)
    player.page('older', messages(1, 60), false)
    const ids = player.state.timelines.get('kith1bob')!.messages.map(({ messageId }) => messageId)
    expect(ids).to.deep.equal(messages(1, 99).map(({ messageId }) => messageId))
  })

  it('reads the page again when a message belongs further up', () => {
    const player = Player.with([person('bob')], messages(1, 5))
    player.play({ type: 'arrived', id: 'kith1bob', message: message(6), after: 'm3' })
    expect(player.take('load')).to.deep.equal([{ do: 'load', id: 'kith1bob', where: 'newest' }])
  })

  it('Alt+A goes through what is new, oldest first, and the list does not move under the cursor', () => {
    const people = [
      person('ann', { lastAt: '2026-11-21T09:00:00.000Z' }),
      person('bob', { unread: 1, lastAt: '2026-11-20T09:00:00.000Z' }),
      person('carol', { unread: 2, lastAt: '2026-11-19T09:00:00.000Z' }),
    ]
    const player = new Player()
    player.play({ type: 'connected', node: { id: '', name: '', ours: false } })
    player.meet(people)
    const names = (): string[] => player.state.conversations.map(({ petname }) => petname)
    expect(names()).to.deep.equal(['bob', 'carol', 'ann'])
    player.play({ type: 'open', id: 'kith1ann' })
    player.play({ type: 'arrived', id: 'kith1carol', message: message(9) })
    expect(names()).to.deep.equal(['bob', 'carol', 'ann'])
    player.press('alt+a')
    expect(player.state.current).to.equal('kith1bob')
    player.page('newest', messages(1, 2), false)
    player.press('alt+a')
    expect(player.state.current).to.equal('kith1carol')
  })

  it('says that the node has gone, and reads everything again when it is back', () => {
    const player = Player.with([person('bob')], messages(1, 3))
    player.play({ type: 'disconnected' })
    expect(screen(player).join('\n')).to.include('the node has gone')
    player.play({ type: 'connected', node: { id: '', name: '', ours: false } })
    expect(player.effects.map((effect) => effect.do)).to.deep.equal(['refresh', 'load'])
  })

  it('shows a link whole before it is opened, and opens nothing by itself', () => {
    const text = 'see https://example.org/a?b=c, and http://xn--80ak6aa92e.com'
    const player = Player.with([person('bob')], [message(1, { text })])
    player.press('alt+up')
    player.type('o')
    expect([player.take('browse'), player.state.link]).to.deep.equal([[], 'https://example.org/a?b=c'])
    expect(screen(player).join('\n')).to.include('https://example.org/a?b=c ')
    player.press('escape')
    expect(player.state.link).to.equal(undefined)
    player.press('alt+up')
    player.type('o')
    player.type('o')
    expect(player.take('browse')).to.deep.equal([{ do: 'browse', url: 'https://example.org/a?b=c' }])
  })

  it('tells in words how far the selected message came', () => {
    const player = Player.with([person('bob')], [message(1, { direction: 'out', state: 'custody' })])
    player.press('alt+up')
    expect(screen(player).join('\n')).to.include('kept by their relays')
  })

  it('folds a long message, and shows it whole when asked', () => {
    const text = Array.from({ length: 200 }, (_, i) => `line ${i}`).join('\n')
    const player = Player.with([person('bob')], [message(1, { text })])
    expect(screen(player).join('\n')).to.match(/\(184 more lines\)/)
    player.press('alt+up')
    player.type('e')
    expect(screen(player).join('\n')).to.include('line 199')
  })
})
