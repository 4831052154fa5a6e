/**
 * T36, the part of streams: changed requests to a mailbox server, changed lines to the local API, and changed bytes under the
 * frames of a stream are answered or cut off, never a bug, and the next honest one is served.
 */
import { duplexPair } from 'node:stream'
import type { Stream } from '@libp2p/interface'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { ApiConnection } from '../../node/api/connection.ts'
import { Dispatcher } from '../../node/api/dispatcher.ts'
import { concat, readUint, u32, utf8 } from '../../node/crypto/bytes.ts'
import { sign } from '../../node/crypto/ed25519.ts'
import { MAX_FRAME_BYTES } from '../../node/limits.ts'
import { FrameStream } from '../../node/network/frame-stream.ts'
import { answer, helloArgs, request, signedArgs, signedCommand, VERB, type Verb } from '../../node/wire/commands.ts'
import { decode, encode } from '../../node/wire/schema.ts'
import { testMailbox, testServer } from '../support/custody-fixtures.ts'
import { FakeNode } from '../support/fake-node.ts'
import { FUZZ_RUNS, FUZZ_SEED, mutated } from '../support/fuzzing.ts'
import { until } from '../support/until.ts'
import { WIRE_CODECS } from '../support/wire-codecs.ts'

const RUN = { seed: FUZZ_SEED, numRuns: FUZZ_RUNS }

describe('T36 streams under fuzzing', function () {
  this.timeout(60_000)

  describe('a mailbox server', () => {
    /** The map of each verb's arguments, by the name of its codec; PULL has none. */
    const ARGS: [Verb, string][] = [
      [VERB.hello, 'hello args'],
      [VERB.claim, 'claim args'],
      [VERB.put, 'put args'],
      [VERB.stat, 'stat args'],
      [VERB.fetch, 'read args'],
      [VERB.subscribe, 'read args'],
      [VERB.acknowledge, 'acknowledge args'],
      [VERB.release, 'release args'],
      [VERB.request, 'request args'],
      [VERB.record, 'record args'],
      [VERB.forward, 'forward args'],
      [VERB.publish, 'publish args'],
    ]
    const SIGNED: readonly Verb[] = [VERB.claim, VERB.put, VERB.acknowledge, VERB.release, VERB.request]
    const { reader } = testMailbox('fuzzed')

    for (const [verb, name] of ARGS) {
      it(`T36 answers verb ${verb} with changed ${name}, and the next honest request`, async () => {
        const server = await testServer()
        const { shape, value } = WIRE_CODECS.find((codec) => codec.name === name)!
        const hello = encode(request, { verb: VERB.hello, args: encode(helloArgs, { version: 1 }) })
        const frames = value.map((each) => {
          const inner = encode(shape, each)
          return encode(request, { verb, args: SIGNED.includes(verb) ? signedOver(inner) : inner })
        })
        function signedOver(args: Uint8Array): Uint8Array {
          const challenge = new Uint8Array(32)
          const signature = sign(reader.seed, 'command', signedCommand(verb, server.peerId, challenge, args))
          return encode(signedArgs, { args, challenge, signature })
        }
        await fc.assert(
          fc.asyncProperty(mutated(frames), async (frame) => {
            const stream = server.stream()
            const answered = stream.handle(frame)
            // a change can make a PULL of it, which waits for mail as long as the stream is there
            await new Promise((resolve) => setImmediate(resolve))
            if (readsAsPull(frame)) stream.close()
            decode(answer, await answered, MAX_FRAME_BYTES)
            stream.close()
          }),
          RUN,
        )
        const after = decode(answer, await server.stream().handle(hello), MAX_FRAME_BYTES)
        expect(after.status).to.equal(0)
        expect(server.logger.errors).to.deep.equal([])
      })
    }

    function readsAsPull(frame: Uint8Array): boolean {
      try {
        return decode(request, frame, MAX_FRAME_BYTES).verb === VERB.pull
      } catch {
        return false
      }
    }
  })

  describe('a connection of the local API', () => {
    const REQUESTS: [method: string, params: Record<string, unknown>][] = [
      ['rpc.discover', {}],
      ['node.status', {}],
      ['invite.create', { lifetimeSeconds: 600, uses: 2 }],
      ['friend.add', { target: 'kithinvite1qqq', petname: 'bob' }],
      ['friend.list', {}],
      ['message.send', { who: 'bob', text: 'h\u00e4llo \u202e' }],
      ['history.list', { who: 'bob', limit: 5, search: 'x' }],
      ['events.since', { since: 0, limit: 10 }],
      ['events.subscribe', { since: 0 }],
    ]
    const LINES = REQUESTS.map(([method, params], id) => utf8(JSON.stringify({ jsonrpc: '2.0', id, method, params })))

    it('T36 answers or ends for every changed line, and has no bug', async () => {
      await fc.assert(
        fc.asyncProperty(mutated(fc.constantFrom(...LINES)), async (line) => {
          const [ours, theirs] = duplexPair()
          const bugs: unknown[] = []
          const onBug = (error: unknown): void => void bugs.push(error)
          const dispatcher = new Dispatcher({ service: new FakeNode(), role: 'node', onBug })
          const connection = new ApiConnection({ stream: theirs, dispatcher })
          let received = ''
          let ended = false
          ours.on('data', (chunk: Buffer) => (received += chunk.toString()))
          ours.on('close', () => (ended = true))
          ours.on('end', () => (ended = true))
          ours.write(concat(line, utf8('\n{"jsonrpc":"2.0","id":"last","method":"rpc.hello"}\n')))
          await until(() => ended || received.includes('"id":"last"'))
          for (const each of received.split('\n').filter(Boolean)) JSON.parse(each)
          ours.end()
          await connection.idle()
          expect(bugs).to.deep.equal([])
          ours.destroy()
        }),
        RUN,
      )
    })
  })

  describe('frames of a stream', () => {
    /** What a stream of bytes holds: whole frames up to the first length that is none. */
    function framesIn(bytes: Uint8Array): { frames: string[]; isCut: boolean } {
      const frames: string[] = []
      for (let at = 0; at + 4 <= bytes.length; ) {
        const length = readUint(bytes, at, 4)
        if (length < 4 || length > MAX_FRAME_BYTES + 4) return { frames, isCut: true }
        if (at + 4 + length > bytes.length) break
        frames.push(
          `${readUint(bytes, at + 4, 4)} ${Buffer.from(bytes.subarray(at + 8, at + 4 + length)).toString('hex')}`,
        )
        at += 4 + length
      }
      return { frames, isCut: false }
    }

    const honest = fc
      .array(fc.tuple(fc.nat(2 ** 31), fc.uint8Array({ maxLength: 40 })), { minLength: 1, maxLength: 5 })
      .map((all) => concat(...all.map(([id, body]) => concat(u32(4 + body.length), u32(id), body))))

    it('T36 are cut where their lengths say, however the bytes arrive, and a wrong length ends the stream', async () => {
      await fc.assert(
        fc.asyncProperty(mutated(honest), fc.array(fc.nat(30), { maxLength: 20 }), async (bytes, cuts) => {
          const stream = new FakeStream()
          const frames: string[] = []
          let closed = 0
          const reader = new FrameStream({
            stream: stream as unknown as Stream,
            onFrame: (id, frame) => void frames.push(`${id} ${Buffer.from(frame).toString('hex')}`),
            onClose: () => closed++,
          })
          let at = 0
          for (const cut of [...cuts, bytes.length]) {
            stream.arrive(bytes.subarray(at, at + cut))
            at += cut
            await Promise.resolve()
          }
          await Promise.resolve()
          const expected = framesIn(bytes)
          expect(frames).to.deep.equal(expected.frames)
          expect(closed).to.equal(expected.isCut ? 1 : 0)
          reader.abort('the end of the test')
        }),
        RUN,
      )
    })
  })
})

/** As much of a libp2p stream as reading needs. */
class FakeStream extends EventTarget {
  status = 'open'
  readStatus = 'readable'

  arrive(bytes: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: bytes.slice() }))
  }

  abort(): void {
    this.status = 'aborted'
  }

  pause(): void {
    this.readStatus = 'paused'
  }

  resume(): void {
    this.readStatus = 'readable'
  }
}
