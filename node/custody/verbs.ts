/**
 * The verbs that need no stream (PROTOCOL 6): arguments in, answer out. Cheap checks come before dear ones: size and
 * form, rate, challenge, postage, and only then a signature. What a peer sent wrong is a status, never an exception.
 */
import { concat } from '../crypto/bytes.ts'
import { verify } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import { PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import { kindRules, mailboxAddress } from '../mailbox/keys.ts'
import { checkClaimPostage } from '../mailbox/postage.ts'
import * as wire from '../wire/commands.ts'
import { decode, encode, type Shape } from '../wire/schema.ts'
import type { Ledger } from './ledger.ts'
import type { Mailboxes, PutOutcome, Refused, SignedBy } from './mailboxes.ts'
import type { RequestSlots } from './request-slots.ts'
import type { RateLimit } from './rates.ts'
import type { Slip } from './rows.ts'
import type { ServedRecords } from './served-records.ts'
import type { ServerKeys } from './server-keys.ts'

const { STATUS, VERB } = wire
const NOTHING = new Uint8Array(0)
/** When a full mailbox is worth another try: its reader may have come by, or the hour's sweep. */
const FULL_RETRY_SECONDS = 3600
const DRAIN_RETRY_SECONDS = 86_400
/** Sizes that a copy can have. */
const COPY_BYTES: readonly number[] = [...limits.ENVELOPE_BYTES, limits.LEG_BYTES].map((bytes) => bytes + 40)

/** Who asks, as far as a server cares. */
export interface Asker {
  /** Source prefix, for rates and shares; in memory alone. */
  source: string
  /** This node itself: no rates, no postage, and it may claim where others may not. */
  local: boolean
}

export interface VerbsInit {
  keys: ServerKeys
  ledger: Ledger
  mailboxes: Mailboxes
  slots: RequestSlots
  records: ServedRecords
  /** For what writes something new for a stranger: CLAIM, REQUEST and handing in a RECORD. */
  dearRate: RateLimit
  /** Whether others may claim mailboxes and use RECORD: yes at a relay, no at a person's node. */
  openToAll: boolean
}

export class Verbs {
  readonly #init: VerbsInit

  constructor(init: VerbsInit) {
    this.#init = init
  }

  hello(args: Uint8Array, asker: Asker): wire.Answer {
    const { keys, ledger } = this.#init
    if (read(wire.helloArgs, args).version !== limits.PROTOCOL_VERSION) return no(STATUS.unsupported)
    const time = ledger.now()
    const { policy, signature } = keys.signedPolicy(time, this.#bits(asker))
    const { storeId } = keys
    return ok(wire.helloAnswer, { policy, signature, storeId, time, challenge: keys.challenge(time) })
  }

  async claim(args: Uint8Array, asker: Asker): Promise<wire.Answer> {
    const { mailboxes, openToAll } = this.#init
    const command = read(wire.signedArgs, args)
    const { kind: code, writer, reader, until, nonce } = read(wire.claimArgs, command.args)
    const rules = kindRules(code)
    if (!rules) return no(STATUS.unsupported)
    if (!openToAll && !asker.local) return no(STATUS.refused)
    const address = mailboxAddress(rules.kind, writer, reader)
    const stop = this.#new(asker) ?? this.#leaving() ?? this.#paid(command.challenge, address, nonce, asker)
    if (stop) return stop
    if (!this.#signedBy(VERB.claim, command)(reader)) return no(STATUS.refused)
    const result = await mailboxes.claim({ kind: rules.kind, writer, reader, until }, asker.source)
    return typeof result === 'number' ? ok(wire.claimAnswer, { until: result }) : refusal(result)
  }

  async put(args: Uint8Array): Promise<wire.Answer> {
    const { mailboxes } = this.#init
    const command = read(wire.signedArgs, args)
    const { address, copy, expires } = read(wire.putArgs, command.args)
    if (!COPY_BYTES.includes(copy.length)) return no(STATUS.malformed)
    const stop = this.#drained() ?? this.#fresh(command.challenge)
    if (stop) return stop
    const cid = wire.copyId(copy)
    const signedBy = this.#signedBy(VERB.put, command, encode(wire.putSigned, { address, cid, expires }))
    return this.#putAnswer(await mailboxes.put({ address, cid, copy, expires }, signedBy), address, cid)
  }

  async #putAnswer(outcome: PutOutcome, address: Uint8Array, cid: Uint8Array): Promise<wire.Answer> {
    if (outcome.result === 'stored') return this.#receipt(address, outcome.slip, outcome.room)
    if (outcome.result !== 'acknowledged') return refusal(outcome.result)
    // The reader has it: the writer is shown R's own word for that.
    const known = await this.#init.mailboxes.stat(address, [cid], () => true)
    return { status: STATUS.acknowledged, body: this.#statBody(address, [cid], known!) }
  }

  #receipt(address: Uint8Array, slip: Slip, room: number): wire.Answer {
    const { keys } = this.#init
    const { cid, stored, expires } = slip
    const { peerId: server, storeId } = keys
    const body = encode(wire.putReceipt, { server, cid, address, storeId, stored, expires, room })
    return ok(wire.signedBody, { body, signature: keys.sign('putReceipt', body) })
  }

  async stat(args: Uint8Array): Promise<wire.Answer> {
    const { address, cids, challenge, signature } = read(wire.statArgs, args)
    let signedBy = unsigned
    if (challenge && signature) {
      const stop = this.#fresh(challenge)
      if (stop) return stop
      const covered = encode(wire.statSigned, { address, cids })
      signedBy = this.#signedBy(VERB.stat, { args: covered, challenge, signature })
    }
    const known = await this.#init.mailboxes.stat(address, cids, signedBy)
    return known ? { status: STATUS.ok, body: this.#statBody(address, cids, known) } : no(STATUS.refused)
  }

  #statBody(address: Uint8Array, cids: Uint8Array[], known: { states: number[]; proofs: Uint8Array[] }): Uint8Array {
    const { keys, ledger } = this.#init
    const { peerId: server, storeId } = keys
    const body = encode(wire.statAnswer, { server, address, storeId, time: ledger.now(), cids, ...known })
    return encode(wire.signedBody, { body, signature: keys.sign('statAnswer', body) })
  }

  async acknowledge(args: Uint8Array): Promise<wire.Answer> {
    const command = read(wire.signedArgs, args)
    const { address, cids } = read(wire.acknowledgeArgs, command.args)
    const stop = this.#fresh(command.challenge)
    if (stop) return stop
    const words = this.#words(VERB.acknowledge, command)
    const signedBy = this.#signedBy(VERB.acknowledge, command)
    const result = await this.#init.mailboxes.acknowledge(address, cids, words, signedBy)
    return result === 'ok' ? { status: STATUS.ok, body: NOTHING } : refusal(result)
  }

  async release(args: Uint8Array): Promise<wire.Answer> {
    const command = read(wire.signedArgs, args)
    const { address } = read(wire.releaseArgs, command.args)
    const stop = this.#fresh(command.challenge)
    if (stop) return stop
    const words = this.#words(VERB.release, command)
    const result = await this.#init.mailboxes.release(address, words, this.#signedBy(VERB.release, command))
    return result === 'ok' ? { status: STATUS.ok, body: NOTHING } : refusal(result)
  }

  async request(args: Uint8Array, asker: Asker): Promise<wire.Answer> {
    const command = read(wire.signedArgs, args)
    const { address, leg, expires, nonce } = read(wire.requestArgs, command.args)
    const cid = wire.copyId(leg)
    const stop = this.#new(asker) ?? this.#paid(command.challenge, concat(address, cid), nonce, asker)
    if (stop) return stop
    const signedBy = this.#signedBy(VERB.request, command, encode(wire.putSigned, { address, cid, expires }))
    const result = await this.#init.slots.place({ address, cid, leg, expires }, asker.source, signedBy)
    return typeof result === 'string' ? refusal(result) : ok(wire.requestAnswer, { slot: result.slot })
  }

  async record(args: Uint8Array, asker: Asker): Promise<wire.Answer> {
    const { keys, ledger, records, openToAll } = this.#init
    const { key, record, nonce, challenge } = read(wire.recordArgs, args)
    if (!openToAll && !asker.local) return no(STATUS.unsupported)
    if (!key) return no(STATUS.malformed)
    const now = ledger.now()
    let row = record === undefined ? await records.get(key, now) : undefined
    if (record !== undefined) {
      if (!nonce || !challenge) return no(STATUS.price)
      const stop = this.#new(asker) ?? this.#paid(challenge, concat(key, sha256(record)), nonce, asker)
      if (stop) return stop
      const taken = await this.#takeRecord(key, record, now, asker.source)
      if (typeof taken === 'string') return refusal(taken)
      row = taken
    }
    if (!row) return no(STATUS.absent)
    const { seq } = row
    const hash = sha256(row.record)
    const receipt = encode(wire.recordReceipt, { server: keys.peerId, key, seq, hash, time: now })
    return ok(wire.recordAnswer, { record: row.record, receipt, signature: keys.sign('recordReceipt', receipt) })
  }

  async #takeRecord(key: Uint8Array, record: Uint8Array, now: number, source: string) {
    try {
      return await this.#init.records.put(key, record, now, source)
    } catch (error) {
      if (error instanceof PeerError) return 'refused'
      throw error
    }
  }

  /** Undefined when the challenge is one of ours and not too old. */
  #fresh(challenge: Uint8Array): wire.Answer | undefined {
    const { keys, ledger } = this.#init
    return keys.accepts(challenge, ledger.now()) ? undefined : no(STATUS.challenge)
  }

  #drained(): wire.Answer | undefined {
    const { keys, ledger } = this.#init
    const { drain } = keys.policy
    return drain !== undefined && ledger.now() >= drain ? no(STATUS.full, DRAIN_RETRY_SECONDS) : undefined
  }

  /** Who announced its end opens no mailbox any more, though mail comes until then. */
  #leaving(): wire.Answer | undefined {
    return this.#init.keys.policy.drain === undefined ? undefined : no(STATUS.full, DRAIN_RETRY_SECONDS)
  }

  /** Undefined when something new may be written for this asker now. */
  #new(asker: Asker): wire.Answer | undefined {
    const wait = asker.local ? 0 : this.#init.dearRate.take(asker.source)
    return wait > 0 ? no(STATUS.busy, wait) : this.#drained()
  }

  #paid(challenge: Uint8Array, subject: Uint8Array, nonce: Uint8Array, asker: Asker): wire.Answer | undefined {
    const stop = this.#fresh(challenge)
    if (stop) return stop
    const paid = checkClaimPostage(wire.claimPostageSubject(challenge, subject), nonce, this.#bits(asker))
    return paid ? undefined : no(STATUS.price)
  }

  #bits(asker: Asker): number {
    return asker.local ? 0 : this.#init.keys.policy.claimBits
  }

  #command(verb: wire.Verb, challenge: Uint8Array, covered: Uint8Array): Uint8Array {
    return wire.signedCommand(verb, this.#init.keys.peerId, challenge, covered)
  }

  #signedBy(verb: wire.Verb, signed: wire.SignedArgs, covered = signed.args): SignedBy {
    return (key) => verify(key, 'command', this.#command(verb, signed.challenge, covered), signed.signature)
  }

  #words(verb: wire.Verb, signed: wire.SignedArgs): { command: Uint8Array; signature: Uint8Array } {
    return { command: this.#command(verb, signed.challenge, signed.args), signature: signed.signature }
  }

  /** Checks that R signed to read `address` by `verb`. */
  readerOf(verb: wire.Verb, address: Uint8Array, challenge: Uint8Array, signature: Uint8Array): SignedBy {
    return this.#signedBy(verb, { args: encode(wire.readSigned, { address }), challenge, signature })
  }

  /** The answer to a challenge that is not accepted, else undefined. */
  staleChallenge(challenge: Uint8Array | undefined): wire.Answer | undefined {
    return challenge && this.#fresh(challenge)
  }
}

const unsigned: SignedBy = () => false

// ---- answers ----

export function ok<T>(shape: Shape<T>, value: T): wire.Answer {
  return { status: STATUS.ok, body: encode(shape, value) }
}

/** A refusal without a body. @param retryAfter seconds */
export function no(status: wire.Status, retryAfter?: number): wire.Answer {
  return { status, body: NOTHING, retryAfter }
}

function refusal(reason: Refused): wire.Answer {
  return reason === 'full' ? no(STATUS.full, FULL_RETRY_SECONDS) : no(STATUS[reason])
}

function read<T>(shape: Shape<T>, args: Uint8Array): T {
  return decode(shape, args, limits.MAX_FRAME_BYTES)
}
