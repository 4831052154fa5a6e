import { createHmac, hkdfSync } from 'node:crypto'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { concat, toHex } from '../../../node/crypto/bytes.ts'
import {
  combineKeys,
  type Gap,
  passOver,
  sizeOf,
  splitGaps,
  takeKey,
  takeKeyAfter,
} from '../../../node/session/symmetric-chain.ts'

const KEY = new Uint8Array(32).fill(3)
const gaps = fc.array(fc.record({ dead: fc.nat(4), kept: fc.nat(4) }), { maxLength: 4 })

/** Of each message in order, whether it may still come. */
function messagesOf(all: readonly Gap[]): boolean[] {
  return all.flatMap(({ dead, kept }) => [...Array<boolean>(dead).fill(false), ...Array<boolean>(kept).fill(true)])
}

function hmac(key: Uint8Array, byte: number): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(Uint8Array.of(byte)).digest())
}

describe('symmetric chain', () => {
  it('makes a message key with 1 and the next chain key with 2, and leaves the chain that it was given', () => {
    const key = KEY.slice()
    const taken = takeKey({ key, count: 6 })
    expect(taken).to.deep.equal({ key: hmac(KEY, 1), chain: { key: hmac(KEY, 2), count: 7 } })
    expect(key).to.deep.equal(KEY)
  })

  it('passes over messages as taking each would, and keeps the keys of those that may come', () => {
    fc.assert(
      fc.property(gaps, fc.nat(50), (all, count) => {
        const before = { key: KEY.slice(), count }
        let chain: { key: Uint8Array; count: number } = { key: KEY, count }
        const kept: { count: number; key: Uint8Array }[] = []
        for (const isKept of messagesOf(all)) {
          const taken = takeKey(chain)
          if (isKept) kept.push({ count: chain.count, key: taken.key })
          chain = taken.chain
        }
        expect(passOver(before, all)).to.deep.equal({ chain, passed: kept })
        expect(takeKeyAfter(before, all)).to.deep.equal({ ...takeKey(chain), passed: kept })
        // a message that does not open leaves its chain as it was
        expect(before).to.deep.equal({ key: KEY, count })
        expect(sizeOf(all)).to.equal(messagesOf(all).length)
      }),
    )
  })

  it('cuts gaps behind any message', () => {
    fc.assert(
      fc.property(gaps, fc.nat(40), (all, size) => {
        const parts = splitGaps(all, size)
        const messages = messagesOf(all)
        const cut = [messages.slice(0, size), messages.slice(size)]
        expect(parts.map((part) => part.length)).to.deep.equal([all.length, all.length])
        expect(parts.map(messagesOf)).to.deep.equal(cut)
      }),
    )
  })

  it('joins the keys of both halves, the post-quantum one as salt, and overwrites them', () => {
    const [ec, pq] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const expected = new Uint8Array(hkdfSync('sha256', ec, pq, 'kith/1/mk', 32))
    expect(toHex(combineKeys(ec, pq))).to.equal(toHex(expected))
    expect(concat(ec, pq)).to.deep.equal(new Uint8Array(64))
  })
})
