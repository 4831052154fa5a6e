import { expect } from 'chai'
import * as fc from 'fast-check'
import { open, openOnce, SEAL_OVERHEAD_BYTES, seal, sealOnce } from '../../../node/crypto/aead.ts'
import { equal, utf8 } from '../../../node/crypto/bytes.ts'
import { ForgedError } from '../../../node/errors.ts'

const KEY = new Uint8Array(32).fill(7)
const OTHER_KEY = new Uint8Array(32).fill(8)
const NONCE = new Uint8Array(24).fill(9)
const AD = utf8('associated')
const MESSAGE = utf8('a message')

interface Pair {
  name: string
  seal(plaintext: Uint8Array, ad: Uint8Array): Uint8Array
  open(key: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array
  overhead: number
}

const PAIRS: Pair[] = [
  { name: 'sealOnce', seal: (plaintext, ad) => sealOnce(KEY, plaintext, ad), open: openOnce, overhead: 16 },
  { name: 'seal', seal: (plaintext, ad) => seal(KEY, NONCE, plaintext, ad), open, overhead: SEAL_OVERHEAD_BYTES },
]

function forged(run: () => unknown): void {
  expect(run)
    .to.throw(ForgedError, /^does not open$/)
    .with.property('code', 'FORGED')
}

for (const pair of PAIRS) {
  describe(pair.name, () => {
    it('opens what was sealed, of any length, and adds a fixed number of bytes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), (plaintext, ad) => {
          const sealed = pair.seal(plaintext, ad)
          expect(sealed.length).to.equal(plaintext.length + pair.overhead)
          expect(equal(pair.open(KEY, sealed, ad), plaintext)).to.equal(true)
        }),
        { numRuns: 50 },
      )
    })

    it('changes neither its input nor what it was given to open', () => {
      const plaintext = MESSAGE.slice()
      const sealed = pair.seal(plaintext, AD)
      const kept = sealed.slice()
      pair.open(KEY, sealed, AD)
      expect(equal(plaintext, MESSAGE) && equal(sealed, kept)).to.equal(true)
    })

    it('T13 refuses every changed byte, every truncation, more bytes, another key and other associated data, all alike', () => {
      const sealed = pair.seal(MESSAGE, AD)
      for (let i = 0; i < sealed.length; i++) {
        for (const bit of [1, 0x80]) {
          const changed = sealed.slice()
          changed[i] = changed[i]! ^ bit
          forged(() => pair.open(KEY, changed, AD))
        }
        forged(() => pair.open(KEY, sealed.subarray(0, i), AD))
      }
      forged(() => pair.open(KEY, Uint8Array.of(...sealed, 0), AD))
      forged(() => pair.open(OTHER_KEY, sealed, AD))
      forged(() => pair.open(KEY, sealed, AD.subarray(1)))
      forged(() => pair.open(KEY, sealed, new Uint8Array(0)))
    })

    it('takes a key of a wrong length for a bug, not for a forgery', () => {
      for (const length of [0, 16, 31, 33]) {
        expect(() => pair.open(new Uint8Array(length), pair.seal(MESSAGE, AD), AD)).to.throw(RangeError)
      }
    })
  })
}

describe('seal', () => {
  it('and sealOnce take a key of another length for a bug', () => {
    for (const length of [0, 16, 31, 33]) {
      const key = new Uint8Array(length)
      const expected = `expected a key of 32 bytes, got ${length}`
      expect(() => sealOnce(key, MESSAGE, AD)).to.throw(RangeError, expected)
      expect(() => seal(key, NONCE, MESSAGE, AD)).to.throw(RangeError, expected)
    }
  })

  it('needs a nonce of 24 bytes', () => {
    for (const length of [0, 12, 23, 25]) {
      expect(() => seal(KEY, new Uint8Array(length), MESSAGE, AD), String(length)).to.throw()
    }
  })
})
