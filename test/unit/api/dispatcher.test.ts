/** Who may call what: each method against each scope, and callers that are limited to one conversation. */
import { expect } from 'chai'
import { type Caller, EVERYTHING, type Scope, SCOPES } from '../../../node/api/caller.ts'
import { type Answer, Dispatcher } from '../../../node/api/dispatcher.ts'
import { findMethod, METHODS, type MethodName } from '../../../node/api/methods.ts'
import type { NodeEvent } from '../../../node/api/service.ts'
import { BOB, FakeNode } from '../../support/fake-node.ts'

const NAMES = Object.keys(METHODS) as MethodName[]

function withScopes(scopes: Iterable<Scope>, conversation?: string): Caller {
  return { scopes: new Set(scopes), ...(conversation !== undefined && { conversation }) }
}

describe('the dispatcher', () => {
  let node: FakeNode
  let dispatcher: Dispatcher

  beforeEach(() => {
    node = new FakeNode()
    node.befriend('bob')
    node.befriend('carol')
    dispatcher = new Dispatcher({ service: node, role: 'node' })
  })

  async function call(caller: Caller, method: string, params: unknown): Promise<Answer> {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const subscriptions = { subscribe: () => 1, unsubscribe: () => true }
    return (await dispatcher.answer(text, { caller, ...subscriptions })) as Answer
  }

  async function codeOf(caller: Caller, method: string, params: unknown): Promise<string | undefined> {
    return (await call(caller, method, params)).error?.data?.code
  }

  for (const name of NAMES) {
    const { scope, example } = METHODS[name]

    it(`T46 ${name} is refused to a caller without the scope ${scope}, before anything is done`, async () => {
      const others = SCOPES.filter((one) => one !== scope)
      const code = await codeOf(withScopes(others), name, { surprise: 1 })
      expect(code).to.equal(scope === 'none' ? 'INVALID_PARAMS' : 'FORBIDDEN')
      expect(await codeOf(withScopes(scope === 'none' ? [] : [scope]), name, example)).to.not.equal('FORBIDDEN')
    })

    it(`T46 ${name} is refused to a caller of one conversation, unless the table opens it`, async () => {
      const code = await codeOf(withScopes(SCOPES, BOB), name, { surprise: 1 })
      expect(code).to.equal(findMethod(name)!.limited === true ? 'INVALID_PARAMS' : 'FORBIDDEN')
    })
  }

  it('the person at the machine may call everything', async () => {
    for (const name of NAMES) expect(await codeOf(EVERYTHING, name, { surprise: 1 })).to.not.equal('FORBIDDEN')
  })

  describe('for one conversation', () => {
    const bobs = withScopes(SCOPES, BOB)

    it('T46 shows that friend alone', async () => {
      const { result } = await call(bobs, 'friend.list', {})
      expect((result as { id: string }[]).map(({ id }) => id)).to.deep.equal([BOB])
    })

    it('T46 sends to that friend alone, by any name of theirs', async () => {
      for (const who of ['bob', BOB, 'kith1b'])
        expect(await codeOf(bobs, 'message.send', { who, text: 'a' })).to.equal(undefined)
      expect(await codeOf(bobs, 'message.send', { who: 'carol', text: 'a' })).to.equal('FORBIDDEN')
      expect(await codeOf(bobs, 'message.send', { who: 'kith1carol', text: 'a' })).to.equal('FORBIDDEN')
      expect(await codeOf(bobs, 'message.send', { who: 'nobody', text: 'a' })).to.equal('FORBIDDEN')
      expect(node.messages.map(({ conversation }) => conversation)).to.deep.equal([BOB, BOB, BOB])
    })

    it('T46 reads the history and the ways of that conversation alone', async () => {
      const theirs = node.receive('bob', 'for the bot')
      const others = node.receive('carol', 'private')
      expect(await codeOf(bobs, 'history.list', { who: 'bob' })).to.equal(undefined)
      expect(await codeOf(bobs, 'history.list', { who: 'carol' })).to.equal('FORBIDDEN')
      for (const method of ['message.trace', 'message.wait'] as const) {
        const rest = method === 'message.wait' ? { state: 'sent', timeoutSeconds: 0 } : {}
        expect(await codeOf(bobs, method, { messageId: theirs.messageId, ...rest })).to.equal(undefined)
        expect(await codeOf(bobs, method, { messageId: others.messageId, ...rest })).to.equal('FORBIDDEN')
        expect(await codeOf(bobs, method, { messageId: 'm99', ...rest })).to.equal('FORBIDDEN')
      }
    })

    it('T46 sees and moves consumers of that conversation alone', async () => {
      await node.openConsumer('echo', 0)
      await call(bobs, 'events.since', { consumer: 'echo' })
      node.emit('message', { from: BOB })
      await call(bobs, 'events.ack', { consumer: 'echo', cursor: 1 })
      expect((await node.consumers()).find(({ consumer }) => consumer === 'echo')!.cursor).to.equal(0)
      const own = (await call(bobs, 'events.consumers', {})).result as { consumer: string; cursor: number }[]
      expect(own.map(({ consumer, cursor }) => [consumer, cursor])).to.deep.equal([['echo', 1]])
      await call(bobs, 'events.forget', { consumer: 'echo' })
      expect(await node.consumers()).to.have.length(1)
    })

    it('T46 sees the events of that conversation alone, however many lie between', async () => {
      node.emit('message', { from: BOB, text: 'first' })
      for (let i = 0; i < 1200; i++) node.emit('message', { from: 'kith1carol', text: 'private' })
      node.emit('relay', { state: 'lost' })
      node.emit('state', { messageId: 'm1', to: BOB, state: 'delivered' })
      node.emit('contact', { id: BOB, state: 'friend' })
      const { result } = await call(bobs, 'events.since', { since: 0, limit: 2 })
      const first = result as { events: NodeEvent[]; cursor: number }
      expect(first.events.map(({ event }) => event)).to.deep.equal(['message', 'state'])
      const next = (await call(bobs, 'events.since', { since: first.cursor })).result as { events: NodeEvent[] }
      expect(next.events.map(({ event }) => event)).to.deep.equal(['contact'])
    })
  })
})
