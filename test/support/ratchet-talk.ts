/** Two friends who carry the states of their session along, for the tests of the ratchet. */
import { expect } from 'chai'
import { ForgedError } from '../../node/errors.ts'
import { type LocatedHeader, locateHeader } from '../../node/session/double-ratchet.ts'
import { currentEpoch } from '../../node/session/pq-ratchet.ts'
import { encodeSession } from '../../node/session/session-codec.ts'
import type { SessionState } from '../../node/session/session-state.ts'
import { type OpenedEnvelope, openEnvelope, type SealedEnvelope } from '../../node/session/triple-ratchet.ts'
import { HEADER_BYTES, type RatchetHeader } from '../../node/wire/header.ts'
import { befriend, DAY, NOW, type Pair, type Random, sealText, seededRandom } from './session-fixtures.ts'

export type Side = 'a' | 'b'
export type Sealed = Pick<SealedEnvelope, 'prefix' | 'body'>

export function other(side: Side): Side {
  return side === 'a' ? 'b' : 'a'
}

export class Talk {
  readonly random: Random
  readonly states: Pair
  now = NOW

  constructor(seed: string) {
    this.random = seededRandom(seed)
    this.states = befriend(this.random)
  }

  send(from: Side, text: string, floor = 0): SealedEnvelope {
    const sealed = sealText(this.states[from], this.random, text, { floor, now: this.now })
    this.states[from] = sealed.session
    return sealed
  }

  open(to: Side, envelope: Sealed): OpenedEnvelope {
    const opened = openEnvelope(this.states[to], { ...envelope, now: this.now })
    this.states[to] = opened.session
    return opened
  }

  receive(to: Side, envelope: Sealed): string {
    return new TextDecoder().decode(this.open(to, envelope).payload)
  }

  refuses(to: Side, envelope: Sealed): void {
    const before = encodeSession(this.states[to])
    expect(() => openEnvelope(this.states[to], { ...envelope, now: this.now })).to.throw(ForgedError)
    expect(encodeSession(this.states[to])).to.deep.equal(before)
  }

  /** Sends and opens. */
  say(from: Side, text: string): void {
    expect(this.receive(other(from), this.send(from, text))).to.equal(text)
  }

  /** `a` sends, `b` answers: both have stepped. */
  roundTrip(): void {
    this.say('a', 'there')
    this.say('b', 'and back')
  }

  /** Highest post-quantum epoch that a side holds. */
  epoch(side: Side): number {
    return currentEpoch(this.states[side].pq)
  }

  /** Talks over days until both sides hold `epoch` and know it of each other. */
  turnTo(epoch: number): void {
    while (Math.min(this.states.a.pq.theirEpoch, this.states.b.pq.theirEpoch) < epoch) {
      this.now += DAY
      for (let turn = 0; turn < 3; turn++) this.roundTrip()
    }
  }

  /** The header of an envelope that `to` has not opened yet. */
  header(to: Side, envelope: Sealed): RatchetHeader {
    return locate(this.states[to], envelope).header
  }
}

export function locate(state: SessionState, envelope: Sealed): LocatedHeader {
  const associated = Uint8Array.from([...state.th3, ...envelope.prefix])
  return locateHeader(state.ec, state.skipped, envelope.body.subarray(0, HEADER_BYTES + 40), associated)
}

export function skippedCount(state: SessionState): number {
  return state.skipped.reduce((sum, { keys }) => sum + keys.length, 0)
}
