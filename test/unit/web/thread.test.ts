/** The window of messages that the page holds: told once, in order, bounded, and truthful about own messages. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import type { HistoryEntry } from '../../../cli/web/api/table.ts'
import {
  around,
  edges,
  emptyThread,
  isSending,
  MAX_WINDOW,
  shownOf,
  type Thread,
  withArrived,
  withNewer,
  withNewest,
  withOlder,
  withoutUnsent,
  withRetry,
  withSending,
  withState,
  withTaken,
  withUnsent,
} from '../../../cli/web/state/thread.ts'

const SENDING = { key: 'k1', text: 'hello', from: 'me', sentAt: '2026-11-21T10:00:00.000Z' }

function entry(number: number, changes: Partial<HistoryEntry> = {}): HistoryEntry {
  const at = new Date(Date.UTC(2026, 10, 21) + number * 1000).toISOString()
  const fixed = { conversation: 'c', from: 'bob', direction: 'in', type: 'text', state: 'delivered' } as const
  return { messageId: `m${number}`, text: `text ${number}`, sentAt: at, receivedAt: at, ...fixed, ...changes }
}

function entries(from: number, to: number): HistoryEntry[] {
  return Array.from({ length: to - from }, (_, i) => entry(from + i))
}

function ids(thread: Thread): (string | undefined)[] {
  return thread.messages.map(({ messageId }) => messageId)
}

describe('the window of a conversation', () => {
  it('takes the newest page, older and newer ones, and each message once', () => {
    let thread = withNewest(emptyThread('bob'), { messages: entries(10, 20), more: true })
    thread = withOlder(thread, { messages: entries(5, 11), more: false })
    expect(ids(thread)).to.deep.equal(entries(5, 20).map(({ messageId }) => messageId))
    expect(thread.hasOlder).to.equal(false)
    thread = withNewer({ ...thread, hasNewer: true }, { messages: entries(19, 22), more: false })
    expect(edges(thread)).to.deep.equal({ first: 'm5', last: 'm21' })
    thread = withArrived(thread, shownOf(entry(21)))
    expect(thread.messages).to.have.length(17)
  })

  it('stays bounded at either end, and knows that more lies beyond', () => {
    let thread = withNewest(emptyThread('bob'), { messages: entries(1000, 1060), more: true })
    for (let from = 940; from >= 400; from -= 60) {
      thread = withOlder(thread, { messages: entries(from, from + 60), more: true })
      expect(thread.messages.length).to.be.at.most(MAX_WINDOW)
    }
    expect(thread.hasNewer).to.equal(true)
    expect(edges(thread).first).to.equal('m400')
    const arrived = withArrived(thread, shownOf(entry(2000)))
    expect(arrived, 'it would leave a hole').to.equal(thread)
    thread = withNewer(thread, { messages: entries(640, 700), more: false })
    expect(thread.messages).to.have.length(MAX_WINDOW)
    expect(thread).to.include({ hasNewer: false, hasOlder: true })
    expect(edges(thread)).to.deep.equal({ first: 'm460', last: 'm699' })
  })

  it('an own message is shown at once, and is the same one when the node has taken it', () => {
    const sending = withSending(withNewest(emptyThread('bob'), { messages: entries(0, 2), more: false }), SENDING)
    expect(sending.messages.at(-1)).to.include({ key: 'k1', state: 'sending' })
    expect(edges(sending).last, 'it has no ID yet').to.equal('m1')
    expect(isSending(sending)).to.equal(true)
    const taken = withTaken(sending, 'k1', { messageId: 'm9', state: 'queued' })
    expect(taken.messages.at(-1)).to.include({ key: 'k1', state: 'queued', messageId: 'm9' })
    expect(isSending(taken)).to.equal(false)
    expect(withArrived(taken, shownOf(entry(9))).messages).to.have.length(3)
    expect(withState(taken, 'm9', 'custody').messages.at(-1)!.state).to.equal('custody')
    const again = withNewest(taken, {
      messages: [...entries(0, 2), entry(9, { direction: 'out', state: 'custody' })],
      more: false,
    })
    expect(again.messages.at(-1), 'no new row for the browser').to.include({ key: 'k1', state: 'custody' })
  })

  it('an answer that was lost shows as not sent; sent again it stands there once', () => {
    let thread = withSending(emptyThread('bob'), SENDING)
    thread = withUnsent(thread, 'k1', 'the node has gone')
    expect(thread.messages[0]).to.include({ state: 'unsent', reason: 'the node has gone' })
    // the node had taken it: it comes with the newest page
    thread = withNewest(thread, { messages: [entry(3, { direction: 'out' })], more: false })
    expect(thread.messages.map(({ state }) => state)).to.deep.equal(['delivered', 'unsent'])
    thread = withRetry(thread, 'k1')
    expect(thread.messages[1]).to.include({ state: 'sending', reason: undefined })
    thread = withTaken(thread, 'k1', { messageId: 'm3', state: 'queued' })
    expect(ids(thread)).to.deep.equal(['m3'])
  })

  it('only what was never sent can be discarded', () => {
    let thread = withSending(withSending(emptyThread('bob'), SENDING), { ...SENDING, key: 'k2' })
    thread = withTaken(thread, 'k1', { messageId: 'm1', state: 'queued' })
    thread = withoutUnsent(withoutUnsent(thread, 'k1'), 'k2')
    expect(ids(thread)).to.deep.equal(['m1'])
  })

  it('a message from a friend stands in front of own ones that wait, and so does a newer page', () => {
    const waiting = withSending(emptyThread('bob'), SENDING)
    expect(ids(withNewer(waiting, { messages: entries(6, 7), more: false }))).to.deep.equal(['m6', undefined])
    const thread = withArrived(withSending(emptyThread('bob'), SENDING), shownOf(entry(5)))
    expect(thread.messages.map(({ key }) => key)).to.deep.equal(['m5', 'k1'])
  })

  it('a found message comes with both sides', () => {
    const thread = around(
      { ...entry(5), id: 'bob' },
      { messages: entries(3, 5), more: true },
      { messages: entries(6, 8), more: true },
    )
    expect(ids(thread)).to.deep.equal(['m3', 'm4', 'm5', 'm6', 'm7'])
    expect(thread).to.include({ found: 'm5', hasOlder: true, hasNewer: true })
  })

  it('whatever pages come, no message stands there twice and the window is bounded', () => {
    const page = fc
      .tuple(fc.constantFrom('newest', 'older', 'newer', 'arrived'), fc.nat(500), fc.nat(60))
      .map(([kind, from, length]) => ({ kind, page: { messages: entries(from, from + length), more: true } }))
    fc.assert(
      fc.property(fc.array(page, { maxLength: 20 }), (steps) => {
        let thread = emptyThread('bob')
        for (const { kind, page: told } of steps) {
          if (kind === 'newest') thread = withNewest(thread, told)
          else if (kind === 'older') thread = withOlder(thread, told)
          else if (kind === 'newer') thread = withNewer(thread, told)
          else for (const message of told.messages) thread = withArrived(thread, shownOf(message))
          expect(new Set(ids(thread)).size).to.equal(thread.messages.length)
          expect(thread.messages.length).to.be.at.most(MAX_WINDOW)
        }
      }),
    )
  })
})
