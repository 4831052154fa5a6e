/** Mailbox servers and their clients in one process, on a manual clock and a store in memory. */
import { utf8 } from '../../node/crypto/bytes.ts'
import { type Ed25519KeyPair, ed25519KeyPair } from '../../node/crypto/ed25519.ts'
import { sha256 } from '../../node/crypto/hash.ts'
import { createCustody, type Custody, type CustodyInit } from '../../node/custody/custody.ts'
import { createMailboxClient, type MailboxClient } from '../../node/delivery/mailbox-client.ts'
import { ENVELOPE_BYTES } from '../../node/limits.ts'
import { type Kind, KIND, mailboxAddress } from '../../node/mailbox/keys.ts'
import type { LinkServer, Logger } from '../../node/ports.ts'
import { copyId } from '../../node/wire/commands.ts'
import { peerIdOf } from '../../node/wire/peer-id.ts'
import { countingRandom } from './counting-random.ts'
import { createLoopbackLink, type LoopbackLink } from './loopback-link.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'

export const HOUR = 3600
export const DAY = 86_400
export const WEEK = 7 * DAY

/** Logs of level error are bugs: they are kept, and tests expect none. */
export interface TestLogger extends Logger {
  readonly errors: string[]
}

const quiet = (): void => undefined

export function testLogger(): TestLogger {
  const errors: string[] = []
  const error = (message: string, detail?: Record<string, unknown>): void =>
    void errors.push(`${message} ${JSON.stringify(detail)}`)
  return { errors, debug: quiet, info: quiet, warn: quiet, error }
}

export interface TestServer {
  custody: Custody
  clock: ManualClock
  store: MemoryStore
  logger: TestLogger
  peerId: Uint8Array
  /** A client on a new stream. @param prefix where it comes from */
  client(prefix?: string): MailboxClient & { link: LoopbackLink }
  /** A bare stream. */
  stream(prefix?: string): LinkServer
  /** The same store under a new server. */
  restart(changes?: Partial<CustodyInit>): Promise<TestServer>
  /** Seconds. */
  now(): number
}

export interface TestServerInit {
  name?: string
  clock?: ManualClock
  store?: MemoryStore
  custody?: Partial<CustodyInit>
}

/** A server whose postage is 4 bits, unless `custody.policy` says otherwise. */
export async function testServer(init: TestServerInit = {}): Promise<TestServer> {
  const { name = 'server', clock = createManualClock(), store = createMemoryStore(), custody: changes } = init
  const logger = testLogger()
  const transport = seedKeys(`transport ${name}`)
  const peerId = peerIdOf(transport.public)
  const custody = await createCustody({
    store,
    clock,
    random: countingRandom(`${name} ${store.writes}`),
    logger,
    peerId,
    signingSeed: transport.seed,
    openToAll: true,
    validateRecord: () => undefined,
    compareRecords: () => 0,
    ...changes,
    policy: { claimBits: 4, ...changes?.policy },
  })
  let clients = 0
  const accept = (prefix: string): LinkServer => {
    const stream = custody.accept({ prefix })
    if (!stream) throw new Error(`${prefix} is banned`)
    return stream
  }
  return {
    custody,
    clock,
    store,
    logger,
    peerId,
    client(prefix = '192.0.2.0/24') {
      const link = createLoopbackLink(accept(prefix), peerId, clock)
      const random = countingRandom(`client ${name} ${clients++}`)
      return Object.assign(createMailboxClient({ link, clock, random, logger }), { link })
    },
    stream: (prefix = '192.0.2.0/24') => accept(prefix),
    restart(again) {
      custody.stop()
      return testServer({ name, clock, store, custody: { ...changes, ...again } })
    },
    now: () => Math.floor(clock.now() / 1000),
  }
}

export interface TestMailbox {
  kind: Kind
  writer: Ed25519KeyPair
  reader: Ed25519KeyPair
  address: Uint8Array
}

/** A mailbox whose keys follow from its name. */
export function testMailbox(name: string, kind: Kind = KIND.friend): TestMailbox {
  const writer = seedKeys(`writer ${name}`)
  const reader = seedKeys(`reader ${name}`)
  return { kind, writer, reader, address: mailboxAddress(kind, writer.public, reader.public) }
}

export function seedKeys(name: string): Ed25519KeyPair {
  return ed25519KeyPair(sha256(utf8(name)))
}

/** A copy of the smallest envelope, or of `bytes`. */
export function testCopy(name: string, bytes: number = ENVELOPE_BYTES[0] + 40): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy.set(sha256(utf8(name)))
  return copy
}

export function testCid(name: string): Uint8Array {
  return copyId(testCopy(name))
}

/** The members of a mailbox act through one client, with what each call needs filled in. */
export function member(server: TestServer, mailbox: TestMailbox, prefix?: string) {
  const client = server.client(prefix)
  const { kind, writer, reader, address } = mailbox
  return {
    client,
    claim: (days = 90) => client.claim({ kind, writer, reader, until: server.now() + days * DAY }),
    put: (name: string, days = 20, bytes?: number) =>
      client.put({
        address,
        writerSeed: writer.seed,
        copy: testCopy(name, bytes),
        expires: server.now() + days * DAY,
        reader: reader.public,
      }),
    stat: (...names: string[]) => client.stat({ address, cids: names.map(testCid), reader: reader.public }),
    fetch: (after = 0, storeId: Uint8Array | undefined = server.custody.storeId) =>
      client.fetch({ storeId, entries: [{ address, after }] }),
    acknowledge: (...names: string[]) =>
      client.acknowledge({ address, readerSeed: reader.seed, cids: names.map(testCid) }),
    release: () => client.release({ address, readerSeed: reader.seed }),
  }
}
