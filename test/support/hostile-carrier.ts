/**
 * Two friends and a carrier between them that loses, reorders, repeats, reflects and forges what they write, while days pass
 * and homes restart: a model of what must be true of their session after every step (PROTOCOL 8).
 */
import { expect } from 'chai'
import { toHex, utf8 } from '../../node/crypto/bytes.ts'
import { sha256 } from '../../node/crypto/hash.ts'
import { ForgedError } from '../../node/errors.ts'
import { KEPT_PQ_EPOCHS, MAX_SKIPPED_KEYS, SKIPPED_KEY_DAYS } from '../../node/limits.ts'
import { currentEpoch } from '../../node/session/pq-ratchet.ts'
import { decodeSession, encodeSession, MAX_SESSION_STATE_BYTES } from '../../node/session/session-codec.ts'
import { MAX_SKIPPED_CHAINS, type SessionState } from '../../node/session/session-state.ts'
import { nextPosition, openEnvelope, type SealedEnvelope, sealEnvelope } from '../../node/session/triple-ratchet.ts'
import { other, type Side, skippedCount } from './ratchet-talk.ts'
import { befriend, DAY, NOW, type Random, seededRandom } from './session-fixtures.ts'

export interface InFlight {
  from: Side
  envelope: SealedEnvelope
  text: string
  /** Post-quantum epoch that it was sealed in. */
  epoch: number
}

const friends = befriend(seededRandom('hostile carrier'))

/** State without anything that was passed over, which does not grow with the carrier's whims. */
const BARE_STATE_BYTES = 4096

export class HostileCarrier {
  readonly random: Random
  readonly states: Record<Side, SessionState> = { ...friends }
  /** What may still arrive: the outbox, as far as floors go. */
  flying: InFlight[] = []
  readonly arrived: InFlight[] = []
  lost = 0
  now = NOW
  /** Epochs that the reader was ahead of what it opened, at most. */
  highestLag = 0
  sent = 0
  /** Over everything that was sealed. */
  trace: Uint8Array = new Uint8Array(32)
  /** Highest chain of the sender's that the reader has opened something of. */
  readonly #newest: Record<Side, number> = { a: 0, b: 0 }
  readonly #passedAt = new Map<InFlight, number>()
  readonly #sendingKeys = new Set<string>()
  readonly #roots = new Map<number, string>()

  constructor(seed: string) {
    this.random = seededRandom(seed)
  }

  send(from: Side): InFlight {
    const before = this.states[from]
    const { chain } = nextPosition(before)
    const alive = this.flying.filter((flight) => flight.from === from && flight.envelope.chain === chain)
    const text = `${from} says ${this.sent++}`
    const envelope = sealEnvelope(before, {
      random: this.random,
      now: this.now,
      payload: utf8(text),
      kind: 1,
      tag: this.random(16),
      tagCounter: this.sent,
      expiryDay: 20_800,
      floor: alive.length === 0 ? undefined : Math.min(...alive.map((flight) => flight.envelope.count)),
    })
    this.states[from] = envelope.session
    this.#checkSendingKeys(from)
    this.#check(from)
    const flight = { from, envelope, text, epoch: envelope.session.pq.theirEpoch }
    this.flying.push(flight)
    this.trace = sha256(this.trace, envelope.prefix, envelope.body)
    return flight
  }

  /** Brings one; it opens, or its key was forgotten by a rule. */
  deliver(flight: InFlight): void {
    const to = other(flight.from)
    this.flying = this.flying.filter((candidate) => candidate !== flight)
    const old = this.states[to]
    if (this.#isForgotten(flight, old)) {
      this.lost++
      return
    }
    const before = encodeSession(old)
    const opened = openEnvelope(old, { ...flight.envelope, now: this.now })
    expect(opened.payload).to.deep.equal(utf8(flight.text))
    expect(opened.header.serial).to.equal(flight.envelope.serial)
    expect(opened.header.pqEpoch).to.equal(flight.epoch)
    expect(opened.alarm).to.equal(false)
    expect(encodeSession(old)).to.deep.equal(before)
    this.states[to] = opened.session
    this.#newest[flight.from] = Math.max(this.#newest[flight.from], flight.envelope.chain)
    this.highestLag = Math.max(this.highestLag, currentEpoch(opened.session.pq) - flight.epoch)
    this.arrived.push(flight)
    // from now on what is older and still flies is known to the reader as missing
    for (const one of this.flying) {
      const isPassed = one.from === flight.from && one.envelope.serial < flight.envelope.serial
      if (isPassed && !this.#passedAt.has(one)) this.#passedAt.set(one, this.now)
    }
    this.#check(to)
  }

  lose(flight: InFlight): void {
    this.flying = this.flying.filter((candidate) => candidate !== flight)
    this.lost++
  }

  /** Brings one that was opened before, its own author's, or a forged one: nothing changes. */
  refuse(to: Side, envelope: { prefix: Uint8Array; body: Uint8Array }): void {
    const before = encodeSession(this.states[to])
    expect(() => openEnvelope(this.states[to], { ...envelope, now: this.now })).to.throw(ForgedError)
    expect(encodeSession(this.states[to])).to.deep.equal(before)
  }

  /** One bit of an envelope turned round. */
  tamper({ from, envelope }: InFlight, at: number): void {
    const place = (at * 997) % envelope.body.length
    const body = envelope.body.with(place, envelope.body[place]! ^ (1 << (at % 8)))
    this.refuse(other(from), { ...envelope, body })
  }

  restart(side: Side): void {
    this.states[side] = decodeSession(encodeSession(this.states[side]))
  }

  /** Everything that may still arrive does, newest first; then both sides still understand each other, and nothing opens twice. */
  finish(): void {
    for (const flight of this.flying.toReversed()) this.deliver(flight)
    for (const from of ['a', 'b', 'a'] as const) this.deliver(this.send(from))
    for (const flight of this.arrived) this.refuse(other(flight.from), flight.envelope)
  }

  #isForgotten(flight: InFlight, reader: SessionState): boolean {
    const passedAt = this.#passedAt.get(flight)
    return (
      flight.envelope.chain <= this.#newest[flight.from] - MAX_SKIPPED_CHAINS ||
      (passedAt !== undefined && passedAt < this.now - SKIPPED_KEY_DAYS * DAY) ||
      flight.epoch <= currentEpoch(reader.pq) - KEPT_PQ_EPOCHS
    )
  }

  /** No chain key gives a message key twice, whatever restarts and comes back. */
  #checkSendingKeys(from: Side): void {
    const { ec, pq } = this.states[from]
    for (const key of [ec.sending!.key, pq.epochs.find(({ epoch }) => epoch === pq.theirEpoch)!.sending!.key]) {
      expect(this.#sendingKeys.has(toHex(key)), 'a chain key comes again').to.equal(false)
      this.#sendingKeys.add(toHex(key))
    }
  }

  /** What must be true of a state after every step. */
  #check(side: Side): void {
    const state = this.states[side]
    const epoch = currentEpoch(state.pq)
    const root = toHex(state.pq.rootKey)
    expect(this.#roots.get(epoch) ?? root, `epoch ${epoch} is the same on both sides`).to.equal(root)
    this.#roots.set(epoch, root)
    expect(state.pq.epochs).to.have.length.within(1, 2)
    expect(Math.abs(epoch - currentEpoch(this.states[other(side)].pq))).to.be.at.most(1)
    const missing = skippedCount(state)
    expect(missing).to.be.at.most(Math.min(MAX_SKIPPED_KEYS, this.flying.length + this.lost))
    const bound = BARE_STATE_BYTES + missing * 60
    expect(encodeSession(state).length).to.be.at.most(Math.min(bound, MAX_SESSION_STATE_BYTES))
  }
}
