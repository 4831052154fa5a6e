/*
 * A mailbox server in memory (section 6), with the checks of each verb in the order of the document. It draws nothing: its
 * challenge, store ID and policy are given, so that its answers can be compared byte for byte.
 */
import { concat, must, Refused, same, toHex } from './bytes.ts'
import { checkSignature, ed25519Public, peerIdOf, signLabelled } from './keys.ts'
import { addressOf, cidOf, KIND } from './mailbox.ts'
import {
  Answered,
  BY_REQUEST,
  type Claim,
  COPY_BYTES,
  DAY,
  FIRST,
  HOUR,
  MIB,
  orElse,
  roomFor,
  upToHour,
} from './mailbox-claims.ts'
import * as maps from './mailbox-maps.ts'
import { type MailItem, type SignedArgs, type Status, STATUSES, VERB } from './mailbox-maps.ts'
import { coveredArgs, commandOf, pays, readFrame, writeFrame } from './mailbox-wire.ts'
import { H } from './primitives.ts'
import { checkTime, compareValues, readRecord } from './records.ts'

/** What is given to the server in place of what it would draw or be configured with. */
interface Given {
  seed: Uint8Array
  storeId: Uint8Array
  challenge: Uint8Array
  /** Encoded policy. */
  policy: Uint8Array
  now: number
  /** The slot that the next REQUEST gets. */
  slot: number
}

/** A server with one stream to it. */
export class Server {
  readonly #given: Given
  readonly #peerId: Uint8Array
  readonly #claims = new Map<string, Claim>()
  readonly #records = new Map<string, Uint8Array>()
  #subscribed = new Map<string, number>()

  constructor(given: Given) {
    this.#given = given
    this.#peerId = peerIdOf(ed25519Public(given.seed))
  }

  /** Another stream: nothing is subscribed to. */
  newStream(): void {
    this.#subscribed = new Map()
  }

  /** Answers one frame; a frame of a wrong length is refused, which ends the stream. */
  frame(bytes: Uint8Array): Uint8Array {
    const { call, message } = readFrame(bytes)
    let status: Status = 'ok'
    let body: Uint8Array = new Uint8Array()
    try {
      body = this.#answer(message)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      status = error instanceof Answered ? error.status : 'malformed'
      body = (error instanceof Answered ? error.body : undefined) ?? body
    }
    return writeFrame({ call, message: maps.answer.encode({ status: STATUSES.indexOf(status), body }) })
  }

  #answer(message: Uint8Array): Uint8Array {
    const { verb, args } = maps.request.decode(message)
    const none = new Uint8Array()
    if (verb === VERB.hello) return this.#hello(args)
    if (verb === VERB.stat) return this.#stat(args)
    if (verb === VERB.fetch || verb === VERB.subscribe) return this.#read(verb, args)
    if (verb === VERB.record) return this.#record(args)
    if (verb === VERB.pull) {
      must(args.length === 0, 'PULL has no arguments')
      return this.#window(
        [...this.#subscribed].map(([name, after]) => ({ name, after })),
        true,
      )
    }
    const signed = ([VERB.claim, VERB.put, VERB.acknowledge, VERB.release, VERB.request] as number[]).includes(verb)
    orElse('unsupported', signed)
    const outer = maps.signedArgs.decode(args)
    if (verb === VERB.claim) return this.#claim(outer)
    if (verb === VERB.put) return this.#put(outer)
    if (verb === VERB.request) return this.#request(outer)
    this.#acknowledgeOrRelease(verb, outer)
    return none
  }

  #hello(args: Uint8Array): Uint8Array {
    orElse('unsupported', maps.helloArgs.decode(args).version === 1)
    const { seed, storeId, challenge, policy, now } = this.#given
    return maps.helloAnswer.encode({
      policy,
      signature: signLabelled(seed, 'policy', policy),
      storeId,
      time: now,
      challenge,
    })
  }

  #checkChallenge(challenge: Uint8Array): void {
    orElse('challenge', same(challenge, this.#given.challenge))
  }

  #checkSigned(key: Uint8Array, verb: number, covered: Uint8Array, signature: Uint8Array | undefined): void {
    orElse('refused', signature !== undefined)
    try {
      const command = commandOf(verb, this.#peerId, this.#given.challenge, covered)
      checkSignature(key, 'cmd', command, signature)
    } catch (error) {
      throw error instanceof Refused ? new Answered('refused') : error
    }
  }

  #pays(subject: Uint8Array, nonce: Uint8Array): void {
    orElse('price', pays(this.#given.challenge, subject, nonce, maps.policy.decode(this.#given.policy).claimBits))
  }

  #claim({ args, challenge, signature }: SignedArgs): Uint8Array {
    const { kind, writer, reader, until, nonce } = maps.claimArgs.decode(args)
    const cap = FIRST[kind]
    orElse('unsupported', cap !== undefined)
    this.#checkChallenge(challenge)
    const address = addressOf(kind, writer, reader)
    this.#pays(address, nonce)
    this.#checkSigned(reader, VERB.claim, args, signature)
    const { now } = this.#given
    orElse('refused', until > now)
    const known = this.#claims.get(toHex(address))
    orElse('released', known?.released === undefined)
    const granted = Math.max(upToHour(Math.min(until, now + cap.days * DAY)), known?.until ?? 0)
    const position = Math.floor(now / HOUR) * MIB
    const fresh = { kind, writer, reader, held: new Map(), proofs: new Map(), slots: new Map(), position }
    this.#claims.set(toHex(address), { ...(known ?? fresh), until: granted })
    return maps.claimAnswer.encode({ until: granted })
  }

  #claimed(address: Uint8Array): Claim {
    const claim = this.#claims.get(toHex(address))
    orElse('unclaimed', claim !== undefined)
    return claim
  }

  #store(claim: Claim, address: Uint8Array, copy: Uint8Array, wanted: number): void {
    const { now, policy } = this.#given
    orElse('refused', wanted > now)
    orElse('full', roomFor(claim, copy.length) > 0)
    const days = claim.kind === KIND.pack ? 400 : maps.policy.decode(policy).maxDays
    const expires = upToHour(Math.min(wanted, now + days * DAY))
    claim.position++
    claim.held.set(toHex(cidOf(copy)), { item: { address, position: claim.position, copy }, expires })
    claim.until = Math.max(claim.until, upToHour(now + (FIRST[claim.kind]?.days ?? 0) * DAY))
  }

  #put({ args, challenge, signature }: SignedArgs): Uint8Array {
    const { address, copy, expires } = maps.putArgs.decode(args)
    must(COPY_BYTES.has(copy.length), 'a copy has one of four sizes')
    this.#checkChallenge(challenge)
    const claim = this.#claimed(address)
    orElse('refused', !BY_REQUEST.has(claim.kind))
    this.#checkSigned(claim.writer, VERB.put, coveredArgs(VERB.put, args), signature)
    orElse('released', claim.released === undefined)
    const cid = cidOf(copy)
    const name = toHex(cid)
    if (claim.proofs.has(name)) throw new Answered('acknowledged', this.#states(claim, address, [cid]))
    if (!claim.held.has(name)) this.#store(claim, address, copy, expires)
    const { seed, storeId, now } = this.#given
    const body = maps.putReceipt.encode({
      server: this.#peerId,
      cid,
      address,
      storeId,
      stored: Math.floor(now / HOUR) * HOUR,
      expires: claim.held.get(name)?.expires ?? 0,
      room: roomFor(claim, copy.length),
    })
    return maps.signedBody.encode({ body, signature: signLabelled(seed, 'put-receipt', body) })
  }

  #request({ args, challenge, signature }: SignedArgs): Uint8Array {
    const { address, leg, expires, nonce } = maps.requestArgs.decode(args)
    this.#checkChallenge(challenge)
    const cid = cidOf(leg)
    this.#pays(concat(address, cid), nonce)
    const claim = this.#claimed(address)
    orElse('refused', BY_REQUEST.has(claim.kind))
    this.#checkSigned(claim.writer, VERB.request, coveredArgs(VERB.request, args), signature)
    orElse('released', claim.released === undefined)
    const slot = claim.slots.get(toHex(cid)) ?? this.#given.slot
    if (!claim.held.has(toHex(cid))) this.#store(claim, address, leg, expires)
    claim.slots.set(toHex(cid), slot)
    return maps.requestAnswer.encode({ slot })
  }

  #acknowledgeOrRelease(verb: number, { args, challenge, signature }: SignedArgs): void {
    const isAck = verb === VERB.acknowledge
    const named = isAck ? maps.acknowledgeArgs.decode(args) : { ...maps.releaseArgs.decode(args), cids: [] }
    this.#checkChallenge(challenge)
    const claim = this.#claimed(named.address)
    orElse('refused', !isAck || claim.kind !== KIND.group)
    this.#checkSigned(claim.reader, verb, args, signature)
    if (claim.released !== undefined) return orElse('released', !isAck)
    const proof = maps.proof.encode({ command: commandOf(verb, this.#peerId, challenge, args), signature })
    if (!isAck) {
      claim.released = proof
      claim.held.clear()
    }
    for (const cid of named.cids.map(toHex)) if (claim.held.delete(cid)) claim.proofs.set(cid, proof)
  }

  #states(claim: Claim | undefined, address: Uint8Array, cids: Uint8Array[]): Uint8Array {
    const stateOf = (cid: Uint8Array): number => {
      if (claim?.released) return 3
      return claim?.proofs.has(toHex(cid)) ? 2 : Number(claim?.held.has(toHex(cid)) ?? false)
    }
    const found = cids.flatMap((cid) => claim?.released ?? claim?.proofs.get(toHex(cid)) ?? [])
    const { seed, storeId, now } = this.#given
    const states = { cids, states: cids.map(stateOf), proofs: [...new Set(found)].slice(0, 16) }
    const body = maps.statAnswer.encode({ server: this.#peerId, address, storeId, time: now, ...states })
    return maps.signedBody.encode({ body, signature: signLabelled(seed, 'stat-answer', body) })
  }

  #stat(args: Uint8Array): Uint8Array {
    const { address, cids, challenge, signature } = maps.statArgs.decode(args)
    // half of the two is as none
    const isSigned = challenge !== undefined && signature !== undefined
    if (isSigned) this.#checkChallenge(challenge)
    const claim = this.#claims.get(toHex(address))
    if (claim && BY_REQUEST.has(claim.kind)) {
      const covered = maps.statSigned.encode({ address, cids })
      this.#checkSigned(claim.reader, VERB.stat, covered, isSigned ? signature : undefined)
    }
    return this.#states(claim, address, cids)
  }

  #read(verb: number, args: Uint8Array): Uint8Array {
    const { storeId, entries, challenge, remove } = maps.readArgs.decode(args)
    if (challenge) this.#checkChallenge(challenge)
    const names = entries.map(({ address }) => toHex(address))
    must(new Set(names).size === names.length, 'an address stands once')
    for (const { address, signature } of entries) {
      const claim = this.#claims.get(toHex(address))
      if (claim === undefined || !BY_REQUEST.has(claim.kind)) continue
      this.#checkSigned(claim.reader, verb, maps.readSigned.encode({ address }), challenge && signature)
    }
    const counts = storeId !== undefined && same(storeId, this.#given.storeId)
    const cursors = entries.map(({ address, after }) => ({ name: toHex(address), after: counts ? after : 0 }))
    if (verb === VERB.fetch) return this.#window(cursors, false)
    for (const address of remove ?? []) this.#subscribed.delete(toHex(address))
    for (const { name, after } of cursors) this.#subscribed.set(name, after)
    const { items, ...rest } = maps.readAnswer.decode(this.#window(cursors, false))
    return maps.readAnswer.encode({ ...rest, items: [], more: Math.min(items.length, 1) })
  }

  #window(cursors: { name: string; after: number }[], moves: boolean): Uint8Array {
    const behind = (name: string, after: number): MailItem[] =>
      [...(this.#claims.get(name)?.held.values() ?? [])].map(({ item }) => item).filter((one) => one.position > after)
    const items = cursors.flatMap(({ name, after }) => behind(name, after))
    if (moves) for (const { address, position } of items) this.#subscribed.set(toHex(address), position)
    return maps.readAnswer.encode({ storeId: this.#given.storeId, items, more: 0 })
  }

  #record(args: Uint8Array): Uint8Array {
    const { key, record, nonce, challenge } = maps.recordArgs.decode(args)
    must(key !== undefined, 'the key must be there')
    const name = toHex(key)
    const { now, seed } = this.#given
    if (record !== undefined) {
      orElse('price', nonce !== undefined && challenge !== undefined)
      this.#checkChallenge(challenge)
      this.#pays(concat(key, H(record)), nonce)
      try {
        checkTime(readRecord(key, record).record, now)
      } catch (error) {
        throw error instanceof Refused ? new Answered('refused') : error
      }
      const before = this.#records.get(name)
      if (before === undefined || compareValues(key, record, before) > 0) this.#records.set(name, record)
    }
    const best = this.#records.get(name)
    orElse('absent', best !== undefined)
    const { seq } = readRecord(key, best).record
    const receipt = maps.recordReceipt.encode({ server: this.#peerId, key, seq, hash: H(best), time: now })
    return maps.recordAnswer.encode({ record: best, receipt, signature: signLabelled(seed, 'record-receipt', receipt) })
  }
}
