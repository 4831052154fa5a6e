import { expect } from 'chai'
import * as fc from 'fast-check'
import {
  compare,
  concat,
  equal,
  fromHex,
  leadingZeroBits,
  readUint,
  toHex,
  u8,
  u16,
  u32,
  u64,
  utf8,
} from '../../../node/crypto/bytes.ts'

describe('bytes', () => {
  it('concat joins in order and keeps no reference', () => {
    const part = Uint8Array.of(1, 2)
    const joined = concat(part, new Uint8Array(0), Uint8Array.of(3))
    part[0] = 9
    expect([...joined]).to.deep.equal([1, 2, 3])
    expect(concat()).to.have.lengthOf(0)
  })

  it('equal looks at every byte and at the length', () => {
    expect(equal(Uint8Array.of(), Uint8Array.of())).to.equal(true)
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).to.equal(true)
    expect(equal(Uint8Array.of(0, 2), Uint8Array.of(1, 2))).to.equal(false)
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).to.equal(false)
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1))).to.equal(false)
    expect(equal(Uint8Array.of(1), Uint8Array.of(1, 0))).to.equal(false)
  })

  it('compare orders as Buffer.compare does', () => {
    const small = fc.uint8Array({ maxLength: 4 })
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(Math.sign(compare(a, b))).to.equal(Buffer.compare(a, b))
      }),
    )
  })

  it('writes big-endian and reads it back', () => {
    expect([...u8(255), ...u16(0x0102), ...u32(0x01020304)]).to.deep.equal([255, 1, 2, 1, 2, 3, 4])
    expect(toHex(u64(Number.MAX_SAFE_INTEGER))).to.equal('001fffffffffffff')
    fc.assert(fc.property(fc.maxSafeNat(), (value) => readUint(u64(value), 0, 8) === value))
    expect(readUint(Uint8Array.of(9, 1, 0), 1, 2)).to.equal(256)
  })

  it('refuses integers that do not fit, and bytes that end early or hold more than 53 bits', () => {
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      for (const write of [u8, u16, u32, u64]) expect(() => write(bad), `${write.name} ${bad}`).to.throw(RangeError)
    }
    expect(() => u8(256)).to.throw(RangeError)
    expect(() => u16(65536)).to.throw(RangeError)
    expect(() => u32(2 ** 32)).to.throw(RangeError)
    expect(() => readUint(Uint8Array.of(1), 0, 2)).to.throw(RangeError)
    expect(() => readUint(Uint8Array.of(1), 1, 1)).to.throw(RangeError)
    expect(() => readUint(fromHex('0020000000000000'), 0, 8)).to.throw(RangeError)
    expect(() => readUint(fromHex('ffffffffffffffff'), 0, 8)).to.throw(RangeError)
  })

  it('hex goes there and back, and half of it is refused', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => equal(fromHex(toHex(bytes)), bytes)))
    // a view into a larger buffer shows its own bytes only
    expect(toHex(Uint8Array.of(1, 2, 3).subarray(1, 2))).to.equal('02')
    expect([...fromHex('aAfF')]).to.deep.equal([0xaa, 0xff])
    for (const bad of ['a', 'zz', 'aa ', ' aa', 'aa\n', '0x00']) expect(() => fromHex(bad), bad).to.throw(RangeError)
    expect(fromHex('00'.repeat(10_000_000))).to.have.lengthOf(10_000_000)
  })

  it('utf8 gives plain bytes', () => {
    expect([...utf8('é€')]).to.deep.equal([0xc3, 0xa9, 0xe2, 0x82, 0xac])
  })

  it('counts leading zero bits from the most significant', () => {
    expect(leadingZeroBits(Uint8Array.of(0x80))).to.equal(0)
    expect(leadingZeroBits(Uint8Array.of(0x01))).to.equal(7)
    expect(leadingZeroBits(Uint8Array.of(0, 0x10, 0xff))).to.equal(11)
    expect(leadingZeroBits(new Uint8Array(4))).to.equal(32)
    expect(leadingZeroBits(new Uint8Array(0))).to.equal(0)
  })
})
