/**
 * The client end of the mailbox protocol (PROTOCOL 6) on one link: says HELLO, signs commands, pays postage, and checks
 * everything that a server signs. Which mailboxes exist, when to try again and what a copy holds is the callers' work.
 */
import { concat, toHex } from '../crypto/bytes.ts'
import { sign } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import { MAX_PAID_BITS } from '../limits.ts'
import { type Kind, mailboxAddress } from '../mailbox/keys.ts'
import { mintClaimPostage, pay, POSTAGE_NONCE_BYTES } from '../mailbox/postage.ts'
import type { Clock, Link, Logger, Random } from '../ports.ts'
import * as wire from '../wire/commands.ts'
import { encode } from '../wire/schema.ts'
import {
  type ClaimResult,
  copyState,
  type CopyState,
  provenBy,
  type PutResult,
  putResult,
  readBody,
  readResult,
  type ReadResult,
  readStat,
  type RecordResult,
  recordResult,
  type Refusal,
  refusal,
  type SignedBytes,
  type StatResult,
  unproven,
} from './mailbox-answers.ts'
import { MailboxCalls, type ServerHello } from './mailbox-calls.ts'

export type {
  ClaimResult,
  CopyState,
  PutResult,
  ReadResult,
  RecordResult,
  Refusal,
  StatResult,
} from './mailbox-answers.ts'

export interface MailboxClientInit {
  link: Link
  clock: Clock
  random: Random
  logger: Logger
  /** How long an answer may take, for every verb but PULL. @default 10 seconds */
  timeoutMs?: number
}

export interface ClaimInput {
  kind: Kind
  writer: { public: Uint8Array }
  reader: { public: Uint8Array; seed: Uint8Array }
  /** Seconds. */
  until: number
}

export interface PutInput {
  address: Uint8Array
  writerSeed: Uint8Array
  copy: Uint8Array
  /** Seconds. */
  expires: number
  /** R's public key: `acknowledged` must then come with R's proof. */
  reader?: Uint8Array
}

export interface StatInput {
  address: Uint8Array
  /** 1 to 256. */
  cids: Uint8Array[]
  /** R's public key: what is called acknowledged or released must then come with R's proof. */
  reader?: Uint8Array
  /** For kinds invite and box. */
  readerSeed?: Uint8Array
}

export interface ReadEntry {
  address: Uint8Array
  /** Position after which to read, 0 for all. */
  after: number
  /** For kinds invite and box. */
  readerSeed?: Uint8Array
}

export interface ReadInput {
  /** Store that the positions belong to; with another one they count as 0. */
  storeId?: Uint8Array
  entries: ReadEntry[]
}

/**
 * Every call: @throws NetworkError `LINK_CLOSED`, `TIMED_OUT`; PeerError when the server answers what the protocol
 * does not allow (`MALFORMED`, `BAD_SIGNATURE`, `NONSENSE`, `UNPROVEN`).
 */
export interface MailboxClient {
  /** Multihash bytes of the server's peer ID. */
  readonly server: Uint8Array
  hello(): Promise<ServerHello>
  claim(input: ClaimInput): Promise<ClaimResult>
  put(input: PutInput): Promise<PutResult>
  stat(input: StatInput): Promise<StatResult>
  fetch(input: ReadInput): Promise<ReadResult>
  /** Adds to, and takes from, what PULL of this link reads. */
  subscribe(input: ReadInput & { remove?: Uint8Array[] }): Promise<ReadResult>
  /** Waits until there is mail for a subscribed address; one at a time. */
  pull(): Promise<ReadResult>
  acknowledge(input: {
    address: Uint8Array
    readerSeed: Uint8Array
    cids: Uint8Array[]
  }): Promise<{ status: 'ok' } | Refusal>
  release(input: { address: Uint8Array; readerSeed: Uint8Array }): Promise<{ status: 'ok' } | Refusal>
  request(input: {
    address: Uint8Array
    writerSeed: Uint8Array
    leg: Uint8Array
    expires: number
  }): Promise<{ status: 'placed'; slot: number } | Refusal>
  getRecord(key: Uint8Array): Promise<RecordResult>
  /** Hands a record in; answered with the best one the server knows, which may be a higher one. */
  putRecord(input: { key: Uint8Array; record: Uint8Array }): Promise<RecordResult>
  close(): void
}

const NOTHING = new Uint8Array(0)

/** A client of the server at the other end of `link`, which it owns from here on. */
export function createMailboxClient(init: MailboxClientInit): MailboxClient {
  return new Client(init)
}

class Client implements MailboxClient {
  readonly #link: Link
  readonly #clock: Clock
  readonly #random: Random
  readonly #calls: MailboxCalls
  readonly #subscribed = new Set<string>()

  constructor(init: MailboxClientInit) {
    this.#link = init.link
    this.#clock = init.clock
    this.#random = init.random
    this.#calls = new MailboxCalls(init)
  }

  get server(): Uint8Array {
    return this.#link.peerId
  }

  async hello(): Promise<ServerHello> {
    const { policy, storeId, time } = await this.#calls.greet()
    return { policy, storeId, time }
  }

  async claim({ kind, writer, reader, until }: ClaimInput): Promise<ClaimResult> {
    const address = mailboxAddress(kind, writer.public, reader.public)
    const answer = await this.#calls.withChallenge(wire.VERB.claim, async ({ policy, challenge }) => {
      if (policy.claimBits > MAX_PAID_BITS) return undefined
      const nonce = await this.#mint(wire.claimPostageSubject(challenge, address), policy.claimBits)
      const args = encode(wire.claimArgs, { kind, writer: writer.public, reader: reader.public, until, nonce })
      return this.#signed(wire.VERB.claim, challenge, args, args, reader.seed)
    })
    return refusal(answer) ?? { status: 'claimed', until: readBody(wire.claimAnswer, answer).until }
  }

  async put({ address, writerSeed, copy, expires, reader }: PutInput): Promise<PutResult> {
    const cid = wire.copyId(copy)
    const answer = await this.#calls.withChallenge(wire.VERB.put, ({ challenge }) =>
      this.#signed(
        wire.VERB.put,
        challenge,
        encode(wire.putArgs, { address, copy, expires }),
        encode(wire.putSigned, { address, cid, expires }),
        writerSeed,
      ),
    )
    return putResult(this.server, answer, { address, cid, reader })
  }

  async stat({ address, cids, reader, readerSeed }: StatInput): Promise<StatResult> {
    const states = new Map<string, CopyState>()
    const signedAnswers: SignedBytes[] = []
    // One answer holds few proofs: what it could not prove is asked again.
    let open = cids
    for (;;) {
      const answer = await this.#askStat(address, open, readerSeed)
      const no = refusal(answer)
      if (no) return no
      const { signed, value } = readStat(this.server, answer, address, open)
      signedAnswers.push(signed)
      const proven = reader && provenBy(reader, { server: this.server, address }, value.proofs)
      const doubtful: Uint8Array[] = []
      for (const [i, cid] of open.entries()) {
        const state = copyState(value.states[i]!)
        if (proven && !proven(cid, state)) doubtful.push(cid)
        else states.set(toHex(cid), state)
      }
      if (doubtful.length === 0) {
        const { storeId, time } = value
        const inOrder = cids.map((cid) => states.get(toHex(cid))!)
        return { status: 'ok', storeId, time, states: inOrder, signed: signedAnswers }
      }
      if (open.length === doubtful.length) unproven()
      open = doubtful
    }
  }

  async fetch(input: ReadInput): Promise<ReadResult> {
    const asked = new Set(input.entries.map(({ address }) => toHex(address)))
    const answer = await this.#read(wire.VERB.fetch, input)
    return refusal(answer) ?? readResult(answer, asked)
  }

  async subscribe(input: ReadInput & { remove?: Uint8Array[] }): Promise<ReadResult> {
    // Before the answer: a PULL may bring the first mail ahead of it.
    for (const { address } of input.entries) this.#subscribed.add(toHex(address))
    const answer = await this.#read(wire.VERB.subscribe, input)
    const no = refusal(answer)
    if (no) return no
    for (const address of input.remove ?? []) this.#subscribed.delete(toHex(address))
    return readResult(answer, this.#subscribed)
  }

  async pull(): Promise<ReadResult> {
    const answer = await this.#calls.call(wire.VERB.pull, NOTHING)
    return refusal(answer) ?? readResult(answer, this.#subscribed)
  }

  async acknowledge(input: {
    address: Uint8Array
    readerSeed: Uint8Array
    cids: Uint8Array[]
  }): Promise<{ status: 'ok' } | Refusal> {
    const args = encode(wire.acknowledgeArgs, { address: input.address, cids: input.cids })
    return this.#byReader(wire.VERB.acknowledge, args, input.readerSeed)
  }

  async release(input: { address: Uint8Array; readerSeed: Uint8Array }): Promise<{ status: 'ok' } | Refusal> {
    return this.#byReader(wire.VERB.release, encode(wire.releaseArgs, { address: input.address }), input.readerSeed)
  }

  async request(input: {
    address: Uint8Array
    writerSeed: Uint8Array
    leg: Uint8Array
    expires: number
  }): Promise<{ status: 'placed'; slot: number } | Refusal> {
    const { address, writerSeed, leg, expires } = input
    const cid = wire.copyId(leg)
    const answer = await this.#calls.withChallenge(wire.VERB.request, async ({ policy, challenge }) => {
      if (policy.claimBits > MAX_PAID_BITS) return undefined
      const nonce = await this.#mint(wire.claimPostageSubject(challenge, concat(address, cid)), policy.claimBits)
      return this.#signed(
        wire.VERB.request,
        challenge,
        encode(wire.requestArgs, { address, leg, expires, nonce }),
        encode(wire.putSigned, { address, cid, expires }),
        writerSeed,
      )
    })
    return refusal(answer) ?? { status: 'placed', slot: readBody(wire.requestAnswer, answer).slot }
  }

  async getRecord(key: Uint8Array): Promise<RecordResult> {
    return recordResult(this.server, await this.#calls.call(wire.VERB.record, encode(wire.recordArgs, { key })), key)
  }

  async putRecord({ key, record }: { key: Uint8Array; record: Uint8Array }): Promise<RecordResult> {
    const subject = concat(key, sha256(record))
    const answer = await this.#calls.withChallenge(wire.VERB.record, async ({ policy, challenge }) => {
      if (policy.claimBits > MAX_PAID_BITS) return undefined
      const nonce = await this.#mint(wire.claimPostageSubject(challenge, subject), policy.claimBits)
      return encode(wire.recordArgs, { key, record, nonce, challenge })
    })
    return recordResult(this.server, answer, key)
  }

  close(): void {
    this.#link.close()
  }

  #signed(verb: wire.Verb, challenge: Uint8Array, args: Uint8Array, covered: Uint8Array, seed: Uint8Array): Uint8Array {
    const signature = sign(seed, 'command', wire.signedCommand(verb, this.server, challenge, covered))
    return encode(wire.signedArgs, { args, challenge, signature })
  }

  async #byReader(verb: wire.Verb, args: Uint8Array, readerSeed: Uint8Array): Promise<{ status: 'ok' } | Refusal> {
    const answer = await this.#calls.withChallenge(verb, ({ challenge }) =>
      this.#signed(verb, challenge, args, args, readerSeed),
    )
    return refusal(answer) ?? { status: 'ok' }
  }

  #mint(subject: Uint8Array, bits: number): Promise<Uint8Array> {
    const mint = mintClaimPostage(subject, bits, this.#random.bytes(POSTAGE_NONCE_BYTES))
    return pay(mint, () => this.#clock.yield())
  }

  async #read(verb: wire.Verb, { storeId, entries, remove }: ReadInput & { remove?: Uint8Array[] }) {
    const args = (challenge: Uint8Array | undefined): Uint8Array =>
      encode(wire.readArgs, {
        storeId,
        entries: entries.map(({ address, after, readerSeed }) => {
          if (readerSeed === undefined || challenge === undefined) return { address, after }
          const command = wire.signedCommand(verb, this.server, challenge, encode(wire.readSigned, { address }))
          return { address, after, signature: sign(readerSeed, 'command', command) }
        }),
        challenge,
        remove,
      })
    if (entries.every(({ readerSeed }) => readerSeed === undefined)) return this.#calls.call(verb, args(undefined))
    return this.#calls.withChallenge(verb, ({ challenge }) => args(challenge))
  }

  #askStat(address: Uint8Array, cids: Uint8Array[], readerSeed: Uint8Array | undefined): Promise<wire.Answer> {
    if (readerSeed === undefined) return this.#calls.call(wire.VERB.stat, encode(wire.statArgs, { address, cids }))
    return this.#calls.withChallenge(wire.VERB.stat, ({ challenge }) => {
      const covered = encode(wire.statSigned, { address, cids })
      const signature = sign(readerSeed, 'command', wire.signedCommand(wire.VERB.stat, this.server, challenge, covered))
      return encode(wire.statArgs, { address, cids, challenge, signature })
    })
  }
}
