/** Random commands against one mailbox of a server, held against a model of a few lines; then the same at once. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { toHex } from '../../../node/crypto/bytes.ts'
import { ENVELOPE_BYTES } from '../../../node/limits.ts'
import { KIND, KINDS } from '../../../node/mailbox/keys.ts'
import {
  DAY,
  HOUR,
  member,
  testCopy,
  testMailbox,
  testServer,
  type TestServer,
} from '../../support/custody-fixtures.ts'

const NAMES = Array.from({ length: 22 }, (_, i) => `copy ${i}`)
const MAX_DAYS = 30
const LIFE_DAYS = KINDS.reach.lifeDays
const CAP = KINDS.reach.startCopies

const name = fc.constantFrom(...NAMES)
const operation = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant('claim' as const), days: fc.integer({ min: 1, max: 120 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({ op: fc.constant('put' as const), name, days: fc.integer({ min: 0, max: 40 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('ack' as const), names: fc.array(name, { minLength: 1, maxLength: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('release' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 24 * 20 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

const hourAfter = (time: number): number => Math.ceil(time / HOUR) * HOUR

/** What a mailbox server promises about one mailbox, and nothing else. */
class Model {
  until: number | undefined
  released = false
  /** Expiry by name, in the order of arrival. */
  held = new Map<string, number>()
  acknowledged = new Map<string, number>()

  claim(now: number, days: number): string {
    if (this.released) return 'released'
    this.#liveUntil(hourAfter(now + Math.min(days, LIFE_DAYS) * DAY))
    return 'claimed'
  }

  put(now: number, copy: string, days: number): string {
    if (this.until === undefined) return 'unclaimed'
    if (this.released) return 'released'
    if (this.acknowledged.has(copy)) return 'acknowledged'
    if (this.held.has(copy)) return 'stored'
    if (days === 0) return 'refused'
    if (this.held.size === CAP) return 'full'
    this.held.set(copy, hourAfter(now + Math.min(days, MAX_DAYS) * DAY))
    this.#liveUntil(hourAfter(now + LIFE_DAYS * DAY))
    return 'stored'
  }

  ack(now: number, copies: string[]): string {
    if (this.until === undefined) return 'unclaimed'
    if (this.released) return 'released'
    for (const copy of copies) {
      const expires = this.held.get(copy)
      if (expires === undefined) continue
      this.held.delete(copy)
      this.acknowledged.set(copy, expires)
      this.#liveUntil(hourAfter(now + LIFE_DAYS * DAY))
    }
    return 'ok'
  }

  release(now: number): string {
    if (this.until === undefined) return 'unclaimed'
    if (!this.released) this.#liveUntil(hourAfter(now + 90 * DAY))
    this.released = true
    this.held.clear()
    return 'ok'
  }

  wait(now: number): void {
    for (const copies of [this.held, this.acknowledged]) {
      for (const [copy, expires] of copies) if (expires <= now) copies.delete(copy)
    }
    if (this.until === undefined || this.until > now) return
    this.until = undefined
    this.released = false
  }

  state(copy: string): string {
    if (this.released) return 'released'
    if (this.held.has(copy)) return 'held'
    return this.acknowledged.has(copy) ? 'acknowledged' : 'missing'
  }

  #liveUntil(time: number): void {
    this.until = Math.max(this.until ?? 0, time)
  }
}

type Member = ReturnType<typeof member>

async function readAll(alice: Member): Promise<string[]> {
  const seen: string[] = []
  for (let after = 0; ; ) {
    const read = await alice.fetch(after)
    if (read.status !== 'ok') throw new Error(read.status)
    seen.push(...read.items.map(({ copy }) => toHex(copy.subarray(0, 8))))
    if (!read.more) return seen
    after = read.items.at(-1)!.position
  }
}

async function states(alice: Member): Promise<string[]> {
  const known = await alice.stat(...NAMES)
  if (known.status !== 'ok') throw new Error(known.status)
  return known.states
}

function run(alice: Member, model: Model, now: number, step: Exclude<Operation, { op: 'wait' | 'restart' }>) {
  if (step.op === 'claim') return { expected: model.claim(now, step.days), call: alice.claim(step.days) }
  if (step.op === 'put') {
    return { expected: model.put(now, step.name, step.days), call: alice.put(step.name, step.days) }
  }
  if (step.op === 'ack') return { expected: model.ack(now, step.names), call: alice.acknowledge(...step.names) }
  return { expected: model.release(now), call: alice.release() }
}

async function pass(server: TestServer, hours: number): Promise<void> {
  // Sweeps run by themselves as time passes; this last one leaves nothing that the model knows to be over.
  await server.clock.advance(hours * HOUR * 1000)
  await server.custody.sweep()
}

describe('mailbox server against a model', () => {
  const mailbox = testMailbox('model', KIND.reach)

  it('does what the model says, command by command, over restarts and expiry', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 60 }), async (operations) => {
        let server = await testServer({ custody: { policy: { maxDays: MAX_DAYS } } })
        let alice = member(server, mailbox)
        const model = new Model()
        for (const step of operations) {
          if (step.op === 'restart') {
            server = await server.restart()
            alice = member(server, mailbox)
          } else if (step.op === 'wait') {
            await pass(server, step.hours)
            model.wait(server.now())
          } else {
            const { expected, call } = run(alice, model, server.now(), step)
            expect((await call).status).to.equal(expected)
          }
          expect(await states(alice)).to.deep.equal(NAMES.map((copy) => model.state(copy)))
          const held = [...model.held.keys()].map((copy) => toHex(testCopy(copy).subarray(0, 8)))
          expect(await readAll(alice)).to.deep.equal(held)
          const counters = server.custody.counters()
          expect(counters).to.include({ claims: model.until === undefined ? 0 : 1, copies: model.held.size })
        }
        expect((await server.restart()).custody.counters()).to.deep.equal(server.custody.counters())
        expect(server.logger.errors).to.deep.equal([])
      }),
      { numRuns: 60 },
    )
  })

  it('stays whole when commands come at once on several streams and writes fail', async () => {
    const at = fc.oneof(
      { weight: 8, arbitrary: fc.record({ op: fc.constant('put' as const), name }) },
      {
        weight: 3,
        arbitrary: fc.record({
          op: fc.constant('ack' as const),
          names: fc.array(name, { minLength: 1, maxLength: 4 }),
        }),
      },
    )
    const burst = fc.record({
      calls: fc.array(at, { minLength: 2, maxLength: 30 }),
      failures: fc.integer({ min: 0, max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(burst, { minLength: 1, maxLength: 4 }), async (bursts) => {
        const server = await testServer()
        const members = [0, 1, 2].map(() => member(server, mailbox))
        await members[0]!.claim()
        const promised = new Set<string>()
        for (const { calls, failures } of bursts) {
          server.store.fail(failures)
          const results = await Promise.all(
            calls.map(async (step, i) => {
              const alice = members[i % members.length]!
              if (step.op === 'ack') return { acknowledged: step.names, ...(await alice.acknowledge(...step.names)) }
              return { put: step.name, ...(await alice.put(step.name)) }
            }),
          )
          server.store.fail(0)
          for (const result of results) {
            if ('put' in result && result.status === 'stored') promised.add(result.put)
          }
          const known = await states(members[0]!)
          const held = NAMES.filter((_, i) => known[i] === 'held')
          // What was receipted is there, or its reader said that it has it.
          for (const copy of promised) expect(known[NAMES.indexOf(copy)]).to.be.oneOf(['held', 'acknowledged'])
          const read = await readAll(members[0]!)
          expect(read.toSorted()).to.deep.equal(held.map((copy) => toHex(testCopy(copy).subarray(0, 8))).toSorted())
          expect(held.length).to.be.at.most(CAP)
          expect(server.custody.counters()).to.include({ copies: held.length })
        }
        const before = server.custody.counters()
        expect((await server.restart()).custody.counters()).to.deep.equal(before)
        expect(before.bytes).to.be.at.least(before.copies * (ENVELOPE_BYTES[0] + 40))
      }),
      { numRuns: 60 },
    )
  })
})
