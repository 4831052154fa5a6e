import { expect } from 'chai'
import { encode as cborEncode } from 'cborg'
import { KithError, PeerError, StoreError } from '../../../node/errors.ts'
import { MAX_SKIPPED_KEYS } from '../../../node/limits.ts'
import {
  decodeIncomingRequest,
  decodeOutgoingRequest,
  encodeIncomingRequest,
  encodeOutgoingRequest,
} from '../../../node/session/pending-request.ts'
import { decodeSession, encodeSession, MAX_SESSION_STATE_BYTES } from '../../../node/session/session-codec.ts'
import {
  compareSessions,
  MAX_SKIPPED_CHAINS,
  type SessionState,
  type SkippedKey,
} from '../../../node/session/session-state.ts'
import { openEnvelope } from '../../../node/session/triple-ratchet.ts'
import {
  befriend,
  createPerson,
  NOW,
  receive,
  request,
  sealText,
  seededRandom,
} from '../../support/session-fixtures.ts'

/** Both sides' states in every shape: fresh, before and after steps, with skipped keys. */
function states(): SessionState[] {
  const random = seededRandom('states')
  const pair = befriend(random)
  const lost = sealText(pair.a, random, 'lost')
  const seen = sealText(lost.session, random, 'seen')
  const opened = openEnvelope(pair.b, { ...seen, now: NOW })
  return [pair.a, pair.b, seen.session, opened.session]
}

function keys(count: number, from = 0): SkippedKey[] {
  return Array.from({ length: count }, (_, n) => ({
    count: from + n,
    epoch: 2 ** 31,
    pqCount: n,
    stored: NOW,
    key: new Uint8Array(32).fill(n),
  }))
}

function full(): SessionState {
  const [state] = states()
  const chains = Array.from({ length: MAX_SKIPPED_CHAINS }, (_, n) => ({
    headerKey: new Uint8Array(32).fill(n),
    keys: keys(MAX_SKIPPED_KEYS / MAX_SKIPPED_CHAINS),
  }))
  return { ...state!, skipped: chains }
}

interface Codec<T> {
  name: string
  values: T[]
  encode: (value: T) => Uint8Array
  decode: (encoded: Uint8Array) => T
}

function checkCodec<T extends { version: number }>({ name, values, encode, decode }: Codec<T>): void {
  describe(name, () => {
    it('comes back as it was', () => {
      for (const value of values) {
        const encoded = encode(value)
        const decoded = decode(encoded)
        expect(decoded).to.deep.equal(value)
        expect(encode(decoded)).to.deep.equal(encoded)
      }
    })

    it('refuses every truncation and a trailing byte', () => {
      const encoded = encode(values.at(-1)!)
      for (let length = 0; length < encoded.length; length++) {
        expect(() => decode(encoded.subarray(0, length)), `${length} bytes`).to.throw(PeerError)
      }
      expect(() => decode(Uint8Array.from([...encoded, 0]))).to.throw(PeerError)
    })

    it('refuses another version and too many bytes', () => {
      for (const version of [0, values[0]!.version + 1]) {
        const other = encode({ ...values[0]!, version })
        expect(() => decode(other)).to.throw(KithError, /version/)
      }
      expect(() => decode(new Uint8Array(2 ** 20))).to.throw(PeerError, /at most/)
    })
  })
}

describe('session at rest', () => {
  const random = seededRandom('pending')
  const [a, b] = [createPerson('a'), createPerson('b')]
  const { leg, outgoing } = request(a, b, random)
  const { incoming } = receive(b, leg)

  checkCodec({ name: 'session state', values: states(), encode: encodeSession, decode: decodeSession })
  checkCodec({
    name: 'outgoing request',
    values: [outgoing],
    encode: encodeOutgoingRequest,
    decode: decodeOutgoingRequest,
  })
  checkCodec({
    name: 'incoming request',
    values: [incoming, { ...incoming, request: { ...incoming.request, addresses: ['/ip4/10.0.0.1/tcp/1'] } }],
    encode: encodeIncomingRequest,
    decode: decodeIncomingRequest,
  })

  it('of a newer version is refused with what to do', () => {
    for (const version of [3, 23, 24, 255]) {
      const newer = encodeSession({ ...states()[0]!, version })
      expect(() => decodeSession(newer))
        .to.throw(StoreError, `version 2 at most, got ${version}`)
        .with.include({ code: 'SCHEMA', hint: 'use the version of kith that wrote this home, or a newer one' })
    }
    // whatever else it has learned to write
    expect(() => decodeSession(Uint8Array.of(0xa1, 1, 3))).to.throw(StoreError)
    for (const nothing of [[], [0xa1], [0xa1, 1], [0xa1, 2, 3], [0xa1, 1, 0x19]]) {
      expect(() => decodeSession(Uint8Array.from(nothing))).to.throw(PeerError)
    }
  })

  it('fits the bound when it is full of skipped keys', () => {
    const state = full()
    const encoded = encodeSession(state)
    expect(encoded.length).to.be.greaterThan(100_000).and.at.most(MAX_SESSION_STATE_BYTES)
    expect(decodeSession(encoded)).to.deep.equal(state)
  })

  it('refuses skipped keys that are cut, too many, or of a time that is no number', () => {
    const [state] = states()
    const patched = (skipped: Uint8Array): Uint8Array => {
      const only = { count: 0xaaaaaaaa, epoch: 0, pqCount: 0, stored: 0, key: new Uint8Array(32) }
      const marked = { ...state!, skipped: [{ headerKey: new Uint8Array(32), keys: [only] }] }
      const encoded = encodeSession(marked)
      // header of a byte string of 52 bytes, then count, epoch, pq count, stored and key
      const at = encoded.findIndex((byte, i) => byte === 0x58 && encoded[i + 1] === 52 && encoded[i + 2] === 0xaa)
      return Uint8Array.from([...encoded.subarray(0, at), ...cborEncode(skipped), ...encoded.subarray(at + 54)])
    }
    expect(decodeSession(patched(new Uint8Array(104))).skipped[0]!.keys).to.have.length(2)
    expect(() => decodeSession(patched(new Uint8Array(51)))).to.throw(PeerError)
    expect(() => decodeSession(patched(new Uint8Array(52 * (MAX_SKIPPED_KEYS + 1))))).to.throw(PeerError)
    const beyondNumbers = new Uint8Array(52)
    beyondNumbers[13] = 0x20
    expect(() => decodeSession(patched(beyondNumbers))).to.throw(PeerError)
  })

  it('talks on after a restart', () => {
    const pair = befriend(random)
    const sent = sealText(decodeSession(encodeSession(pair.a)), random, 'after a restart')
    const opened = openEnvelope(decodeSession(encodeSession(pair.b)), { ...sent, now: NOW })
    expect(new TextDecoder().decode(opened.payload)).to.equal('after a restart')
  })

  it('orders sessions by rekey number, then by the lowest th1', () => {
    const [state] = states()
    const make = (rekey: number, th1: number): SessionState => ({ ...state!, rekey, th1: new Uint8Array(32).fill(th1) })
    const ordered = [make(2, 9), make(1, 1), make(1, 2), make(0, 0)]
    for (const shuffled of [ordered.toReversed(), [ordered[2]!, ordered[0]!, ordered[3]!, ordered[1]!]]) {
      expect(shuffled.toSorted(compareSessions)).to.deep.equal(ordered)
    }
  })
})
