/** What no version 1 wrote is refused, whatever its keys that were passed over look like. */
import { readFileSync } from 'node:fs'
import { decode as cborDecode, encode as cborEncode } from 'cborg'
import { expect } from 'chai'
import { concat } from '../../../node/crypto/bytes.ts'
import { laneRow } from '../../../node/delivery/channel.ts'
import { PeerError } from '../../../node/errors.ts'
import { MAX_SKIPPED_KEYS } from '../../../node/limits.ts'
import { decodeSession, encodeSession } from '../../../node/session/session-codec.ts'
import { decode } from '../../../node/wire/schema.ts'

type Plain = Map<number, unknown>
/** A chain of the classical half, and the keys of both halves in it: `count(4) || stored(8) || key(32)` each. */
interface Passed {
  chains: Plain[]
  epoch: Plain
}

const KEY_BYTES = 44
const { cases } = JSON.parse(
  readFileSync(new URL('../../vectors/session/sessions-1.json', import.meta.url), 'utf8'),
) as { cases: { a: string; b: string }[] }
const rows = cases.flatMap(({ a, b }) => [a, b]).map((row) => new Uint8Array(Buffer.from(row, 'base64')))
const old = rows.map((row) => decode(laneRow, row, 1_100_000).session)

function plain(encoded: Uint8Array): Plain {
  return cborDecode(encoded, { useMaps: true }) as Plain
}

function passedOf(session: Plain): Passed {
  const [ec, pq] = [session.get(10) as Plain, session.get(11) as Plain]
  return { chains: ec.get(9) as Plain[], epoch: (pq.get(4) as Plain[])[0]! }
}

/** A session of version 1 with keys that were passed over, changed before it is read. */
function changed(change: (passed: Passed) => void): () => unknown {
  const session = plain(old.find((encoded) => passedOf(plain(encoded)).chains.length > 0)!)
  change(passedOf(session))
  return () => decodeSession(cborEncode(session))
}

function refused(run: () => unknown): void {
  expect(run).to.throw(PeerError).with.property('code', 'MALFORMED')
}

describe('a session of version 1', () => {
  it('is read unchanged, and its keys keep count, time and order', () => {
    const session = changed(() => {})() as ReturnType<typeof decodeSession>
    changed(({ chains, epoch }) => {
      const keys = chains.map((chain) => chain.get(2) as Uint8Array)
      expect(session.skipped.map((chain) => chain.keys.length)).to.deep.equal(keys.map((k) => k.length / KEY_BYTES))
      const all = session.skipped.flatMap((chain) => chain.keys)
      const written = concat(...keys)
      const other = epoch.get(4) as Uint8Array
      // the post-quantum half may have kept more, the oldest first
      const more = other.length - written.length
      for (const [n, { count, stored, pqCount, epoch: of }] of all.entries()) {
        const at = n * KEY_BYTES
        const view = Buffer.from(written)
        expect([count, stored]).to.deep.equal([view.readUInt32BE(at), Number(view.readBigUInt64BE(at + 4))])
        expect([of, pqCount]).to.deep.equal([0, Buffer.from(other).readUInt32BE(more + at)])
      }
    })
    expect(decodeSession(encodeSession(session))).to.deep.equal(session)
  })

  it('is refused with a byte cut off or added', () => {
    for (const encoded of old) {
      refused(() => decodeSession(encoded.subarray(0, -1)))
      refused(() => decodeSession(concat(encoded, new Uint8Array(1))))
    }
  })

  it('is refused when keys are cut, of a time that is no number, or without the other half', () => {
    const keysOf = (chain: Plain): Uint8Array => chain.get(2) as Uint8Array
    refused(changed(({ chains }) => chains[0]!.set(2, keysOf(chains[0]!).subarray(1))))
    refused(changed(({ epoch }) => epoch.set(4, (epoch.get(4) as Uint8Array).subarray(1))))
    refused(changed(({ epoch }) => epoch.set(4, new Uint8Array(0))))
    refused(
      changed(({ chains }) => {
        const keys = keysOf(chains[0]!).slice()
        keys[5] = 0x20
        chains[0]!.set(2, keys)
      }),
    )
    const largest = changed(({ chains }) => {
      const keys = keysOf(chains[0]!).slice()
      keys.set([0x00, 0x1f], 4)
      chains[0]!.set(2, keys)
    })() as ReturnType<typeof decodeSession>
    expect(largest.skipped[0]!.keys[0]!.stored).to.be.greaterThan(2 ** 52)
    refused(changed(({ chains }) => chains[0]!.set(2, 'keys')))
  })

  it('is refused with more keys than a session keeps, in either half', () => {
    const many = (count: number): Uint8Array => new Uint8Array(count * KEY_BYTES)
    expect(changed(({ epoch }) => epoch.set(4, many(MAX_SKIPPED_KEYS)))).not.to.throw()
    refused(changed(({ epoch }) => epoch.set(4, many(MAX_SKIPPED_KEYS + 1))))
    refused(changed(({ chains }) => chains[0]!.set(2, many(MAX_SKIPPED_KEYS + 1))))
  })
})
