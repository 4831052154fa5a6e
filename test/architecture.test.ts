/**
 * The shape of the software, kept by force: who may import whom, no cycles, and what protocol and core may not touch.
 * To allow something new, change a table here and say why in the commit.
 */
import { join } from 'node:path'
import { expect } from 'chai'
import {
  type Apart,
  apartViolations,
  cycles,
  directionViolations,
  importsOf,
  partOf,
  readSources,
  type Rules,
  type Sources,
  withoutComments,
  wordViolations,
} from './support/architecture.ts'

const GROUND = ['errors', 'limits']
const PROTOCOL = [...GROUND, 'ports', 'crypto', 'wire']
const BELOW_CORE = [...PROTOCOL, 'mailbox', 'identity', 'session']
const CORE = ['directory', 'custody', 'delivery', 'friendship', 'conversation']

const RULES: Rules = {
  parts: {
    errors: [],
    limits: [],
    'keyed-queue': [],
    'local-address': [],
    ports: [...GROUND],
    config: [...GROUND, 'config-file', 'local-address'],
    'config-file': [...GROUND],
    'log-scrubber': [],
    logger: [...GROUND, 'ports', 'config', 'log-scrubber'],
    crypto: [...GROUND],
    wire: [...GROUND, 'crypto'],
    mailbox: PROTOCOL,
    identity: PROTOCOL,
    session: [...PROTOCOL, 'mailbox', 'identity'],
    directory: BELOW_CORE,
    custody: [...BELOW_CORE, 'keyed-queue'],
    delivery: [...BELOW_CORE, 'directory', 'keyed-queue', 'local-address'],
    friendship: [...BELOW_CORE, 'directory', 'delivery'],
    conversation: [...BELOW_CORE, 'directory', 'delivery', 'friendship', 'keyed-queue'],
    store: [...PROTOCOL, 'identity', 'config', 'logger'],
    network: [...PROTOCOL, 'mailbox', 'config', 'logger'],
    // the system's randomness makes the secrets of callers
    api: [...GROUND, 'ports', 'config', 'logger', 'crypto', 'system'],
    person: [...BELOW_CORE, ...CORE, 'api'],
    // composition roots: the places that know every part
    node: '*',
    relay: '*',
    'open-node': '*',
    // the machine's clock and randomness as ports
    system: [...GROUND, 'ports'],
    index: '*',
  },
  // faces speak to the node through its API
  cli: ['api', 'config', 'index', ...GROUND],
  packages: [
    { names: ['@noble/'], only: ['crypto'] },
    // the store draws salts, nonces and keys for what lies on this machine's disk; system.ts is the Random of production
    { names: ['node:crypto', 'crypto'], only: ['crypto', 'store', 'system'] },
    { names: ['libp2p', '@libp2p/', '@chainsafe/', '@multiformats/', 'multiformats'], only: ['network'] },
    { names: ['datastore-core', 'interface-datastore', 'it-', 'uint8arrays'], only: ['network'] },
    { names: ['level', 'abstract-level', 'classic-level', 'memory-level'], only: ['store'] },
    { names: ['commander', 'listr2', '@inquirer/', 'uqr'], only: ['cli'] },
    { names: ['cborg'], only: ['wire'] },
    { names: ['hono', '@hono/'], only: ['node/api/http/'] },
    { names: ['mocha', 'chai', 'fast-check'], only: [] },
  ],
  closed: {
    errors: [],
    limits: [],
    ports: [],
    crypto: ['@noble', 'node:crypto', 'node:util'],
    wire: ['cborg', '@scure/base'],
    mailbox: ['@scure/base'],
    identity: ['@scure/base', '@scure/bip39'],
    session: [],
    directory: [],
    custody: [],
    delivery: [],
    friendship: [],
    conversation: [],
    person: [],
  },
  // asynchronous, on a thread: never within reach of the core
  reserved: { 'node/crypto/argon2.ts': ['store'] },
}

/** Folders that a simulator has to be able to repeat to the byte. */
const REPEATABLE = ['crypto', 'wire', 'mailbox', 'identity', 'session', 'directory', 'custody', 'delivery']
  .concat(['friendship', 'conversation', 'person'])
  .concat(['errors', 'limits', 'ports'])

/** What would make a run depend on the machine: clocks, timers, randomness, files, threads, the locale, the collector. */
const FORBIDDEN: Record<string, RegExp> = {
  Date: /\bDate\b/,
  performance: /\bperformance\b/,
  hrtime: /\bhrtime\b/,
  timers: /\b(?:setTimeout|setInterval|setImmediate|clearTimeout|queueMicrotask|nextTick)\b/,
  'AbortSignal.timeout': /\bAbortSignal\s*\.\s*timeout\b/,
  randomness: /\bMath\s*\.\s*random\b|\brandom(?:Bytes|Int|UUID|Fill\w*|SecretKey|PrivateKey)\b|\bgetRandomValues\b/,
  WebCrypto: /\bsubtle\b|\bwebcrypto\b/,
  'key generation without coins': /\b(?:keygen|generateKeyPair\w*|generateKey\w*)\s*\(\s*\)|\bgenerateKeyPair\w*\b/,
  'encapsulate without coins': /\b[a-z]*[eE]ncapsulate\(\s*[^,()]+(?:\([^()]*\))?\s*\)/,
  locale: /\blocaleCompare\b|\bIntl\b|\btoLocale\w+\b/,
  'garbage collector': /\bWeakRef\b|\bFinalizationRegistry\b/,
  files: /['"](?:node:)?fs(?:\/promises)?['"]/,
  machine: /\bprocess\s*\.|['"]node:(?:os|worker_threads|child_process|net|http|https|zlib|timers)\b/,
}

/** The second reader of the formats knows the document and the vectors alone. */
const INTEROP: Apart = {
  folder: 'test/interop',
  packages: ['node:crypto', 'node:fs', 'chai'],
  data: ['../vectors/', '../../node_modules/@scure/bip39/wordlists/english.js'],
}

const ROOT = join(import.meta.dirname, '..')
const sources = readSources(ROOT, ['node', 'cli', 'test'])

describe('architecture', () => {
  it('reads the sources and finds their imports', () => {
    expect(sources.size).to.be.greaterThan(40)
    expect(
      importsOf('node/wire/schema.ts', sources.get('node/wire/schema.ts')!).map(({ to }) => to),
    ).to.include.members(['cborg', 'node/crypto/bytes.ts', 'node/errors.ts', 'node/wire/tokenizer.ts'])
  })

  it('imports go one way', () => {
    expect(directionViolations(sources, RULES)).to.deep.equal([])
  })

  it('no file imports itself in a circle, types included', () => {
    expect(cycles(sources)).to.deep.equal([])
  })

  it('the second reader of the formats shares no line with the first, nor with other tests', () => {
    expect([...sources.keys()].filter((path) => path.startsWith('test/interop/'))).to.have.length.above(20)
    expect(apartViolations(sources, INTEROP)).to.deep.equal([])
  })

  it('protocol and core have no clock, timer, randomness, file or locale of their own', () => {
    expect(wordViolations(sources, REPEATABLE, FORBIDDEN)).to.deep.equal([])
  })
})

/** The real sources with one planted file. */
function planted(path: string, source: string): Sources {
  return new Map([...sources, [path, source]])
}

describe('architecture: the checker itself', () => {
  const wrongImports: [string, string][] = [
    ['node/crypto/x.ts', "import { encode } from '../wire/schema.ts'"],
    ['node/wire/x.ts', "import type { Clock } from '../ports.ts'"],
    ['node/mailbox/x.ts', "export * from '../store/planted.ts'"],
    ['node/identity/x.ts', "const a = await import('../session/planted.ts')"],
    ['node/delivery/x.ts', "import type { A } from '../friendship/planted.ts'"],
    ['node/custody/x.ts', "let a: import('../delivery/planted.ts').A"],
    ['node/conversation/x.ts', "import '../network/planted.ts'"],
    ['node/session/x.ts', "import { a } from '../node.ts'"],
    ['node/api/x.ts', "import { a } from '../index.ts'"],
    ['node/node.ts', "import { a } from './index.ts'"],
    ['node/network/x.ts', "import { a } from '../../cli/planted.ts'"],
    ['node/network/y.ts', "import { a } from '../../test/planted.ts'"],
    ['cli/x.ts', "import { a } from '../node/delivery/planted.ts'"],
    ['cli/y.ts', "import { a } from '../node/node.ts'"],
    ['node/session/y.ts', "import { sha256 } from '@noble/hashes/sha2.js'"],
    ['node/api/y.ts', "import { randomBytes } from 'node:crypto'"],
    ['cli/z.ts', 'import { createLibp2p } from "libp2p"'],
    ['node/store/x.ts', "import type { PeerId } from '@libp2p/interface'"],
    ['node/network/z.ts', "import { Level } from 'level'"],
    ['node/delivery/y.ts', "import { z } from 'zod'"],
    ['node/mailbox/y.ts', "import { readFile } from 'node:fs/promises'"],
    ['node/custody/y.ts', "import { argon2id } from '../crypto/argon2.ts'"],
    ['node/api/w.ts', "import { Hono } from 'hono'"],
    ['cli/http/y.ts', "import { serve } from '@hono/node-server'"],
    ['node/api/z.ts', 'const a = await import(name)'],
    ['node/person/x.ts', "import { a } from '../store/planted.ts'"],
    ['node/newcomer/x.ts', ''],
    ['cli/w.ts', "import { a } from './absent.ts'"],
  ]
  // what the planted lines point at
  const targets = ['session', 'store', 'friendship', 'delivery', 'network']
    .map((part) => `node/${part}/planted.ts`)
    .concat(['cli/planted.ts', 'test/planted.ts', 'node/index.ts', 'node/node.ts'])

  for (const [path, source] of wrongImports) {
    it(`notices ${source || 'a new part'} in ${path}`, () => {
      const withTargets = new Map([...targets.map((target) => [target, ''] as const), ...planted(path, source)])
      const found = directionViolations(withTargets, RULES).filter((violation) => violation.startsWith(path))
      expect(found).to.have.lengthOf.at.least(1)
    })
  }

  it('lets through what is allowed', () => {
    const allowed: [string, string][] = [
      ['node/wire/x.ts', "import { concat } from '../crypto/bytes.ts'\nimport { decode } from './schema.ts'"],
      ['node/crypto/x.ts', "import { hash } from 'node:crypto'"],
      ['cli/x.ts', "import { KithError } from '../node/errors.ts'\nimport { join } from 'node:path'"],
      ['node/api/http/x.ts', "import { Hono } from 'hono'\nimport { streamSSE } from 'hono/streaming'"],
      ['test/x.ts', "import { ed25519 } from '@noble/curves/ed25519.js'\nimport '../node/crypto/argon2.ts'"],
      ['node/session/x.ts', "// import { a } from '../store/planted.ts'\n/* import 'level' */\nconst a = 1"],
    ]
    for (const [path, source] of allowed) {
      expect(
        directionViolations(planted(path, source), RULES).filter((violation) => violation.startsWith(path)),
        source,
      ).to.deep.equal([])
    }
  })

  it('notices what the second reader may not use', () => {
    const wrong = [
      "import { sha256 } from '../../node/crypto/hash.ts'",
      "import type { A } from '../../cli/a.ts'",
      "export * from '../support/architecture.ts'",
      "import { NOW } from '../vectors/makers/vector-file.ts'",
      "import { sha256 } from '@noble/hashes/sha2.js'",
      "import { decode } from 'cborg'",
      "import { peerIdFromString } from '@libp2p/peer-id'",
      "import { wordlist } from '@scure/bip39/wordlists/english.js'",
      "const a = await import('./bytes.ts')",
      "import { createRequire } from 'node:module'",
      "const source = new URL('../../node/limits.ts', import.meta.url)",
      "const source = readFileSync('./../unit/a.ts')",
    ]
    for (const source of wrong) {
      const found = apartViolations(new Map([['test/interop/x.ts', source]]), INTEROP)
      expect(found, source).to.have.lengthOf.at.least(1)
      expect(apartViolations(new Map([['test/unit/x.ts', source]]), INTEROP)).to.deep.equal([])
    }
    const allowed =
      "import { H } from './primitives.ts'\nimport { hash } from 'node:crypto'\nconst a = '../vectors/kith/a.json'"
    expect(apartViolations(new Map([['test/interop/x.ts', allowed]]), INTEROP)).to.deep.equal([])
  })

  it('notices circles of one, two and three, by types as well', () => {
    const circle = new Map([
      ['node/wire/a.ts', "import type { B } from './b.ts'"],
      ['node/wire/b.ts', "import { c } from './c.ts'"],
      ['node/wire/c.ts', "export * from './a.ts'\nimport './d.ts'"],
      ['node/wire/d.ts', "export { e } from './d.ts'"],
      ['node/wire/e.ts', "import { f } from './f.ts'\nimport './a.ts'"],
      ['node/wire/f.ts', "let e: typeof import('./e.ts')"],
      ['node/wire/g.ts', "import './a.ts'"],
    ])
    expect(cycles(circle)).to.have.deep.members([
      ['node/wire/a.ts', 'node/wire/b.ts', 'node/wire/c.ts'],
      ['node/wire/d.ts'],
      ['node/wire/e.ts', 'node/wire/f.ts'],
    ])
  })

  const wrongWords: Record<string, string[]> = {
    Date: ['const now = Date.now()', 'new Date()'],
    performance: ['performance.now()'],
    hrtime: ['process.hrtime.bigint()'],
    timers: ['setTimeout(run, 1)', 'setInterval(run, 1)', 'setImmediate(run)', 'queueMicrotask(run)'],
    'AbortSignal.timeout': ['AbortSignal.timeout(5)'],
    randomness: ['Math.random()', 'randomBytes(4)', 'crypto.getRandomValues(a)', 'ed25519.utils.randomSecretKey()'],
    WebCrypto: ['await crypto.subtle.digest(a)', 'globalThis.crypto["subtle"]'],
    'key generation without coins': ['ml_kem768.keygen()', "generateKeyPairSync('ed25519')"],
    'encapsulate without coins': ['ml_kem768.encapsulate(key)', 'kemEncapsulate(untypeKey(a))'],
    locale: ['a.localeCompare(b)', 'new Intl.Collator()', 'a.toLocaleLowerCase()'],
    'garbage collector': ['new WeakRef(a)', 'new FinalizationRegistry(a)'],
    files: ["import { readFile } from 'node:fs/promises'", "import fs from 'fs'"],
    machine: ['process.env.HOME', "import { Worker } from 'node:worker_threads'"],
  }

  it('has an example for each forbidden word', () => {
    expect(Object.keys(wrongWords)).to.deep.equal(Object.keys(FORBIDDEN))
  })

  for (const [word, examples] of Object.entries(wrongWords)) {
    it(`notices ${word}`, () => {
      for (const example of examples) {
        const found = wordViolations(new Map([['node/session/x.ts', example]]), REPEATABLE, FORBIDDEN)
        expect(
          found.some((violation) => violation.includes(`: ${word} (`)),
          example,
        ).to.equal(true)
        // where the machine is allowed, and in a comment, it is none
        expect(wordViolations(new Map([['node/network/x.ts', example]]), REPEATABLE, FORBIDDEN)).to.deep.equal([])
        const comment = new Map([['node/session/x.ts', `/* ${example} */ // ${example}`]])
        expect(wordViolations(comment, REPEATABLE, FORBIDDEN)).to.deep.equal([])
      }
    })
  }

  it('is not confused by slashes in strings, nor by words that contain a forbidden one', () => {
    expect(withoutComments("const a = 'http://b' // c")).to.equal("const a = 'http://b'  ")
    expect(partOf('node/ports.ts')).to.equal('ports')
    const innocent = 'const updated = validate(expiryDate)\nml_kem768.encapsulate(key, coins)\nml_kem768.keygen(seed)'
    expect(wordViolations(new Map([['node/session/x.ts', innocent]]), REPEATABLE, FORBIDDEN)).to.deep.equal([])
  })
})
