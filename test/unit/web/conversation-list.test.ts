/** The list of conversations as events change it. */
import { expect } from 'chai'
import type { Conversation, EventView } from '../../../cli/web/api/table.ts'
import {
  messageOf,
  neighbour,
  nextUnread,
  withDraft,
  withLastState,
  withMessage,
  withUnread,
} from '../../../cli/web/state/conversation-list.ts'

function row(id: string, changes: Partial<Conversation> = {}): Conversation {
  const fixed = { state: 'friend', verified: false, trust: 'unverified', online: false, unread: 0 } as const
  return { conversation: `c-${id}`, id, petname: id, name: id, ...fixed, ...changes }
}

function message(detail: EventView['detail']): EventView {
  return {
    cursor: 1,
    event: 'message',
    at: '2026-11-21T10:00:00.000Z',
    detail: { messageId: 'm1', type: 'text', text: 'hi', ...detail },
  }
}

const ROWS = [row('ann'), row('bob'), row('cem')]

describe('the list of conversations', () => {
  it('a message moves its conversation to the top; only a friend’s counts as unread', () => {
    const received = messageOf(message({ direction: 'in', from: 'bob' }))!
    const rows = withMessage(ROWS, received)
    expect(rows.map(({ id }) => id)).to.deep.equal(['bob', 'ann', 'cem'])
    expect(rows[0]).to.include({ unread: 1, firstUnread: 'm1' })
    expect(withMessage(rows, received), 'told twice').to.equal(rows)
    const second = withMessage(rows, messageOf(message({ direction: 'in', from: 'bob', messageId: 'm2' }))!)
    expect(second[0]).to.include({ unread: 2, firstUnread: 'm1' })
    const own = withMessage(ROWS, messageOf(message({ direction: 'out', from: 'me', to: 'cem' }))!)
    expect(own[0]).to.include({ id: 'cem', unread: 0 })
    expect(own[0]!.last).to.include({ state: 'queued', text: 'hi' })
  })

  it('a message of somebody who is not in the list changes nothing', () => {
    expect(withMessage(ROWS, messageOf(message({ direction: 'in', from: 'dan' }))!)).to.equal(ROWS)
    expect(messageOf({ ...message({}), event: 'state' })).to.equal(undefined)
  })

  it('states, reading and drafts change their row alone', () => {
    const rows = withMessage(ROWS, messageOf(message({ direction: 'in', from: 'bob' }))!)
    expect(withLastState(rows, 'm1', 'read')[0]!.last!.state).to.equal('read')
    expect(withLastState(rows, 'm9', 'read')[0]!.last!.state).to.equal('delivered')
    const read = withUnread(rows, 'bob', 0)
    expect(read[0]!.unread).to.equal(0)
    expect(read[0]).to.not.have.property('firstUnread')
    expect(withUnread(rows, 'bob', 1)[0]).to.include({ unread: 1, firstUnread: 'm1' })
    expect(withDraft(ROWS, 'cem', 'dear')[2]!.draft).to.equal('dear')
    expect(withDraft(withDraft(ROWS, 'cem', 'dear'), 'cem', '')[2]!.draft).to.equal(undefined)
  })

  it('goes round, and to the next unread one', () => {
    expect(neighbour(ROWS, 'cem', 1)).to.equal('ann')
    expect(neighbour(ROWS, 'ann', -1)).to.equal('cem')
    expect(neighbour(ROWS, undefined, 1)).to.equal('ann')
    expect(neighbour(ROWS, undefined, -1)).to.equal('cem')
    expect(neighbour([], undefined, 1)).to.equal(undefined)
    const rows = [row('ann', { unread: 1 }), row('bob'), row('cem', { unread: 2 })]
    expect(nextUnread(rows, 'ann')).to.equal('cem')
    expect(nextUnread(rows, 'cem')).to.equal('ann')
    expect(nextUnread(rows, undefined)).to.equal('ann')
    expect(nextUnread(ROWS, 'ann')).to.equal(undefined)
  })
})
