import { expect } from 'chai'
import { ForgedError } from '../../../node/errors.ts'
import { KEPT_PQ_EPOCHS, MAX_SKIPPED_KEYS, SKIPPED_KEY_DAYS } from '../../../node/limits.ts'
import { MAX_SKIPPED_CHAINS, type SkippedChain, type SkippedKey } from '../../../node/session/session-state.ts'
import { addSkipped, dropBelow, pruneSkipped, takeSkipped } from '../../../node/session/skipped-keys.ts'
import type { RatchetHeader } from '../../../node/wire/header.ts'

const NOW = 1_700_000_000
const header = (name: number): Uint8Array => new Uint8Array(32).fill(name)
const keyOf = (count: number, more: Partial<SkippedKey> = {}): SkippedKey => ({
  count,
  epoch: 4,
  pqCount: count,
  stored: NOW,
  key: new Uint8Array(32).fill(count),
  ...more,
})
const chainOf = (name: number, ...keys: SkippedKey[]): SkippedChain => ({ headerKey: header(name), keys })
const place = (count: number, pqEpoch = 4, pqCount = count) => ({ count, pqEpoch, pqCount }) as RatchetHeader
const counts = (chains: readonly SkippedChain[]): number[][] => chains.map(({ keys }) => keys.map(({ count }) => count))

describe('skipped keys', () => {
  it('are taken once, from the chain of the header key, as a copy', () => {
    const chains = [chainOf(1, keyOf(5), keyOf(6)), chainOf(2, keyOf(5), keyOf(9))]
    const taken = takeSkipped(chains, header(2), place(5))
    expect(counts(taken.chains)).to.deep.equal([[5, 6], [9]])
    expect(taken.chains[0]).to.equal(chains[0])
    taken.key.fill(0)
    expect(chains[1]!.keys[0]!.key, 'the state is as it was').to.deep.equal(header(5))
    expect(() => takeSkipped(taken.chains, header(2), place(5))).to.throw(ForgedError)
    expect(() => takeSkipped(chains, header(3), place(5))).to.throw(ForgedError)
    expect(() => takeSkipped(chains, header(1), place(7))).to.throw(ForgedError)
  })

  it('open nothing that names another post-quantum place', () => {
    const chains = [chainOf(1, keyOf(5, { pqCount: 2 }))]
    for (const wrong of [place(5, 4, 5), place(5, 3, 2), place(5, 5, 2)]) {
      expect(() => takeSkipped(chains, header(1), wrong)).to.throw(ForgedError)
    }
    expect(takeSkipped(chains, header(1), place(5, 4, 2)).key).to.deep.equal(header(5))
  })

  it('are added to the chain when it is the newest, else as a new one', () => {
    const chains = [chainOf(1, keyOf(1)), chainOf(2, keyOf(2))]
    expect(addSkipped(chains, header(3), [])).to.deep.equal(chains)
    expect(counts(addSkipped(chains, header(2), [keyOf(3)]))).to.deep.equal([[1], [2, 3]])
    expect(counts(addSkipped(chains, header(3), [keyOf(3)]))).to.deep.equal([[1], [2], [3]])
    expect(addSkipped([], header(3), [keyOf(3)])).to.deep.equal([chainOf(3, keyOf(3))])
    expect(counts(chains)).to.deep.equal([[1], [2]])
  })

  it('leave below the floor of their chain, and of no other', () => {
    const chains = [chainOf(1, keyOf(1), keyOf(2), keyOf(3)), chainOf(2, keyOf(1))]
    expect(counts(dropBelow(chains, header(1), 2))).to.deep.equal([[2, 3], [1]])
    expect(dropBelow(chains, header(1), 1)[0]).to.equal(chains[0])
  })

  it('leave when they are older than 31 days, or their epoch is gone', () => {
    const oldest = NOW - SKIPPED_KEY_DAYS * 86_400
    const ages = chainOf(1, keyOf(1, { stored: oldest - 1 }), keyOf(2, { stored: oldest }), keyOf(3))
    expect(counts(pruneSkipped([ages], 4, NOW))).to.deep.equal([[2, 3]])
    const first = 20 - KEPT_PQ_EPOCHS + 1
    const epochs = chainOf(1, keyOf(1, { epoch: first - 1 }), keyOf(2, { epoch: first }), keyOf(3, { epoch: 20 }))
    expect(counts(pruneSkipped([epochs], 20, NOW))).to.deep.equal([[2, 3]])
    expect(pruneSkipped([chainOf(1, keyOf(1, { stored: 0 })), chainOf(2, keyOf(2))], 4, NOW)).to.deep.equal([
      chainOf(2, keyOf(2)),
    ])
    expect(pruneSkipped([], 4, NOW)).to.deep.equal([])
  })

  it('leave above the bounds, the oldest first, over several chains', () => {
    const many = (from: number, length: number) => Array.from({ length }, (_, n) => keyOf(from + n))
    const whole = [chainOf(1, ...many(0, 3)), chainOf(2, ...many(10, MAX_SKIPPED_KEYS - 3))]
    expect(pruneSkipped(whole, 4, NOW)).to.deep.equal(whole)
    const more = [...whole, chainOf(3, ...many(90, 4))]
    const kept = pruneSkipped(more, 4, NOW)
    expect(kept.map(({ headerKey }) => headerKey[0])).to.deep.equal([2, 3])
    expect([kept[0]!.keys[0]!.count, kept[0]!.keys.length + kept[1]!.keys.length]).to.deep.equal([11, MAX_SKIPPED_KEYS])
    const chains = Array.from({ length: MAX_SKIPPED_CHAINS + 1 }, (_, n) => chainOf(n, keyOf(n)))
    expect(counts(pruneSkipped(chains, 4, NOW))).to.deep.equal(counts(chains.slice(1)))
  })
})
