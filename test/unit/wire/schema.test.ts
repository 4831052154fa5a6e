/** Canonical CBOR: what the decoder must refuse, byte by byte (RFC 8949 §4.2.1, PROTOCOL 2). */
import { encode as cborEncode } from 'cborg'
import { expect } from 'chai'
import { concat, fromHex, toHex, u16, utf8 } from '../../../node/crypto/bytes.ts'
import { PeerError } from '../../../node/errors.ts'
import { MAX_CBOR_DEPTH, MAX_CBOR_ITEMS } from '../../../node/limits.ts'
import {
  bytes,
  bytesBetween,
  decode,
  encode,
  list,
  optional,
  type Shape,
  struct,
  text,
  uint,
} from '../../../node/wire/schema.ts'

const shape = struct({
  number: [1, uint()],
  name: [2, text(20)],
  blob: [3, optional(bytesBetween(0, 4))],
  items: [30, optional(list(uint(300), 3))],
})

/** Any CBOR that has a shape at all: takes whatever the parser hands over. */
const anything: Shape<unknown> = { read: (value) => value, write: (value) => value as number }

function refused(hex: string | Uint8Array, of: Shape<unknown> = shape, code = 'MALFORMED'): void {
  const encoded = typeof hex === 'string' ? fromHex(hex.replaceAll(' ', '')) : hex
  expect(() => decode(of, encoded, 400_000), typeof hex === 'string' ? hex : `${hex.length} bytes`)
    .to.throw(PeerError)
    .with.property('code', code)
}

/** Arrays in arrays, the innermost empty. */
function closed(depth: number): Uint8Array {
  return Uint8Array.from({ length: depth }, (_, i) => (i === depth - 1 ? 0x80 : 0x81))
}

describe('schema', () => {
  const encoded = fromHex('a2 01 07 02 62 6869'.replaceAll(' ', ''))

  it('has the encoding that is written by hand', () => {
    expect(toHex(encode(shape, { number: 7, name: 'hi' }))).to.equal(toHex(encoded))
    expect(decode(shape, encoded, 100)).to.deep.equal({ number: 7, name: 'hi' })
    const full = { number: 2 ** 53 - 1, name: '', blob: Uint8Array.of(1), items: [0, 23, 24] }
    expect(toHex(encode(shape, full))).to.equal('a4011b001fffffffffffff0260034101181e8300171818')
    expect(decode(shape, encode(shape, full), 100)).to.deep.equal(full)
  })

  it('sorts by key, whatever order the fields were named or given in', () => {
    const backwards = struct({ b: [24, uint()], a: [1, uint()], c: [300, uint()] })
    expect(toHex(encode(backwards, { c: 3, b: 2, a: 1 }))).to.equal('a3010118180219012c03')
    refused('a3 1818 02 01 01 19012c 03', backwards)
  })

  it('an absent field has no key, and undefined is absent', () => {
    expect(toHex(encode(shape, { number: 7, name: 'hi', blob: undefined }))).to.equal(toHex(encoded))
    expect(Object.keys(decode(shape, encoded, 100))).to.deep.equal(['number', 'name'])
  })

  it('refuses maps that are not sorted, and keys given twice', () => {
    refused('a2 02 62 6869 01 07')
    refused('a3 01 07 01 07 02 62 6869')
    refused('a3 01 07 02 62 6869 01 08')
  })

  it('refuses integers and lengths that are not shortest', () => {
    refused('a2 01 1807 02 62 6869')
    refused('a2 01 190007 02 62 6869')
    refused('a2 01 1a00000007 02 62 6869')
    refused('a2 01 1b0000000000000007 02 62 6869')
    refused('a2 1801 07 02 62 6869')
    refused('a2 01 07 02 7802 6869')
    refused('a2 01 07 02 790002 6869')
    refused('b802 01 07 02 62 6869')
    refused('a3 01 07 02 62 6869 03 5801 00')
    refused('a3 01 07 02 62 6869 181e 9801 00')
  })

  it('refuses floats of every width, also those that are integers', () => {
    refused('a2 01 f94700 02 62 6869')
    refused('a2 01 fa40e00000 02 62 6869')
    refused('a2 01 fb401c000000000000 02 62 6869')
    refused('a2 f93c00 07 02 62 6869')
    for (const float of ['f90000', 'f98000', 'f97c00', 'f9fc00', 'f97e00', 'fb7ff0000000000000']) {
      refused(float, uint())
      refused(float, anything)
    }
  })

  it('refuses null, booleans, undefined, simple values, tags, negative numbers and breaks, wherever they stand', () => {
    for (const item of ['f6', 'f5', 'f4', 'f7', 'e0', 'f820', 'c100', 'c24101', 'd9d9f700', '20', '3863', 'ff']) {
      refused(item, anything)
      refused(`a2 01 ${item} 02 62 6869`)
      refused(`a3 01 07 02 62 6869 03 ${item}`)
      refused(`a3 01 07 02 62 6869 ${item} 00`)
    }
  })

  it('refuses indefinite lengths', () => {
    refused('bf 01 07 02 62 6869 ff')
    refused('a2 01 07 02 7f 62 6869 ff')
    refused('a3 01 07 02 62 6869 03 5f 41 00 ff')
    refused('a3 01 07 02 62 6869 181e 9f 00 ff')
  })

  it('refuses integers above 2^53-1, written or read', () => {
    for (const big of ['1b0020000000000000', '1bffffffffffffffff', 'c249010000000000000000']) {
      refused(big, uint())
      refused(big, anything)
    }
    for (const bad of [2 ** 53, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null]) {
      expect(() => encode(uint(), bad as number), String(bad)).to.throw(PeerError)
    }
    expect(decode(uint(), fromHex('1b001fffffffffffff'), 9)).to.equal(Number.MAX_SAFE_INTEGER)
    expect(() => encode(uint(5), 6)).to.throw(PeerError)
    refused('06', uint(5))
  })

  it('refuses keys that are text, bytes, arrays or __proto__, and changes no prototype', () => {
    refused('a3 01 07 02 62 6869 69 5f5f70726f746f5f5f a1 01 01')
    refused('a1 69 5f5f70726f746f5f5f 01')
    refused('a2 61 31 07 02 62 6869')
    refused('a2 41 01 07 02 62 6869')
    refused('a2 80 07 02 62 6869')
    expect(({} as Record<string, unknown>)[1]).to.equal(undefined)
  })

  it('refuses an unknown key, a missing one, and another type in its place', () => {
    refused('a3 01 07 02 62 6869 04 00')
    refused('a1 01 07')
    refused('a1 02 62 6869')
    refused('a0')
    refused('a2 01 41 07 02 62 6869')
    refused('a2 01 07 02 42 6869')
    refused('a2 01 07 02 a0')
    refused('a3 01 07 02 62 6869 181e a0')
    for (const other of ['07', '62 6869', '42 6869', '82 01 02', '80']) refused(other)
  })

  it('refuses text that is not UTF-8, and lone surrogates written or read', () => {
    for (const bad of ['61 ff', '61 80', '62 c080', '63 eda080', '63 edbfbf', '66 eda0bdedb8 80', '64 f4908080']) {
      refused(`a2 01 07 02 ${bad}`)
    }
    // long enough for another path of the parser
    refused(concat(fromHex('7828'), utf8('a'.repeat(37)), fromHex('eda080')), text(40))
    expect(() => encode(text(20), '\ud800')).to.throw(PeerError)
    expect(() => encode(text(20), 'a\udfff')).to.throw(PeerError)
  })

  it('keeps text to the byte: a byte order mark, a zero, composed and decomposed letters', () => {
    for (const kept of ['\ufeff', '\ufeffhi', `\ufeff${'é'.repeat(40)}`, 'a\u0000b', '\u00e9', 'e\u0301', '😀']) {
      expect(decode(text(200), encode(text(200), kept), 400)).to.equal(kept)
    }
  })

  it('counts text in bytes, not in characters', () => {
    expect(() => encode(text(3), '😀')).to.throw(PeerError)
    expect(decode(text(4), encode(text(4), '😀'), 9)).to.equal('😀')
    refused('64 f09f9880', text(3))
  })

  it('holds bytes and lists to their bounds', () => {
    for (const length of [0, 1, 3, 5]) {
      expect(() => encode(bytesBetween(2, 2), new Uint8Array(length))).to.throw(PeerError)
      refused(encode(bytesBetween(0, 9), new Uint8Array(length)), bytes(2))
    }
    refused('80', list(uint(), 3, 1))
    refused('84 00 00 00 00', list(uint(), 3, 1))
    expect(() => encode(list(uint(), 3, 1), [])).to.throw(PeerError)
  })

  it('writing the wrong thing is a PeerError too, not a crash', () => {
    for (const wrong of [undefined, null, 1, 'a', []]) {
      expect(() => encode(shape, wrong as never), String(wrong)).to.throw(PeerError)
      expect(() => encode(list(shape, 3), wrong === undefined ? wrong : ([wrong] as never))).to.throw(PeerError)
    }
    expect(() => encode(shape, { number: 7 } as never)).to.throw(PeerError)
  })

  it('refuses each truncation, a trailing byte, and no bytes', () => {
    const full = encode(shape, { number: 300, name: 'hello', blob: Uint8Array.of(1, 2), items: [1, 300] })
    for (let length = 0; length < full.length; length++) refused(full.subarray(0, length))
    for (const extra of [0, 0x80, 0xf6, 0xff]) refused(concat(full, Uint8Array.of(extra)))
    refused(concat(full, full))
  })

  it('encodes into plain bytes, of which a slice is a copy', () => {
    const both = struct({ blob: [1, bytesBetween(0, 5000)], name: [2, text(100)] })
    for (const length of [1, 100, 300, 5000]) {
      const plain = encode(both, { blob: new Uint8Array(length), name: 'a name that is not short' })
      expect(Buffer.isBuffer(plain), `${length}`).to.equal(false)
      expect(plain.slice().buffer === plain.buffer, `${length}`).to.equal(false)
    }
  })

  it('hands out copies, also of a Buffer', () => {
    for (const source of [encode(bytes(2), Uint8Array.of(1, 2)), Buffer.from([0x42, 1, 2])]) {
      const read = decode(bytes(2), source, 3)
      source.fill(9)
      expect([...read]).to.deep.equal([1, 2])
      expect(Buffer.isBuffer(read)).to.equal(false)
    }
  })
})

describe('schema against what is made to cost', () => {
  it('T5 T36 refuses by size before it looks at a byte', () => {
    let looked = 0
    const spied: Shape<unknown> = {
      read: (value) => {
        looked++
        return value
      },
      write: (value) => value as number,
    }
    const untouchable = new Proxy(new Uint8Array(101), {
      get(target, name) {
        if (name === 'length') return target.length
        looked++
        return Reflect.get(target, name, target)
      },
    })
    expect(() => decode(spied, untouchable, 100))
      .to.throw(PeerError)
      .with.property('code', 'OVERSIZED')
    expect(looked).to.equal(0)
    // the same bytes below the bound are looked at: the spy works
    expect(() => decode(spied, untouchable, 101)).to.throw()
    expect(looked).to.be.greaterThan(0)
  })

  it('T5 checks the canonical form before it hands out a value', () => {
    refused(cborEncode(new Map([[2, 'hi']]), {}), shape)
    refused('a2 02 62 6869 01 07')
  })

  it('T36 nesting up to 8 containers is parsed, one more is not, and 400,000 cost nothing', () => {
    expect(decode(anything, closed(MAX_CBOR_DEPTH), 100)).to.be.an('array')
    refused(closed(MAX_CBOR_DEPTH + 1), anything)
    refused(new Uint8Array(400_000).fill(0x81), anything)
    refused(new Uint8Array(400_000).fill(0xa1), anything)
    // siblings are no depth
    expect(decode(anything, fromHex('83818081808180'), 100)).to.have.lengthOf(3)
    const maps = concat(...Array.from({ length: MAX_CBOR_DEPTH }, () => fromHex('a101')), fromHex('00'))
    expect(decode(anything, maps, 100)).to.be.instanceOf(Map)
    refused(concat(fromHex('a101'), maps), anything)
  })

  it('T36 a message has a bound on its items, whatever they are', () => {
    for (const item of [0x00, 0x40, 0x60, 0x80, 0xa0]) {
      const wide = (items: number): Uint8Array =>
        concat(Uint8Array.of(0x99), u16(items), new Uint8Array(items).fill(item))
      expect(decode(anything, wide(MAX_CBOR_ITEMS - 1), 400_000)).to.have.lengthOf(MAX_CBOR_ITEMS - 1)
      refused(wide(MAX_CBOR_ITEMS), anything)
    }
  })

  it('T36 a length that promises more than there is allocates nothing', () => {
    for (const head of ['9b001fffffffffffff', '9affffffff', 'bb001fffffffffffff', '5b001fffffffffffff', '7affffffff']) {
      refused(head, anything)
      refused(`${head} 00`, anything)
    }
  })
})
