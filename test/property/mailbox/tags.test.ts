import { expect } from 'chai'
import * as fc from 'fast-check'
import { toHex } from '../../../node/crypto/bytes.ts'
import { tag, tagKey, TagWindow } from '../../../node/mailbox/tags.ts'

const key = tagKey(new Uint8Array(32).fill(5))
const cache = new Map<number, Uint8Array>()
function tagOf(counter: number): Uint8Array {
  const known = cache.get(counter) ?? tag(key, counter)
  cache.set(counter, known)
  return known
}

describe('property: tag window', () => {
  it('knows exactly the 128 counters up to the highest seen and the next 128, whatever came in which order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 12 }),
        fc.integer({ min: 0, max: 1700 }),
        (seen, probe) => {
          const window = new TagWindow(key)
          for (const counter of seen) window.seen(counter)
          const highest = Math.max(-1, ...seen)
          expect(window.highest).to.equal(highest)
          const probes = [probe, highest - 128, highest - 127, highest, highest + 1, highest + 128, highest + 129]
          for (const counter of probes.filter((n) => n >= 0)) {
            const inside = counter > highest - 128 && counter <= highest + 128
            expect(window.lookup(tagOf(counter)), `${counter} of ${highest}`).to.equal(inside ? counter : undefined)
          }
          expect(window.size).to.equal(highest + 129 - Math.max(0, highest - 127))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('a writer that skips after crashes and a reader by mailbox and gossip never lose each other', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ crash: fc.boolean(), gossip: fc.boolean() }), { maxLength: 40 }), (steps) => {
        const window = new TagWindow(key)
        const used = new Set<string>()
        let next = 0
        for (const { crash, gossip } of steps) {
          if (crash) next += 1000
          const counter = next++
          expect(used.has(toHex(tagOf(counter)))).to.equal(false)
          used.add(toHex(tagOf(counter)))
          const near = counter - window.highest <= 128
          if (gossip && near) expect(window.lookup(tagOf(counter))).to.equal(counter)
          // by gossip when the tag is known, else by mailbox, which needs no tag
          window.seen(counter)
          expect(window.highest).to.equal(counter)
        }
      }),
      { numRuns: 40 },
    )
  })
})
