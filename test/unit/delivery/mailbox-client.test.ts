import { expect } from 'chai'
import { sign } from '../../../node/crypto/ed25519.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode, type Shape } from '../../../node/wire/schema.ts'
import { DAY, member, seedKeys, testCid, testCopy, testMailbox, testServer } from '../../support/custody-fixtures.ts'
import { settle } from '../../support/manual-clock.ts'
import { rejection } from '../../support/rejection.ts'

const { STATUS, VERB } = wire
const serverSeed = seedKeys('transport server').seed

type Label = Parameters<typeof sign>[1]

/** A claimed mailbox at an honest server, whose answers the test can change. */
async function setUp(init: Parameters<typeof testServer>[0] = {}) {
  const server = await testServer(init)
  const mailbox = testMailbox('a')
  const alice = member(server, mailbox)
  await alice.claim()
  return { server, mailbox, alice, link: alice.client.link }
}

function verbOf(frame: Uint8Array): number {
  return decode(wire.request, frame, MAX_FRAME_BYTES).verb
}

/** Lets a server lie about what it signs: `change` makes another body, signed by `seed`. */
function lying<T>(shape: Shape<T>, label: Label, change: (value: T) => T, seed = serverSeed) {
  return (frame: Uint8Array): Uint8Array => {
    const answer = decode(wire.answer, frame, MAX_FRAME_BYTES)
    const signed = decode(wire.signedBody, answer.body, MAX_FRAME_BYTES)
    const body = encode(shape, change(decode(shape, signed.body, MAX_FRAME_BYTES)))
    return encode(wire.answer, {
      ...answer,
      body: encode(wire.signedBody, { body, signature: sign(seed, label, body) }),
    })
  }
}

function answering(status: number, body: Uint8Array = new Uint8Array(0), retryAfter?: number) {
  return (): Uint8Array => encode(wire.answer, { status, body, retryAfter })
}

async function changedHello(change: (said: wire.HelloAnswer) => wire.HelloAnswer): Promise<unknown> {
  const server = await testServer()
  const client = server.client()
  client.link.tamper = (frame) => {
    const answer = decode(wire.answer, frame, MAX_FRAME_BYTES)
    const said = change(decode(wire.helloAnswer, answer.body, MAX_FRAME_BYTES))
    return encode(wire.answer, { ...answer, body: encode(wire.helloAnswer, said) })
  }
  return code(client.hello())
}

/** A server that says this of the one copy it is asked for. */
function claiming(states: number[], proofs: Uint8Array[]) {
  return lying(wire.statAnswer, 'statAnswer', (said) => ({ ...said, states, proofs }))
}

async function code(promise: Promise<unknown>): Promise<unknown> {
  return ((await rejection(promise)) as { code?: string }).code
}

describe('mailbox client', () => {
  it('says HELLO once for all its commands, and again after ten minutes', async () => {
    const { server, alice, link } = await setUp()
    await Promise.all(['one', 'two', 'three'].map((name) => alice.put(name)))
    const hellos = (): number => link.frames.filter((frame) => verbOf(frame) === VERB.hello).length
    expect(hellos()).to.equal(1)
    await server.clock.advance(600_000)
    await Promise.all(['four', 'five'].map((name) => alice.put(name)))
    expect(hellos()).to.equal(2)
  })

  it('goes on by itself, once, when the server no longer accepts its challenge', async () => {
    const { alice, link } = await setUp()
    const stale = answering(STATUS.challenge)
    let refused = 0
    link.tamper = (answer, frame) => (verbOf(frame) === VERB.put && refused++ < 3 ? stale() : answer)
    const before = link.frames.length
    const puts = await Promise.all(['one', 'two', 'three'].map((name) => alice.put(name)))
    expect(puts.map(({ status }) => status)).to.deep.equal(['stored', 'stored', 'stored'])
    expect(link.frames.slice(before).filter((frame) => verbOf(frame) === VERB.hello)).to.have.length(1)
    link.tamper = (answer, frame) => (verbOf(frame) === VERB.put ? stale() : answer)
    expect(await code(alice.put('four'))).to.equal('NONSENSE')
  })

  it('pays again when the price has risen', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const first = member(server, mailbox)
    await first.client.hello()
    const dear = await server.restart({ policy: { claimBits: 9 } })
    // The old stream is closed; the same client goes on as if its server had only changed its policy.
    const stream = dear.stream()
    first.client.link.call = (frame) => stream.handle(frame)
    expect((await first.claim()).status).to.equal('claimed')
  })

  it('gives up after its timeout, but lets PULL wait', async () => {
    const { server, mailbox, alice, link } = await setUp()
    await alice.client.subscribe({ entries: [{ address: mailbox.address, after: 0 }] })
    let pulled = false
    const pull = rejection(alice.client.pull()).finally(() => {
      pulled = true
    })
    link.silent = true
    const put = code(alice.put('one'))
    await settle()
    await server.clock.advance(9999)
    expect(server.clock.pending, 'the sweep and the timeout').to.equal(2)
    await server.clock.advance(1)
    expect(await put).to.equal('TIMED_OUT')
    await server.clock.advance(DAY * 1000)
    expect(pulled).to.equal(false)
    alice.client.close()
    expect(await pull).to.have.property('code', 'LINK_CLOSED')
    expect(await code(alice.client.hello())).to.equal('LINK_CLOSED')
  })

  it('hands every refusal on, with the time to wait', async () => {
    const { alice, link } = await setUp()
    const cases: [number, object][] = [
      [STATUS.full, { status: 'full', retryAfterSeconds: 77 }],
      [STATUS.busy, { status: 'busy', retryAfterSeconds: 77 }],
      [STATUS.unclaimed, { status: 'unclaimed' }],
      [STATUS.released, { status: 'released' }],
      [STATUS.refused, { status: 'refused' }],
      [STATUS.unsupported, { status: 'unsupported' }],
    ]
    for (const [status, expected] of cases) {
      link.tamper = answering(status, undefined, 77)
      expect(await alice.put('one')).to.deep.equal(expected)
      expect(await alice.fetch()).to.deep.equal(expected)
    }
    link.tamper = answering(STATUS.full)
    expect(await alice.put('one')).to.deep.equal({ status: 'full', retryAfterSeconds: 60 })
    for (const status of [STATUS.malformed, STATUS.absent, 99]) {
      link.tamper = answering(status)
      expect(await code(alice.put('one'))).to.equal('NONSENSE')
    }
  })

  it("refuses a policy that the server's own key did not sign", async () => {
    const repoliced = (change: Partial<wire.Policy>, seed = serverSeed) =>
      changedHello((said) => {
        const policy = encode(wire.policy, { ...decode(wire.policy, said.policy, 1024), ...change })
        return { ...said, policy, signature: sign(seed, 'policy', policy) }
      })
    expect(await changedHello((said) => ({ ...said, signature: new Uint8Array(64) }))).to.equal('BAD_SIGNATURE')
    expect(await repoliced({ maxDays: 1 }, seedKeys('other').seed)).to.equal('BAD_SIGNATURE')
    expect(await repoliced({ server: new Uint8Array(38) })).to.equal('NONSENSE')
    expect(await repoliced({ version: 2 })).to.equal('VERSION')
  })

  it('refuses a receipt for another copy, address or server, or by another key', async () => {
    const { alice, link } = await setUp()
    const wrong = new Uint8Array(32)
    for (const change of [{ cid: wrong }, { address: wrong }, { server: new Uint8Array(38) }]) {
      link.tamper = lying(wire.putReceipt, 'putReceipt', (receipt) => ({ ...receipt, ...change }))
      expect(await code(alice.put('one'))).to.equal('NONSENSE')
    }
    link.tamper = lying(wire.putReceipt, 'putReceipt', (receipt) => receipt, seedKeys('other').seed)
    expect(await code(alice.put('one'))).to.equal('BAD_SIGNATURE')
    link.tamper = lying(wire.putReceipt, 'statAnswer', (receipt) => receipt)
    expect(await code(alice.put('one'))).to.equal('BAD_SIGNATURE')
    link.tamper = lying(wire.putReceipt, 'putReceipt', (receipt) => receipt)
    expect((await alice.put('one')).status).to.equal('stored')
  })

  it('refuses a STAT answer for something else', async () => {
    const { alice, link } = await setUp()
    await alice.put('one')
    const wrong = new Uint8Array(32)
    for (const change of [
      { cids: [wrong] },
      { address: wrong },
      { server: new Uint8Array(38) },
      { states: [1, 1] },
      { cids: [testCid('one'), testCid('one')], states: [1, 1] },
    ]) {
      link.tamper = lying(wire.statAnswer, 'statAnswer', (said) => ({ ...said, ...change }))
      expect(await code(alice.stat('one'))).to.equal('NONSENSE')
    }
  })

  it("believes acknowledged and released only with the reader's own word for this copy at this server", async () => {
    const { server, mailbox, alice, link } = await setUp()
    await alice.put('one')
    const words = (
      verb: wire.Verb,
      args: Uint8Array,
      seed = mailbox.reader.seed,
      at: Uint8Array = server.peerId,
    ): Uint8Array => {
      const command = wire.signedCommand(verb, at, new Uint8Array(32), args)
      return encode(wire.proof, { command, signature: sign(seed, 'command', command) })
    }
    const ack = (name: string, address = mailbox.address): Uint8Array =>
      encode(wire.acknowledgeArgs, { address, cids: [testCid(name)] })
    const release = encode(wire.releaseArgs, { address: mailbox.address })
    const attempt = async (states: number[], proofs: Uint8Array[]): Promise<unknown> => {
      link.tamper = claiming(states, proofs)
      return code(alice.stat('one'))
    }
    const { acknowledged, released } = wire.COPY_STATE
    expect(await attempt([acknowledged], [])).to.equal('UNPROVEN')
    expect(await attempt([released], [])).to.equal('UNPROVEN')
    expect(await attempt([acknowledged], [words(VERB.acknowledge, ack('two'))])).to.equal('UNPROVEN')
    expect(await attempt([acknowledged], [words(VERB.acknowledge, ack('one', testMailbox('b').address))])).to.equal(
      'UNPROVEN',
    )
    expect(
      await attempt([acknowledged], [words(VERB.acknowledge, ack('one'), undefined, new Uint8Array(38))]),
    ).to.equal('UNPROVEN')
    expect(await attempt([released], [words(VERB.acknowledge, ack('one'))])).to.equal('UNPROVEN')
    expect(await attempt([acknowledged], [words(VERB.release, release)])).to.equal('UNPROVEN')
    expect(await attempt([acknowledged], [words(VERB.acknowledge, ack('one'), serverSeed)])).to.equal('BAD_SIGNATURE')

    link.tamper = claiming([acknowledged], [words(VERB.acknowledge, ack('one'))])
    expect(await alice.stat('one')).to.have.deep.property('states', ['acknowledged'])
    link.tamper = claiming([released], [words(VERB.release, release)])
    expect(await alice.stat('one')).to.have.deep.property('states', ['released'])
  })

  it("believes that a PUT was acknowledged only with the reader's word", async () => {
    const { alice, link } = await setUp()
    await alice.put('one')
    await alice.acknowledge('one')
    link.tamper = lying(wire.statAnswer, 'statAnswer', (said) => ({ ...said, proofs: [] }))
    expect(await code(alice.put('one'))).to.equal('UNPROVEN')
    link.tamper = lying(wire.statAnswer, 'statAnswer', (said) => ({ ...said, states: [1] }))
    expect(await code(alice.put('one'))).to.equal('NONSENSE')
    link.tamper = undefined
    expect((await alice.put('one')).status).to.equal('acknowledged')
  })

  it('drops mail for addresses that it did not ask for', async () => {
    const { server, mailbox, alice, link } = await setUp()
    await alice.put('one')
    link.tamper = (frame) => {
      const answer = decode(wire.answer, frame, MAX_FRAME_BYTES)
      const said = decode(wire.readAnswer, answer.body, MAX_FRAME_BYTES)
      const planted = { address: testMailbox('b').address, position: 1, copy: testCopy('planted') }
      return encode(wire.answer, {
        ...answer,
        body: encode(wire.readAnswer, { ...said, items: [planted, ...said.items] }),
      })
    }
    const read = await alice.fetch()
    expect(read).to.have.nested.property('items.length', 1)
    await alice.client.subscribe({ storeId: server.custody.storeId, entries: [{ address: mailbox.address, after: 0 }] })
    expect(await alice.client.pull()).to.have.nested.property('items.length', 1)
  })

  it('gets mail that overtakes the answer to its SUBSCRIBE', async () => {
    const { mailbox, alice, link } = await setUp()
    await alice.put('one')
    const pull = alice.client.pull()
    const held = Promise.withResolvers<void>()
    const call = link.call.bind(link)
    link.call = async (frame, timeout) => {
      const answer = await call(frame, timeout)
      if (verbOf(frame) === VERB.subscribe) await held.promise
      return answer
    }
    const subscribed = alice.client.subscribe({ entries: [{ address: mailbox.address, after: 0 }] })
    expect(await pull).to.have.nested.property('items.length', 1)
    held.resolve()
    expect((await subscribed).status).to.equal('ok')
  })

  it('refuses a record receipt that is for something else', async () => {
    const { server, alice, link } = await setUp()
    const key = new Uint8Array(40).fill(1)
    const record = new Uint8Array(100).fill(2)
    const receiptFor = (change: object, seed = serverSeed): (() => Uint8Array) => {
      const honest = { server: server.peerId, key, seq: 1, hash: sha256(record), time: server.now() }
      const receipt = encode(wire.recordReceipt, { ...honest, ...change })
      const signature = sign(seed, 'recordReceipt', receipt)
      return answering(STATUS.ok, encode(wire.recordAnswer, { record, receipt, signature }))
    }
    link.tamper = receiptFor({})
    expect((await alice.client.getRecord(key)).status).to.equal('ok')
    for (const change of [{ key: new Uint8Array(40) }, { hash: new Uint8Array(32) }, { server: new Uint8Array(38) }]) {
      link.tamper = receiptFor(change)
      expect(await code(alice.client.getRecord(key))).to.equal('NONSENSE')
    }
    link.tamper = receiptFor({}, seedKeys('other').seed)
    expect(await code(alice.client.getRecord(key))).to.equal('BAD_SIGNATURE')
  })

  it('calls an answer that is no answer malformed', async () => {
    const { alice, link } = await setUp()
    for (const nonsense of [new Uint8Array(0), new Uint8Array(100), answering(STATUS.ok)()]) {
      link.tamper = () => nonsense
      expect(await code(alice.put('one'))).to.equal('MALFORMED')
      expect(await code(alice.fetch())).to.equal('MALFORMED')
      expect(await code(alice.stat('one'))).to.equal('MALFORMED')
      expect(await code(alice.client.hello())).to.equal('MALFORMED')
    }
    link.tamper = () => new Uint8Array(MAX_FRAME_BYTES + 1)
    expect(await code(alice.fetch())).to.equal('OVERSIZED')
  })

  it('refuses a server whose peer ID holds no Ed25519 key', async () => {
    const server = await testServer()
    const client = server.client()
    Object.assign(client.link, { peerId: new Uint8Array(34).fill(0x12) })
    expect(await code(client.hello())).to.equal('BAD_KEY')
  })
})
