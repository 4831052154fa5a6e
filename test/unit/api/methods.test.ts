/** The method table: every method answers in the shape that it promises. */
import { expect } from 'chai'
import type { z } from 'zod'
import { readEventPage, wantsKinds } from '../../../node/api/event-page.ts'
import { type CallContext, findMethod, type Method, type MethodName, METHODS } from '../../../node/api/methods.ts'
import type { pageShape } from '../../../node/api/views.ts'
import { MAX_HISTORY_PAGE_BYTES, MAX_PREVIEW_CHARACTERS } from '../../../node/limits.ts'
import { FakeNode, WORDS } from '../../support/fake-node.ts'

function contextOf(service: FakeNode): CallContext {
  return {
    service,
    role: 'node',
    transient: false,
    events: ({ since, limit, kinds }) => readEventPage(service, { since, limit, wants: wantsKinds(kinds) }),
    subscribe: () => 1,
    unsubscribe: () => true,
    settings: { list: async () => [SETTING], set: async () => SETTING },
    openPage: async () => 'http://127.0.0.1:1',
  }
}

const SETTING = { key: 'logLevel', value: 'debug', origin: 'file', description: '', restart: true } as const

async function call(service: FakeNode, name: string, params: unknown): Promise<unknown> {
  const method = findMethod(name)!
  return method.result.parse(await method.run(contextOf(service), method.params.parse(params)))
}

/** Examples of the table where they name what the fake node does not have. */
const HERE: Partial<Record<MethodName, unknown>> = {
  'identity.rotate': { words: WORDS },
  'invite.revoke': { inviteId: 'i1' },
  'friend.block': { who: 'bob' },
  'message.wait': { messageId: 'm1', state: 'custody', timeoutSeconds: 1 },
  'message.trace': { messageId: 'm1' },
  'conversation.read': { who: 'bob', upTo: 'm1' },
  'token.revoke': { tokenId: 't1' },
}

async function livedIn(): Promise<FakeNode> {
  const service = new FakeNode()
  service.befriend('bob')
  service.knock('dave', 'hello')
  service.receive('bob', 'hi')
  service.emit('message', { messageId: 'm1', receivedAt: 0 })
  await service.createToken({ name: 'bot', scopes: ['read'] }, 'secret')
  await service.createInvite({ lifetimeSeconds: 60, uses: 1 })
  await service.openConsumer('echo')
  return service
}

describe('the method table', () => {
  for (const [name, { example, params: shape }] of Object.entries<Method>(METHODS)) {
    it(`${name} answers in its shape, and takes its example`, async () => {
      expect(shape.safeParse(example).success).to.equal(true)
      await call(await livedIn(), name, HERE[name as MethodName] ?? example)
    })

    it(`${name} refuses what it does not know`, () => {
      const params2 = { ...(example as object), surprise: 1 }
      expect(findMethod(name)!.params.safeParse(params2).success).to.equal(false)
    })
  }

  it('names of objects are no methods', () => {
    for (const name of ['constructor', '__proto__', 'toString', '']) expect(findMethod(name)).to.equal(undefined)
  })

  it('tells times in ISO 8601, also those that no calendar has', async () => {
    const service = new FakeNode()
    service.emit('message', { sentAt: 0, readAt: Number.MAX_SAFE_INTEGER, at: 5, count: 7 })
    const answer = (await call(service, 'events.since', { since: 0 })) as { events: { detail: unknown; at: string }[] }
    expect(answer.events[0]!.at).to.equal('2026-11-21T09:56:00.000Z')
    expect(answer.events[0]!.detail).to.deep.equal({
      sentAt: '1970-01-01T00:00:00.000Z',
      readAt: '9999-12-31T23:59:59.999Z',
      at: 5,
      count: 7,
    })
  })

  it('refuses text that is no Unicode', () => {
    expect(METHODS['message.send'].params.safeParse({ who: 'bob', text: '\ud800' }).success).to.equal(false)
  })

  it('pages before a message or after one, never both', async () => {
    const service = await livedIn()
    const answer = call(service, 'history.list', { who: 'bob', before: 'm1', after: 'm1' })
    expect(await answer.catch((error: unknown) => (error as { code: string }).code)).to.equal('INVALID_PARAMS')
  })

  it('a page after a message ends at its bound in bytes with the oldest', async () => {
    const service = new FakeNode()
    service.befriend('bob')
    for (let i = 0; i < 100; i++) service.receive('bob', 'x'.repeat(60_000))
    const params = { who: 'bob', limit: 100, after: 'm1' }
    const answer = (await call(service, 'history.list', params)) as z.output<typeof pageShape>
    expect([answer.more, answer.messages[0]!.messageId]).to.deep.equal([true, 'm2'])
    expect(answer.messages.length).to.equal(Math.ceil(MAX_HISTORY_PAGE_BYTES / 60_000))
  })

  it('the list of conversations shows the beginning of a long text, in whole characters', async () => {
    const service = new FakeNode()
    service.befriend('bob')
    service.receive('bob', `a${'🌍'.repeat(1000)}`)
    const { conversations } = (await call(service, 'conversation.list', {})) as {
      conversations: { last: { text: string } }[]
    }
    expect(conversations[0]!.last.text).to.equal(`a${'🌍'.repeat(MAX_PREVIEW_CHARACTERS - 1)}`)
  })

  it('a page of history ends at its bound in bytes and says that there is more', async () => {
    const service = new FakeNode()
    service.befriend('bob')
    const text = 'x'.repeat(60_000)
    for (let i = 0; i < 100; i++) service.receive('bob', text)
    const answer = (await call(service, 'history.list', { who: 'bob', limit: 100 })) as {
      messages: { messageId: string }[]
      more: boolean
    }
    expect(answer.more).to.equal(true)
    expect(answer.messages.at(-1)!.messageId).to.equal('m100')
    expect(answer.messages.length).to.equal(Math.ceil(MAX_HISTORY_PAGE_BYTES / 60_000))
  })
})
