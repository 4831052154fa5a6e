import { expect } from 'chai'
import * as fc from 'fast-check'
import { sign } from '../../../node/crypto/ed25519.ts'
import { ENVELOPE_BYTES, LEG_BYTES, MAX_FRAME_BYTES, MAX_PIPELINED_REQUESTS } from '../../../node/limits.ts'
import { type Kind, KIND } from '../../../node/mailbox/keys.ts'
import type { LinkServer } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode, type Shape } from '../../../node/wire/schema.ts'
import {
  DAY,
  member,
  seedKeys,
  testCid,
  testCopy,
  testMailbox,
  testServer,
  WEEK,
} from '../../support/custody-fixtures.ts'
import { settle } from '../../support/manual-clock.ts'

const { STATUS, VERB } = wire

async function call(stream: LinkServer, verb: number, args: Uint8Array): Promise<wire.Answer> {
  return read(await stream.handle(encode(wire.request, { verb, args })))
}

function read(frame: Uint8Array): wire.Answer {
  return decode(wire.answer, frame, MAX_FRAME_BYTES)
}

function spoil(nonce: Uint8Array): Uint8Array {
  return nonce.map((byte) => byte ^ 0x55)
}

describe('mailbox server: hostile askers', () => {
  it('T21 takes nothing into a friend mailbox from somebody who does not hold its writing key', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    await member(server, mailbox).claim()
    const rows = server.store.dump()
    const stranger = server.client()
    const copy = testCopy('spam')
    const expires = server.now() + DAY
    for (const writerSeed of [seedKeys('stranger').seed, mailbox.reader.seed]) {
      const put = await stranger.put({ address: mailbox.address, writerSeed, copy, expires })
      expect(put.status).to.equal('refused')
    }
    const cids = [testCid('one')]
    for (const readerSeed of [seedKeys('stranger').seed, mailbox.writer.seed]) {
      expect((await stranger.acknowledge({ address: mailbox.address, readerSeed, cids })).status).to.equal('refused')
      expect((await stranger.release({ address: mailbox.address, readerSeed })).status).to.equal('refused')
    }
    expect(server.store.dump()).to.equal(rows)
  })

  it('T21 lets nobody claim an address without its reading key', async () => {
    const server = await testServer()
    const { kind, writer, reader, address } = testMailbox('a')
    const stolen = { public: reader.public, seed: seedKeys('stranger').seed }
    const claimed = await server.client().claim({ kind, writer, reader: stolen, until: server.now() + DAY })
    expect(claimed.status).to.equal('refused')
    expect(
      (
        await server
          .client()
          .put({ address, writerSeed: writer.seed, copy: testCopy('a'), expires: server.now() + DAY })
      ).status,
    ).to.equal('unclaimed')
  })

  it('T21 binds a signature to the verb, the copy, the expiry and the address', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    await alice.put('one')
    const { challenge } = decode(
      wire.helloAnswer,
      (await call(server.stream(), VERB.hello, encode(wire.helloArgs, { version: 1 }))).body,
      MAX_FRAME_BYTES,
    )
    const good = { address: mailbox.address, cid: testCid('two'), expires: server.now() + DAY }
    const attempt = async (verb: wire.Verb, covered: typeof good): Promise<number> => {
      const signature = sign(
        mailbox.writer.seed,
        'command',
        wire.signedCommand(verb, server.peerId, challenge, encode(wire.putSigned, covered)),
      )
      const args = encode(wire.putArgs, { address: good.address, copy: testCopy('two'), expires: good.expires })
      return (await call(server.stream(), VERB.put, encode(wire.signedArgs, { args, challenge, signature }))).status
    }
    expect(await attempt(VERB.request, good)).to.equal(STATUS.refused)
    expect(await attempt(VERB.put, { ...good, cid: testCid('one') })).to.equal(STATUS.refused)
    expect(await attempt(VERB.put, { ...good, expires: good.expires + 1 })).to.equal(STATUS.refused)
    expect(await attempt(VERB.put, { ...good, address: testMailbox('b').address })).to.equal(STATUS.refused)
    expect(await attempt(VERB.put, good)).to.equal(STATUS.ok)
  })

  it('T31 refuses at one server what was signed for another, and changes nothing when it is played again', async () => {
    const [here, there] = [await testServer(), await testServer({ name: 'there' })]
    const mailbox = testMailbox('a')
    const alice = member(here, mailbox)
    await alice.claim()
    await member(there, mailbox).claim()
    await alice.put('one')
    await alice.put('two')
    await alice.acknowledge('one')
    const recorded = alice.client.link.frames
    const rows = { here: here.store.dump(), there: there.store.dump() }
    for (const frame of recorded) {
      await here.stream().handle(frame)
      const verb = decode(wire.request, frame, MAX_FRAME_BYTES).verb
      const status = read(await there.stream().handle(frame)).status
      // The other server does not know the challenge, and that it knew it would not help:
      if (verb !== VERB.hello) expect(status).to.equal(STATUS.challenge)
    }
    expect(here.store.dump()).to.equal(rows.here)
    expect(there.store.dump()).to.equal(rows.there)
    await alice.release()
    const released = here.store.dump()
    for (const frame of recorded) await here.stream().handle(frame)
    expect(here.store.dump()).to.equal(released)
  })

  it('T31 refuses a command for another server even when both give the same challenge', async () => {
    // Two servers on one store share their secrets, so their challenges are equal.
    const here = await testServer()
    const there = await testServer({ name: 'there', store: here.store })
    const alice = member(here, testMailbox('a'))
    await alice.claim()
    await alice.put('one')
    const rows = here.store.dump()
    for (const frame of alice.client.link.frames.slice(1)) {
      const status = read(await there.stream().handle(frame)).status
      expect(status).to.be.oneOf([STATUS.refused, STATUS.price])
    }
    expect(here.store.dump()).to.equal(rows)
  })

  it('T31 tells nothing about a mailbox to who does not know its address', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    await alice.put('one')
    const stranger = server.client()
    for (let i = 0; i < 32; i++) {
      const address = mailbox.address.map((byte, at) => (at === i ? byte ^ 1 : byte))
      expect(await stranger.stat({ address, cids: [testCid('one')] })).to.have.deep.property('states', ['missing'])
      expect(await stranger.fetch({ entries: [{ address, after: 0 }] })).to.have.deep.property('items', [])
    }
  })

  it('T44 leaves receipted copies where they are when one mailbox or many fresh claims are flooded', async () => {
    const maxBytes = 3 * 1024 * 1024
    const server = await testServer({ custody: { limits: { maxBytes, maxClaims: 200 } } })
    const honest = member(server, testMailbox('honest'))
    await honest.claim()
    for (const name of ['one', 'two', 'three']) await honest.put(name)
    await honest.acknowledge('three')
    await server.clock.advance(WEEK * 1000)
    const large = ENVELOPE_BYTES[2] + 40
    let taken = 0
    for (let i = 0; i < 60; i++) {
      const flood = member(server, testMailbox(`flood ${i}`), `prefix ${i}`)
      if ((await flood.claim()).status !== 'claimed') continue
      for (let copy = 0; copy < 20; copy++) {
        const put = await flood.put(`flood ${i} ${copy}`, 20, large)
        if (put.status !== 'stored') break
        taken++
      }
    }
    expect(taken * large).to.be.within(maxBytes / 3, (maxBytes * 2) / 3)
    expect(await honest.stat('one', 'two')).to.have.deep.property('states', ['held', 'held'])
    expect((await honest.put('four')).status, 'who acknowledges still has room').to.equal('stored')
    expect((await honest.put('five', 20, large)).status).to.equal('stored')
  })

  it('T44 takes less, the fuller the disk, from those of the acknowledging claims that hold most', async () => {
    const maxBytes = 3 * 1024 * 1024
    const server = await testServer({ custody: { limits: { maxBytes } } })
    const large = ENVELOPE_BYTES[2] + 40
    const [much, little] = [member(server, testMailbox('much')), member(server, testMailbox('little'))]
    for (const one of [much, little]) await one.claim()
    for (let week = 0; week < 4; week++) {
      for (const one of [much, little]) {
        await one.put(`week ${week}`)
        await one.acknowledge(`week ${week}`)
      }
      await server.clock.advance(WEEK * 1000)
    }
    let put = await much.put('much 0', 20, large)
    for (let i = 1; put.status === 'stored'; i++) put = await much.put(`much ${i}`, 20, large)
    expect(put.status, 'long before its own 16 MiB, and before the disk').to.equal('full')
    expect(maxBytes - server.custody.counters().bytes).to.be.above(3 * large)
    expect((await little.put('little', 20, large)).status).to.equal('stored')
  })

  it('T44 fills the disk to its bound and no further, and gives room as readers acknowledge', async () => {
    const maxBytes = 400_000
    const server = await testServer({ custody: { limits: { maxBytes } } })
    const members = Array.from({ length: 60 }, (_, i) => ({ name: `${i}`, ...member(server, testMailbox(`${i}`)) }))
    let full = 0
    for (const one of members) {
      await one.claim()
      await one.put(`first ${one.name}`)
      await one.acknowledge(`first ${one.name}`)
    }
    for (const one of members) {
      if ((await one.put(`second ${one.name}`)).status === 'full') full++
      if ((await one.put(`large ${one.name}`, 20, ENVELOPE_BYTES[2] + 40)).status === 'full') full++
      expect(server.custody.counters().bytes).to.be.at.most(maxBytes)
    }
    expect(full).to.be.above(20)
    expect(maxBytes - server.custody.counters().bytes).to.be.below(ENVELOPE_BYTES[0] + 40 + 512)
    const [first] = members
    expect(await first!.stat('second 0')).to.have.deep.property('states', ['held'])
    const before = server.custody.counters().bytes
    await first!.acknowledge('second 0')
    expect(before - server.custody.counters().bytes).to.equal(ENVELOPE_BYTES[0] + 40)
  })

  it('T44 lets idle claims give way when there are too many, and never one that holds something', async () => {
    const server = await testServer({ custody: { limits: { maxClaims: 5 } } })
    const holding = member(server, testMailbox('holding'))
    await holding.claim()
    await holding.put('one')
    for (let i = 0; i < 50; i++) {
      expect((await member(server, testMailbox(`fresh ${i}`)).claim()).status).to.equal('claimed')
      expect(server.custody.counters().claims).to.be.at.most(5)
    }
    expect(await holding.stat('one')).to.have.deep.property('states', ['held'])
    for (let i = 0; i < 4; i++) {
      const full = member(server, testMailbox(`full ${i}`))
      await full.claim()
      await full.put(`full ${i}`)
    }
    expect((await member(server, testMailbox('late')).claim()).status).to.equal('full')
  })

  it('T44 lets unused invites of whoever claimed most give way, and never one that holds a request', async () => {
    const server = await testServer({ custody: { limits: { maxClaims: 6 } } })
    const invite = (name: string, prefix: string) => member(server, testMailbox(name, KIND.invite), prefix)
    const [waiting, unused] = [invite('waiting', 'honest'), invite('unused', 'honest')]
    for (const one of [waiting, unused]) await one.claim()
    const { address, writer, reader } = testMailbox('waiting', KIND.invite)
    const leg = testCopy('leg', LEG_BYTES)
    await waiting.client.request({ address, writerSeed: writer.seed, leg, expires: server.now() + DAY })
    for (let i = 0; i < 4; i++) await invite(`flood ${i}`, 'flood').claim()
    expect((await invite('one more', 'flood').claim()).status, 'nobody holds more').to.equal('full')
    for (const name of ['a', 'b']) {
      expect((await invite(name, `fresh ${name}`).claim()).status).to.equal('claimed')
      expect(server.custody.counters().claims).to.equal(6)
    }
    const probe = testMailbox('unused', KIND.invite)
    const knock = { address: probe.address, writerSeed: probe.writer.seed, leg, expires: server.now() + DAY }
    expect((await server.client().request(knock)).status, 'an honest one is still there').to.equal('placed')
    const held = await waiting.client.fetch({ entries: [{ address, after: 0, readerSeed: reader.seed }] })
    expect(held).to.have.nested.property('items.length', 1)
  })

  it('T44 keeps half of the claims open to mailboxes of friends, whatever sources the invites come from', async () => {
    const server = await testServer({ custody: { limits: { maxClaims: 4 } } })
    const claim = async (name: string, kind: Kind) =>
      (await member(server, testMailbox(name, kind), `prefix ${name}`).claim()).status
    for (let i = 0; i < 4; i++) expect(await claim(`flood ${i}`, KIND.invite)).to.equal('claimed')
    expect(await claim('another', KIND.invite)).to.equal('full')
    for (let i = 0; i < 2; i++) {
      const friend = member(server, testMailbox(`friend ${i}`))
      expect((await friend.claim()).status).to.equal('claimed')
      expect((await friend.put(`mail ${i}`)).status).to.equal('stored')
    }
    expect(await claim('friend 2', KIND.friend), 'the other half stays').to.equal('full')
    expect(server.custody.counters()).to.include({ claims: 4, copies: 2 })
  })

  it('T44 keeps an idle claim that is written to at the moment when it should give way', async () => {
    const server = await testServer({ custody: { limits: { maxClaims: 1 } } })
    const old = member(server, testMailbox('old'))
    const fresh = member(server, testMailbox('fresh'))
    await old.claim()
    await fresh.client.hello()
    const [put, claim] = await Promise.all([old.put('one'), fresh.claim()])
    expect([put.status, claim.status]).to.deep.equal(['stored', 'full'])
    expect(await old.stat('one')).to.have.deep.property('states', ['held'])
  })

  it('T44 limits claims of one source prefix and lets others through', async () => {
    const limits = { dear: { burst: 5, perSecond: 0.1 } }
    const server = await testServer({ custody: { limits } })
    const flood = server.client('flood')
    const claim = (i: number, client = flood) => {
      const { kind, writer, reader } = testMailbox(`flood ${i}`)
      return client.claim({ kind, writer, reader, until: server.now() + DAY })
    }
    for (let i = 0; i < 5; i++) expect((await claim(i)).status).to.equal('claimed')
    expect(await claim(5)).to.deep.equal({ status: 'busy', retryAfterSeconds: 10 })
    expect((await claim(6, server.client('other'))).status).to.equal('claimed')
    await server.clock.advance(10_000)
    expect((await claim(5)).status).to.equal('claimed')
  })

  it('limits the frames of one source prefix and forgets no more prefixes than it remembers', async () => {
    const server = await testServer({ custody: { limits: { frames: { burst: 3, perSecond: 1 } } } })
    const stream = server.stream('noisy')
    const hello = encode(wire.helloArgs, { version: 1 })
    for (let i = 0; i < 3; i++) expect((await call(stream, VERB.hello, hello)).status).to.equal(STATUS.ok)
    expect(await call(stream, VERB.hello, hello)).to.include({ status: STATUS.busy, retryAfter: 1 })
    for (let i = 0; i < 5000; i++) await call(server.stream(`p${i}`), VERB.hello, new Uint8Array(0))
    expect((await call(stream, VERB.hello, hello)).status, 'forgotten by now').to.equal(STATUS.ok)
  })

  it('works on a bounded number of requests of one stream', async () => {
    const server = await testServer()
    const stream = server.stream()
    const frame = encode(wire.request, {
      verb: VERB.stat,
      args: encode(wire.statArgs, { address: new Uint8Array(32), cids: [new Uint8Array(32)] }),
    })
    const answers = await Promise.all(Array.from({ length: MAX_PIPELINED_REQUESTS + 5 }, () => stream.handle(frame)))
    const statuses = answers.map((answer) => read(answer).status)
    expect(statuses.filter((status) => status === STATUS.busy)).to.have.length(5)
    expect(read(await stream.handle(frame)).status).to.equal(STATUS.ok)
  })

  it('takes no CLAIM, REQUEST or RECORD without postage for just that, at the challenge of now', async () => {
    const server = await testServer({ custody: { policy: { claimBits: 12 } } })
    const invite = testMailbox('a', KIND.invite)
    const owner = member(server, invite)
    await owner.claim()
    const { address, writer } = invite
    const key = new Uint8Array(40)
    const request = { address, writerSeed: writer.seed, leg: testCopy('leg', LEG_BYTES), expires: server.now() + DAY }
    await owner.client.request(request)
    await owner.client.putRecord({ key, record: new Uint8Array(9) })
    const rows = server.store.dump()
    const statuses: number[] = []
    for (const frame of owner.client.link.frames) {
      const { verb, args } = decode(wire.request, frame, MAX_FRAME_BYTES)
      const spoilt = (): Uint8Array | undefined => {
        if (verb === VERB.record) {
          const record = decode(wire.recordArgs, args, MAX_FRAME_BYTES)
          return encode(wire.recordArgs, { ...record, nonce: spoil(record.nonce!) })
        }
        if (verb !== VERB.claim && verb !== VERB.request) return undefined
        const signed = decode(wire.signedArgs, args, MAX_FRAME_BYTES)
        const change = <T extends { nonce: Uint8Array }>(shape: Shape<T>): Uint8Array => {
          const value = decode(shape, signed.args, MAX_FRAME_BYTES)
          return encode(shape, { ...value, nonce: spoil(value.nonce) })
        }
        const changed = verb === VERB.claim ? change(wire.claimArgs) : change(wire.requestArgs)
        return encode(wire.signedArgs, { ...signed, args: changed })
      }
      const again = spoilt()
      if (again) statuses.push((await call(server.stream(), verb, again)).status)
    }
    expect(statuses).to.deep.equal([STATUS.price, STATUS.price, STATUS.price])
    const bare = await call(server.stream(), VERB.record, encode(wire.recordArgs, { key, record: new Uint8Array(9) }))
    expect(bare.status).to.equal(STATUS.price)
    expect(server.store.dump()).to.equal(rows)
  })

  it('does not lay down FORWARD and PUBLISH yet, nor verbs that do not exist', async () => {
    const server = await testServer()
    for (const verb of [VERB.forward, VERB.publish, 0, 14, 255]) {
      expect((await call(server.stream(), verb, new Uint8Array(3))).status).to.equal(STATUS.unsupported)
    }
    const { reader } = testMailbox('a')
    const args = encode(wire.claimArgs, {
      kind: 99,
      writer: reader.public,
      reader: reader.public,
      until: 1,
      nonce: new Uint8Array(8),
    })
    const claim = encode(wire.signedArgs, { args, challenge: new Uint8Array(32), signature: new Uint8Array(64) })
    expect((await call(server.stream(), VERB.claim, claim)).status).to.equal(STATUS.unsupported)
  })

  it('answers malformed bytes with malformed, and never throws', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    await alice.put('one')
    await alice.stat('one')
    await alice.fetch()
    await alice.client.subscribe({ entries: [{ address: mailbox.address, after: 0 }] })
    await alice.acknowledge('one')
    await alice.client.getRecord(new Uint8Array(40))
    await alice.release()
    const frames = alice.client.link.frames.slice()
    const rows = server.store.dump()
    for (const frame of frames) {
      const short = frame.length > 1000 ? [1, 7, 900, frame.length - 1] : Array.from(frame.keys())
      for (const length of short)
        expect(read(await server.stream().handle(frame.subarray(0, length))).status).to.equal(STATUS.malformed)
      const long = new Uint8Array(frame.length + 1)
      long.set(frame)
      expect(read(await server.stream().handle(long)).status).to.equal(STATUS.malformed)
    }
    expect(read(await server.stream().handle(new Uint8Array(MAX_FRAME_BYTES + 1))).status).to.equal(STATUS.malformed)
    expect(server.store.dump()).to.equal(rows)
    expect(server.logger.errors).to.deep.equal([])
  })

  it('survives changed and random bytes in every frame', async () => {
    const server = await testServer({
      custody: { limits: { frames: { burst: 1e6, perSecond: 1e6 }, allFrames: { burst: 1e6, perSecond: 1e6 } } },
    })
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    await alice.put('one')
    await alice.fetch()
    await alice.stat('one')
    const frames = alice.client.link.frames.slice()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        fc.uint8Array({ maxLength: 64 }),
        async (frame, changes, random) => {
          const changed = frame.slice()
          for (const [at, byte] of changes) changed[at % changed.length] = byte
          const stream = server.stream()
          read(await stream.handle(changed))
          read(await stream.handle(random))
          for (const verb of Object.values(VERB))
            if (verb !== VERB.pull) read(await stream.handle(encode(wire.request, { verb, args: random })))
          stream.close()
        },
      ),
      { numRuns: 200 },
    )
    await settle()
    expect(server.logger.errors).to.deep.equal([])
  })

  it('says when its store is full or broken, without a word of it in the answer', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    server.store.close()
    expect(await alice.put('one')).to.deep.equal({ status: 'busy', retryAfterSeconds: 60 })
    expect(server.logger.errors).to.deep.equal([])
  })

  it('keeps no source, and no time finer than an hour, in the rows of a mailbox', async () => {
    const server = await testServer()
    await server.clock.advance(1_234_567)
    const alice = member(server, testMailbox('a'), 'prefix-to-look-for')
    await alice.claim()
    await alice.put('one')
    await alice.acknowledge('one')
    const dump = server.store.dump()
    expect(dump).to.not.include(Buffer.from('prefix-to-look-for').toString('hex'))
    const seconds = server.now()
    for (let at = seconds - 2; at <= seconds; at++) expect(dump).to.not.include(at.toString(16).padStart(8, '0'))
    const hour = seconds - (seconds % 3600)
    expect(dump, 'the hour is there').to.include(hour.toString(16).padStart(8, '0'))
  })
})

describe('mailbox server: its own node', () => {
  it('claims without postage and without rates on a local stream, also where others may not', async () => {
    const limits = { dear: { burst: 1, perSecond: 0.001 }, frames: { burst: 1, perSecond: 0.001 } }
    const server = await testServer({ custody: { openToAll: false, limits, policy: { claimBits: 30 } } })
    const local = server.custody.acceptLocal()
    const hello = await call(local, VERB.hello, encode(wire.helloArgs, { version: 1 }))
    const said = decode(wire.helloAnswer, hello.body, MAX_FRAME_BYTES)
    expect(decode(wire.policy, said.policy, 1024).claimBits).to.equal(0)
    for (let i = 0; i < 20; i++) {
      const { kind, writer, reader } = testMailbox(`${i}`)
      const args = encode(wire.claimArgs, {
        kind,
        writer: writer.public,
        reader: reader.public,
        until: server.now() + DAY,
        nonce: new Uint8Array(8),
      })
      const signature = sign(
        reader.seed,
        'command',
        wire.signedCommand(VERB.claim, server.peerId, said.challenge, args),
      )
      const claim = encode(wire.signedArgs, { args, challenge: said.challenge, signature })
      expect((await call(local, VERB.claim, claim)).status).to.equal(STATUS.ok)
    }
  })
})
