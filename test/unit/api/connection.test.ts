/** One connection of the API, byte by byte: JSON-RPC 2.0, bounds, answers and events that never mix. */
import { duplexPair, type Duplex } from 'node:stream'
import { expect } from 'chai'
import { ApiConnection } from '../../../node/api/connection.ts'
import { Dispatcher } from '../../../node/api/dispatcher.ts'
import { LineSplitter } from '../../../node/api/line-splitter.ts'
import { MAX_API_PENDING, MAX_API_QUEUE, MAX_API_REQUEST_BYTES, MAX_API_SUBSCRIPTIONS } from '../../../node/limits.ts'
import { FakeNode } from '../../support/fake-node.ts'
import { until } from '../../support/until.ts'

type Message = Record<string, unknown> & {
  id?: unknown
  method?: string
  params?: { cursor: number; subscription: number; from?: number }
  error?: { code: number; message: string; data: { code: string } }
  result?: Record<string, unknown>
}

class Caller {
  readonly service = new FakeNode()
  readonly stream: Duplex
  /** The node's end. */
  readonly served: Duplex
  readonly bugs: unknown[] = []
  readonly connection: ApiConnection
  ended = false
  readonly #received: Message[] = []
  #wake: () => void = () => undefined

  constructor(role: 'node' | 'relay' = 'node') {
    const [ours, theirs] = duplexPair()
    this.stream = ours
    this.served = theirs
    const splitter = new LineSplitter(100_000_000)
    ours.on('data', (chunk: Buffer) => {
      this.#received.push(...splitter.push(chunk).map((line) => JSON.parse(line) as Message))
      this.#wake()
    })
    ours.on('end', () => {
      this.ended = true
      this.#wake()
    })
    const onBug = (error: unknown): void => void this.bugs.push(error)
    this.connection = new ApiConnection({
      stream: theirs,
      dispatcher: new Dispatcher({ service: this.service, role, onBug }),
    })
  }

  raw(text: string): void {
    this.stream.write(text)
  }

  request(id: unknown, method: string, params?: unknown): void {
    this.raw(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
  }

  async next(): Promise<Message> {
    while (this.#received.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.#received.shift()!
  }

  async take(count: number): Promise<Message[]> {
    const messages: Message[] = []
    while (messages.length < count) messages.push(await this.next())
    return messages
  }

  get waiting(): number {
    return this.#received.length
  }
}

describe('a connection of the API', () => {
  it('answers a request by its id', async () => {
    const caller = new Caller()
    caller.request('a', 'rpc.hello')
    expect(await caller.next()).to.deep.equal({
      jsonrpc: '2.0',
      id: 'a',
      result: { api: 1, role: 'node', transient: false },
    })
  })

  const wrong: [string, string, number, string][] = [
    ['what is not JSON', '{', -32700, 'PARSE'],
    ['a number', '1', -32600, 'INVALID_REQUEST'],
    ['another version', '{"jsonrpc":"1.0","id":1,"method":"rpc.hello"}', -32600, 'INVALID_REQUEST'],
    ['parameters by position', '{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":[]}', -32600, 'INVALID_REQUEST'],
    ['an empty batch', '[]', -32600, 'INVALID_REQUEST'],
    ['a batch too long', JSON.stringify(Array.from({ length: 65 }, () => 1)), -32600, 'INVALID_REQUEST'],
    ['a method that is none', '{"jsonrpc":"2.0","id":1,"method":"nope"}', -32601, 'UNKNOWN_METHOD'],
    ['a name of objects', '{"jsonrpc":"2.0","id":1,"method":"constructor"}', -32601, 'UNKNOWN_METHOD'],
    ['a missing parameter', '{"jsonrpc":"2.0","id":1,"method":"message.send"}', -32602, 'INVALID_PARAMS'],
    [
      'a parameter too many',
      '{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"surprise":1}}',
      -32602,
      'INVALID_PARAMS',
    ],
    ['a relay’s method at a node', '{"jsonrpc":"2.0","id":1,"method":"relay.counters"}', -32000, 'WRONG_ROLE'],
  ]
  for (const [name, line, code, text] of wrong) {
    it(`refuses ${name} and goes on`, async () => {
      const caller = new Caller()
      caller.raw(`${line}\n`)
      const { error } = await caller.next()
      expect([error!.code, error!.data.code]).to.deep.equal([code, text])
      caller.request(2, 'rpc.hello')
      expect((await caller.next()).id).to.equal(2)
    })
  }

  it('a relay has no friends', async () => {
    const caller = new Caller('relay')
    caller.request(1, 'friend.list')
    expect((await caller.next()).error!.message).to.equal('friend.list needs a node, this is a relay')
  })

  it('carries an error of the node with its code and hint', async () => {
    const caller = new Caller()
    caller.request(1, 'message.send', { who: 'nobody', text: 'x' })
    const { error } = await caller.next()
    expect(error).to.deep.equal({
      code: -32000,
      message: 'nobody is called nobody',
      data: { code: 'UNKNOWN_FRIEND', hint: 'see kith friends' },
    })
    expect(caller.bugs).to.deep.equal([])
  })

  it('tells nothing of a bug of ours, and tells it to the log', async () => {
    const caller = new Caller()
    const bug = new Error('a secret')
    caller.service.addError = bug
    caller.request(1, 'friend.add', { target: 'x' })
    expect((await caller.next()).error!.message).to.equal('internal error')
    expect(caller.bugs).to.deep.equal([bug])
  })

  it('does a notification without an answer', async () => {
    const caller = new Caller()
    caller.service.befriend('bob')
    caller.raw('{"jsonrpc":"2.0","method":"message.send","params":{"who":"bob","text":"quiet"}}\n')
    caller.request(1, 'rpc.hello')
    expect((await caller.next()).id).to.equal(1)
    expect(caller.service.messages.map(({ text }) => text)).to.deep.equal(['quiet'])
  })

  it('answers a batch in one line', async () => {
    const caller = new Caller()
    const request = { jsonrpc: '2.0', method: 'rpc.hello' }
    caller.raw(`${JSON.stringify([{ ...request, id: 1 }, request, { ...request, id: 2 }, 3])}\n`)
    const answers = (await caller.next()) as unknown as Message[]
    expect(answers.map(({ id }) => id)).to.deep.equal([1, 2, null])
  })

  it('ends after the first byte of a line that is too long', async () => {
    const caller = new Caller()
    caller.raw('x'.repeat(MAX_API_REQUEST_BYTES + 1))
    expect((await caller.next()).error!.code).to.equal(-32600)
    await until(() => caller.ended)
  })

  it('answers what was asked before the asking side closed', async () => {
    const caller = new Caller()
    caller.request(1, 'rpc.hello')
    caller.request(2, 'node.status')
    caller.stream.end()
    expect((await caller.take(2)).map(({ id }) => id)).to.deep.equal([1, 2])
    await until(() => caller.ended)
  })

  it('reads no further while too many requests are worked on, and loses none', async () => {
    const caller = new Caller()
    const { service } = caller
    service.befriend('bob')
    await service.send('bob', 'x')
    const { promise, resolve: release } = Promise.withResolvers<void>()
    service.waiting = promise
    const total = 3 * MAX_API_PENDING
    for (let id = 1; id <= total; id++) {
      caller.request(id, 'message.wait', { messageId: 'm1', state: 'custody', timeoutSeconds: 60 })
    }
    caller.request('last', 'message.send', { who: 'bob', text: 'after' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(service.messages.length).to.equal(1)
    release()
    const ids = (await caller.take(total + 1)).map(({ id }) => id)
    expect(ids).to.include('last')
    expect(new Set(ids).size).to.equal(total + 1)
  })

  it('starts requests in the order in which they came', async () => {
    const caller = new Caller()
    caller.service.befriend('bob')
    for (let id = 0; id < 200; id++) caller.request(id, 'message.send', { who: 'bob', text: String(id) })
    await caller.take(200)
    expect(caller.service.messages.map(({ text }) => Number(text))).to.deep.equal(
      Array.from({ length: 200 }, (_, i) => i),
    )
  })
})

describe('a subscription', () => {
  it('tells the past, then what comes, each once and in order', async () => {
    const caller = new Caller()
    for (let i = 0; i < 250; i++) caller.service.emit('message')
    caller.request(1, 'events.subscribe', { since: 3 })
    expect((await caller.next()).result).to.deep.equal({ subscription: 1, cursor: 3 })
    const past = await caller.take(100)
    for (let i = 0; i < 50; i++) caller.service.emit('message')
    const rest = await caller.take(197)
    expect(cursors([...past, ...rest])).to.deep.equal(range(4, 300))
  })

  it('without a cursor begins now', async () => {
    const caller = new Caller()
    caller.service.emit('message')
    caller.request(1, 'events.subscribe')
    expect((await caller.next()).result!.cursor).to.equal(1)
    caller.service.emit('state')
    expect((await caller.next()).params!.cursor).to.equal(2)
  })

  it('reads the log again when the subscriber was slow, holds little, and loses nothing', async () => {
    const caller = new Caller()
    caller.request(1, 'events.subscribe', { since: 0 })
    await caller.next()
    caller.service.emit('message')
    await caller.next()
    caller.stream.pause()
    const before = caller.service.logReads
    const total = 20 * MAX_API_QUEUE
    for (let i = 0; i < total; i++) {
      caller.service.emit('message', { text: 'x'.repeat(100) })
      if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(caller.waiting).to.be.lessThan(total)
    caller.stream.resume()
    expect(cursors(await caller.take(total))).to.deep.equal(range(2, total + 1))
    expect(caller.service.logReads).to.be.greaterThan(before)
  })

  it('tells only what is wanted, and a consumer where it was', async () => {
    const caller = new Caller()
    caller.request(1, 'events.subscribe', { consumer: 'echo', kinds: ['message'] })
    await caller.next()
    for (const kind of ['state', 'message', 'read', 'message']) caller.service.emit(kind)
    expect(cursors(await caller.take(2))).to.deep.equal([2, 4])
    caller.request(2, 'events.ack', { consumer: 'echo', cursor: 2 })
    expect((await caller.next()).result).to.deep.equal({ consumer: 'echo', cursor: 2 })
    caller.request(3, 'events.subscribe', { consumer: 'echo' })
    expect((await caller.next()).result).to.deep.equal({ subscription: 2, cursor: 2 })
    expect(cursors(await caller.take(2))).to.deep.equal([3, 4])
  })

  it('says what the log has dropped', async () => {
    const caller = new Caller()
    for (let i = 0; i < 10; i++) caller.service.emit('message')
    caller.service.log.splice(0, 6)
    caller.request(1, 'events.subscribe', { since: 2 })
    const [, lagged, first] = await caller.take(3)
    expect(lagged).to.deep.equal({
      jsonrpc: '2.0',
      method: 'events.lagged',
      params: { subscription: 1, from: 3, to: 6 },
    })
    expect(first!.params!.cursor).to.equal(7)
  })

  it('several stay apart, and an ended one is silent', async () => {
    const caller = new Caller()
    caller.request(1, 'events.subscribe')
    caller.request(2, 'events.subscribe')
    await caller.take(2)
    caller.service.emit('message')
    expect((await caller.take(2)).map(({ params }) => params!.subscription)).to.have.members([1, 2])
    caller.request(3, 'events.unsubscribe', { subscription: 1 })
    expect((await caller.next()).result).to.deep.equal({ ended: true })
    caller.service.emit('message')
    expect((await caller.next()).params!.subscription).to.equal(2)
    caller.request(4, 'events.unsubscribe', { subscription: 1 })
    expect((await caller.next()).result).to.deep.equal({ ended: false })
  })

  it('there are only so many, and none is left when the connection ends', async () => {
    const caller = new Caller()
    for (let id = 0; id <= MAX_API_SUBSCRIPTIONS; id++) caller.request(id, 'events.subscribe')
    const answers = await caller.take(MAX_API_SUBSCRIPTIONS + 1)
    expect(answers.filter(({ error }) => error?.data.code === 'TOO_MANY')).to.have.length(1)
    expect(caller.service.listeners).to.equal(MAX_API_SUBSCRIPTIONS)
    caller.served.destroy()
    await until(() => caller.service.listeners === 0)
  })

  it('events and answers never share a line, whatever is asked meanwhile', async () => {
    const caller = new Caller()
    caller.request('s', 'events.subscribe')
    await caller.next()
    for (let i = 0; i < 100; i++) {
      caller.request(i, 'node.status')
      caller.service.emit('message')
    }
    const messages = await caller.take(200)
    expect(messages.filter(({ method }) => method === 'event')).to.have.length(100)
    expect(messages.filter(({ result }) => result !== undefined).map(({ id }) => id)).to.deep.equal(range(0, 99))
  })
})

function cursors(messages: Message[]): number[] {
  return messages.map(({ params }) => params!.cursor)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
