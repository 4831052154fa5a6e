import { expect } from 'chai'
import { equal } from '../../../node/crypto/bytes.ts'
import { ENVELOPE_BYTES, MAX_FRAME_BYTES, MAX_SUBSCRIBE_ADDRESSES, WINDOW_BYTES } from '../../../node/limits.ts'
import { answer, request, STATUS, VERB } from '../../../node/wire/commands.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import type { ReadResult } from '../../../node/delivery/mailbox-client.ts'
import { member, testCopy, testMailbox, testServer, type TestServer } from '../../support/custody-fixtures.ts'
import { settle } from '../../support/manual-clock.ts'
import { rejection } from '../../support/rejection.ts'

function copies(read: ReadResult): Uint8Array[] {
  if (read.status !== 'ok') throw new Error(read.status)
  return read.items.map(({ copy }) => copy)
}

function lastPosition(read: ReadResult): number {
  if (read.status !== 'ok') throw new Error(read.status)
  return read.items.at(-1)!.position
}

async function claimed(server: TestServer, name: string) {
  const mailbox = testMailbox(name)
  const alice = member(server, mailbox)
  await alice.claim()
  return { ...alice, ...mailbox }
}

/** Entries for addresses that nobody claimed. */
function some(from: number, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(32).map((_zero, at) => (at < 4 ? (from + i) >> (8 * at) : at))
    return { address: bytes, after: 0 }
  })
}

describe('mailbox server: FETCH, SUBSCRIBE and PULL', () => {
  it('gives copies in the order in which they came, after the position asked', async () => {
    const alice = await claimed(await testServer(), 'a')
    for (const name of ['one', 'two', 'three']) await alice.put(name)
    const all = await alice.fetch()
    expect(copies(all)).to.deep.equal(['one', 'two', 'three'].map((name) => testCopy(name)))
    if (all.status !== 'ok') throw new Error(all.status)
    expect(all.more).to.equal(false)
    const positions = all.items.map(({ position }) => position)
    expect(positions).to.deep.equal(positions.toSorted((a, b) => a - b))
    expect(copies(await alice.fetch(positions[0]))).to.deep.equal([testCopy('two'), testCopy('three')])
    expect(copies(await alice.fetch(positions[2]))).to.deep.equal([])
    expect(copies(await alice.fetch(Number.MAX_SAFE_INTEGER))).to.deep.equal([])
  })

  it('counts a cursor of another store as zero', async () => {
    const alice = await claimed(await testServer(), 'a')
    await alice.put('one')
    const after = lastPosition(await alice.fetch())
    expect(copies(await alice.fetch(after))).to.have.length(0)
    expect(copies(await alice.fetch(after, new Uint8Array(16)))).to.have.length(1)
    expect(copies(await alice.client.fetch({ entries: [{ address: alice.address, after }] }))).to.have.length(1)
  })

  it('answers in windows of 256 KiB', async () => {
    const alice = await claimed(await testServer(), 'a')
    const large = ENVELOPE_BYTES[2] + 40
    for (let i = 0; i < 9; i++) await alice.put(`${i}`, 20, large)
    const seen: number[] = []
    let after = 0
    for (let more = true; more; ) {
      const read = await alice.fetch(after)
      if (read.status !== 'ok') throw new Error(read.status)
      expect(read.items.length * large).to.be.at.most(WINDOW_BYTES)
      seen.push(read.items.length)
      after = lastPosition(read)
      more = read.more
    }
    expect(seen).to.deep.equal([3, 3, 3])
  })

  it('reads several mailboxes in one window', async () => {
    const server = await testServer()
    const [a, b] = [await claimed(server, 'a'), await claimed(server, 'b')]
    await a.put('for a')
    await b.put('for b')
    const entries = [a, b, testMailbox('nobody')].map(({ address }) => ({ address, after: 0 }))
    expect(copies(await a.client.fetch({ entries }))).to.deep.equal([testCopy('for a'), testCopy('for b')])
  })

  it('waits in PULL until there is mail, and goes on where it was', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    const bob = server.client()
    await bob.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    let arrived = false
    const first = bob.pull().finally(() => {
      arrived = true
    })
    await settle()
    expect(arrived).to.equal(false)
    await alice.put('one')
    expect(copies(await first)).to.deep.equal([testCopy('one')])
    const second = bob.pull()
    await alice.put('two')
    expect(copies(await second)).to.deep.equal([testCopy('two')])
  })

  it('delivers what lay there before the subscription, window by window', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    for (let i = 0; i < 7; i++) await alice.put(`${i}`, 20, ENVELOPE_BYTES[2] + 40)
    const bob = server.client()
    const subscribed = await bob.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    expect(subscribed).to.have.property('more', true)
    const seen: number[] = []
    for (let more = true; more; ) {
      const read = await bob.pull()
      if (read.status !== 'ok') throw new Error(read.status)
      seen.push(read.items.length)
      more = read.more
    }
    expect(seen).to.deep.equal([3, 3, 1])
  })

  it('lets several readers coexist, each with its own place', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    const readers = [server.client(), server.client(), server.client()]
    for (const reader of readers) await reader.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    const pulls = readers.map((reader) => reader.pull())
    await alice.put('one')
    for (const pull of pulls) expect(copies(await pull)).to.deep.equal([testCopy('one')])
  })

  it('misses nothing that arrives while a window is read', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    const bob = server.client()
    await bob.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    const names = Array.from({ length: 60 }, (_, i) => `copy ${i}`)
    const seen: Uint8Array[] = []
    const reading = (async () => {
      while (seen.length < names.length) seen.push(...copies(await bob.pull()))
    })()
    await Promise.all(names.map((name) => alice.put(name)))
    await reading
    expect(seen).to.deep.equal(names.map((name) => testCopy(name)))
  })

  it('allows one PULL at a time on a stream', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    const bob = server.client()
    await bob.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    const first = bob.pull()
    expect((await bob.pull()).status).to.equal('busy')
    await alice.put('one')
    expect(copies(await first)).to.have.length(1)
  })

  it('ends a waiting PULL when the link closes or the server stops', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    const bob = server.client()
    await bob.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    const pull = rejection(bob.pull())
    bob.close()
    expect(await pull).to.have.property('code', 'LINK_CLOSED')

    const stream = server.stream()
    const pending = stream.handle(encode(request, { verb: VERB.pull, args: new Uint8Array(0) }))
    server.custody.stop()
    expect(decode(answer, await pending, MAX_FRAME_BYTES).status).to.equal(STATUS.busy)
    const late = await server.stream().handle(encode(request, { verb: VERB.pull, args: new Uint8Array(0) }))
    expect(decode(answer, late, MAX_FRAME_BYTES).status).to.equal(STATUS.busy)
  })

  it('stops delivering what is unsubscribed', async () => {
    const server = await testServer()
    const [a, b] = [await claimed(server, 'a'), await claimed(server, 'b')]
    const bob = server.client()
    await bob.subscribe({ entries: [a, b].map(({ address }) => ({ address, after: 0 })) })
    await bob.subscribe({ entries: [], remove: [a.address] })
    await a.put('for a')
    await b.put('for b')
    expect(copies(await bob.pull())).to.deep.equal([testCopy('for b')])
  })

  it('goes on with a subscription that was made before the claim', async () => {
    const server = await testServer()
    const mailbox = testMailbox('late')
    const bob = server.client()
    await bob.subscribe({ entries: [{ address: mailbox.address, after: 0 }] })
    const pull = bob.pull()
    const alice = await claimed(server, 'late')
    await alice.put('one')
    expect(copies(await pull)).to.deep.equal([testCopy('one')])
  })

  it('keeps a new cursor that comes while a window is read', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    await alice.put('one')
    const bob = server.client()
    const entries = [{ address: alice.address, after: 0 }]
    await bob.subscribe({ entries })
    const pull = bob.pull()
    const again = bob.subscribe({ entries })
    expect(copies(await pull)).to.have.length(1)
    await again
    expect(copies(await bob.pull()), 'asked from the start once more').to.have.length(1)
  })

  it('subscribes at most 2048 addresses on a stream, and a bounded number on all', async () => {
    const server = await testServer({ custody: { limits: { maxSubscriptions: 3000 } } })
    const bob = server.client()
    expect((await bob.subscribe({ entries: some(0, MAX_SUBSCRIBE_ADDRESSES) })).status).to.equal('ok')
    expect((await bob.subscribe({ entries: some(0, 5) })).status, 'known ones again').to.equal('ok')
    expect((await bob.subscribe({ entries: some(5000, 1) })).status).to.equal('full')
    const carol = server.client()
    expect((await carol.subscribe({ entries: some(0, 1000) })).status).to.equal('full')
    bob.close()
    expect((await carol.subscribe({ entries: some(0, 1000) })).status).to.equal('ok')
  })

  it('delivers again what a failing store could not read', async () => {
    const server = await testServer()
    const alice = await claimed(server, 'a')
    await alice.put('one')
    const bob = server.client()
    await bob.subscribe({ entries: [{ address: alice.address, after: 0 }] })
    server.store.failReads(1)
    expect((await bob.pull()).status).to.equal('busy')
    expect(equal(copies(await bob.pull())[0]!, testCopy('one'))).to.equal(true)
    expect(server.logger.errors).to.deep.equal([])
  })
})
