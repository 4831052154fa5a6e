import { expect } from 'chai'
import { fromHex, toHex } from '../../../node/crypto/bytes.ts'
import { untypeKey } from '../../../node/crypto/key-type.ts'
import { isCanonicalX25519, x25519, x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { PeerError } from '../../../node/errors.ts'

const SECRET = new Uint8Array(32).fill(0x55)

/** Canonical u-coordinates of the points of order 1, 2, 4 and 8 on the curve and its twist. */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

/** The prime and what lies above it, and canonical coordinates with the bit that RFC 7748 masks away. */
const NON_CANONICAL = [
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0900000000000000000000000000000000000000000000000000000000000080',
  'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]

function refused(run: () => unknown): void {
  expect(run).to.throw(PeerError).with.property('code', 'BAD_KEY')
}

describe('x25519', () => {
  it('T19 points of low order are refused', () => {
    for (const point of LOW_ORDER) {
      expect(isCanonicalX25519(fromHex(point)), point).to.equal(true)
      refused(() => x25519(SECRET, fromHex(point)))
    }
  })

  it('T19 encodings that are not canonical are refused, by the function and as a typed key', () => {
    for (const point of NON_CANONICAL) {
      expect(isCanonicalX25519(fromHex(point)), point).to.equal(false)
      refused(() => x25519(SECRET, fromHex(point)))
      refused(() => untypeKey('x25519', fromHex(`01${point}`)))
    }
  })

  it('the largest canonical coordinates are told from the prime', () => {
    for (const first of ['00', 'eb', 'ec'])
      expect(isCanonicalX25519(fromHex(`${first}${'ff'.repeat(30)}7f`))).to.equal(true)
    expect(isCanonicalX25519(fromHex(`ff${'ff'.repeat(29)}fe7f`))).to.equal(true)
    expect(isCanonicalX25519(fromHex(`ffff00${'ff'.repeat(28)}7f`))).to.equal(true)
    expect(isCanonicalX25519(fromHex(`${'ff'.repeat(31)}7e`))).to.equal(true)
  })

  it('T19 lengths other than 32 bytes are refused', () => {
    for (const length of [0, 31, 33]) refused(() => x25519(SECRET, new Uint8Array(length).fill(9)))
  })

  it('two sides come to one secret, and clamping does not change the pair', () => {
    const [a, b] = [x25519KeyPair(new Uint8Array(32).fill(0xff)), x25519KeyPair(new Uint8Array(32).fill(1))]
    expect(toHex(x25519(a.secret, b.public))).to.equal(toHex(x25519(b.secret, a.public)))
  })

  it('a secret of another length is our bug, not the peer’s', () => {
    const { public: theirs } = x25519KeyPair(SECRET)
    for (const length of [0, 31, 33]) expect(() => x25519(new Uint8Array(length), theirs)).to.throw(RangeError)
  })

  it('leaves the depth of stack traces as it was, also when it refuses a point', () => {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 7
    try {
      const { secret, public: theirs } = x25519KeyPair(new Uint8Array(32).fill(0x21))
      x25519(secret, theirs)
      refused(() => x25519(secret, fromHex(LOW_ORDER[2]!)))
      expect(Error.stackTraceLimit).to.equal(7)
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  })
})
