/** The guard: everything that would tie a simulation to this machine throws while a world runs, and only then. */
import nodeCrypto, { randomBytes } from 'node:crypto'
import fs, { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import timers, { setTimeout as namedSetTimeout } from 'node:timers'
import { setTimeout as promisedSetTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import zlib from 'node:zlib'
import { spawn } from 'node:child_process'
import { expect } from 'chai'
import { createWorld } from './world.ts'

const FORBIDDEN: Record<string, () => unknown> = {
  'Date.now': () => Date.now(),
  'new Date': () => new Date(),
  'Date()': () => (Date as unknown as () => string)(),
  'performance.now': () => performance.now(),
  'process.hrtime': () => process.hrtime(),
  'process.hrtime.bigint': () => process.hrtime.bigint(),
  'process.uptime': () => process.uptime(),
  setTimeout: () => setTimeout(() => {}, 0),
  setInterval: () => clearInterval(setInterval(() => {}, 1000)),
  setImmediate: () => setImmediate(() => {}),
  'timers.setTimeout': () => timers.setTimeout(() => {}, 0),
  'setTimeout imported by name': () => namedSetTimeout(() => {}, 0),
  'timers/promises': () => promisedSetTimeout(0),
  'AbortSignal.timeout': () => AbortSignal.timeout(1),
  'Math.random': () => Math.random(),
  'crypto.getRandomValues': () => crypto.getRandomValues(new Uint8Array(1)),
  'crypto.randomUUID': () => crypto.randomUUID(),
  'crypto.subtle.digest': () => crypto.subtle.digest('SHA-256', new Uint8Array(1)),
  'node:crypto randomBytes': () => nodeCrypto.randomBytes(1),
  'randomBytes imported by name': () => randomBytes(1),
  'node:crypto randomInt': () => nodeCrypto.randomInt(5),
  'node:crypto randomFillSync': () => nodeCrypto.randomFillSync(new Uint8Array(1)),
  'node:crypto generateKeyPairSync': () => nodeCrypto.generateKeyPairSync('ed25519'),
  'node:crypto scrypt': () => nodeCrypto.scrypt('', '', 8, () => {}),
  'node:crypto encapsulate': () => (nodeCrypto as unknown as { encapsulate(key: string): void }).encapsulate(''),
  'zlib.gzip': () => zlib.gzip('', () => {}),
  'zlib.createGzip': () => zlib.createGzip(),
  'fs.readFileSync': () => readFileSync(import.meta.filename),
  'fs.promises.readFile': () => fs.promises.readFile(import.meta.filename),
  'readFile imported by name': () => readFile(import.meta.filename),
  'child_process.spawn': () => spawn('true'),
  'net.connect': () => net.connect({ port: 1 }).on('error', () => {}),
  Worker: () => new Worker('', { eval: true }),
  WeakRef: () => new WeakRef({}),
  FinalizationRegistry: () => new FinalizationRegistry(() => {}),
  localeCompare: () => 'a'.localeCompare('b'),
  'Intl.Collator': () => new Intl.Collator(),
  fetch: () => fetch('data:,'),
}

function everythingWorks(): void {
  expect(Date.now()).to.be.greaterThan(0)
  expect(new Date()).to.be.instanceOf(Date)
  expect(randomBytes(3)).to.have.length(3)
  expect(readFileSync(import.meta.filename).length).to.be.greaterThan(0)
}

describe('simulation guard', () => {
  for (const [name, call] of Object.entries(FORBIDDEN)) {
    it(`refuses ${name} while a world runs`, async () => {
      const world = createWorld(1)
      let thrown: unknown
      world.schedule(1, () => {
        try {
          void call()
        } catch (error) {
          thrown = error
        }
      })
      // Swallowed by the code that called, and still the run fails.
      let failed: unknown
      await world.run().catch((error: unknown) => {
        failed = error
      })
      expect(thrown).to.have.property('name', 'GuardError')
      expect(failed).to.have.property('name', 'SimulationError')
    })
  }

  it('refuses in what follows from an event, too', async () => {
    const world = createWorld(1)
    const node = await world.start('a', (ports) => ports)
    const late = node.do(async ({ clock }) => {
      await clock.yield()
      await Promise.resolve()
      return Date.now()
    })
    expect(await late.catch((error: unknown) => error))
      .to.have.property('message')
      .that.matches(/Date\.now/)
  })

  it('lets functions of their arguments through', async () => {
    const world = createWorld(1)
    const done = await world.do(() => [
      new Date(0).toISOString(),
      nodeCrypto.createHash('sha256').update('').digest('hex').slice(0, 8),
      zlib.inflateSync(zlib.deflateSync('x')).toString(),
      new Date(5) instanceof Date,
    ])
    expect(done).to.deep.equal(['1970-01-01T00:00:00.000Z', 'e3b0c442', 'x', true])
  })

  it('lets everything through before, between and after the runs of a world', async () => {
    const world = createWorld(1)
    everythingWorks()
    await world.run({ forMs: 1 })
    everythingWorks()
    await new Promise((resolve) => setTimeout(resolve, 1))
    await promisedSetTimeout(1)
    await world.run({ forMs: 1 })
    everythingWorks()
  })

  it('knows two worlds apart: the one that another interrupts ends', async () => {
    const first = createWorld(1)
    const tick = (): void => void first.schedule(1, tick)
    tick()
    const running = first.run({ forMs: 1e9 }).catch((error: unknown) => error)
    await createWorld(2).run({ forMs: 10 })
    expect(await running)
      .to.have.property('message')
      .that.matches(/another world/)
  })
})
