/** The sizes of the wire and the offsets of its fixed layouts: what another implementation has to hit to the byte. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { SEAL_OVERHEAD_BYTES } from '../../../node/crypto/aead.ts'
import { concat, equal, fromHex, toHex } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_BYTES } from '../../../node/crypto/kem.ts'
import { L } from '../../../node/crypto/labels.ts'
import { ForgedError, PeerError } from '../../../node/errors.ts'
import * as limits from '../../../node/limits.ts'
import { copyId, MAX_COPY_BYTES } from '../../../node/wire/commands.ts'
import {
  decodeEnvelope,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_KIND,
  encodeEnvelope,
  envelopeId,
  envelopePrefix,
} from '../../../node/wire/envelope.ts'
import {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  MAX_HEADER_COUNTER,
  PIECE_TYPE,
  type RatchetHeader,
} from '../../../node/wire/header.ts'
import {
  C1_PLAINTEXT_BYTES,
  C2_PLAINTEXT_BYTES,
  C3_PLAINTEXT_BYTES,
  decodeLeg1,
  decodeLeg2,
  encodeLeg2,
  LEG1_CLEAR_BYTES,
  LEG1_INNER_BYTES,
  LEG_KIND,
  leg1Clear,
} from '../../../node/wire/legs.ts'

function malformed(run: () => unknown): void {
  expect(run).to.throw(PeerError).with.property('code', 'MALFORMED')
}

/** Bytes that differ from offset to offset. */
function pattern(length: number, from = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + from) & 255)
}

function made(size: number): Uint8Array {
  return encodeEnvelope({
    kind: ENVELOPE_KIND.pairwise,
    tag: pattern(16),
    expiryDay: 0x5123,
    nonce: pattern(8, 100),
    body: pattern(size - ENVELOPE_HEADER_BYTES, 200),
  })
}

describe('envelope', () => {
  it('T12 the wire has these sizes and no other', () => {
    expect(limits.ENVELOPE_BYTES).to.deep.equal([4096, 16384, 65536])
    expect(limits.LEG_BYTES).to.equal(8192)
    expect(MAX_COPY_BYTES).to.equal(65536 + SEAL_OVERHEAD_BYTES)
    for (const size of limits.ENVELOPE_BYTES) {
      const body = new Uint8Array(size - ENVELOPE_HEADER_BYTES)
      const parts = { kind: ENVELOPE_KIND.group, tag: new Uint8Array(16), expiryDay: 0, nonce: new Uint8Array(8) }
      expect(encodeEnvelope({ ...parts, body })).to.have.lengthOf(size)
      for (const other of [body.subarray(1), concat(body, Uint8Array.of(0))]) {
        expect(() => encodeEnvelope({ ...parts, body: other })).to.throw(RangeError)
        malformed(() => decodeEnvelope(new Uint8Array(other.length + ENVELOPE_HEADER_BYTES).fill(1)))
      }
      // a long tag cannot be made up for by a short nonce
      expect(() => encodeEnvelope({ ...parts, tag: new Uint8Array(17), nonce: new Uint8Array(7), body })).to.throw(
        RangeError,
      )
    }
    for (const size of [0, 1, 28, limits.LEG_BYTES]) malformed(() => decodeEnvelope(new Uint8Array(size).fill(1)))
  })

  it('has its fields where the document says', () => {
    const bytes = made(4096)
    expect(toHex(bytes.subarray(0, 2))).to.equal('0101')
    expect(equal(bytes.subarray(2, 18), pattern(16))).to.equal(true)
    expect(toHex(bytes.subarray(18, 20))).to.equal('5123')
    expect(equal(bytes.subarray(20, 28), pattern(8, 100))).to.equal(true)
    expect(equal(bytes.subarray(28), pattern(4068, 200))).to.equal(true)
    expect(equal(bytes.subarray(0, 20), envelopePrefix(1, pattern(16), 0x5123))).to.equal(true)
    for (const size of limits.ENVELOPE_BYTES) {
      expect(equal(encodeEnvelope(decodeEnvelope(made(size))), made(size))).to.equal(true)
    }
  })

  it('refuses another version and unknown kinds', () => {
    for (const [offset, values] of [
      [0, [0, 2, 255]],
      [1, [0, 3, LEG_KIND.request, 255]],
    ] as const) {
      for (const value of values) {
        const bytes = made(4096)
        bytes[offset] = value
        malformed(() => decodeEnvelope(bytes))
      }
    }
  })

  it('its id covers every byte but the nonce', () => {
    const bytes = made(4096)
    const id = toHex(envelopeId(bytes))
    expect(id).to.equal(toHex(sha256(L('envelope'), concat(bytes.subarray(0, 20), bytes.subarray(28)))))
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i] = changed[i]! ^ 1
      expect(toHex(envelopeId(changed)) === id, `byte ${i}`).to.equal(i >= 20 && i < 28)
    }
  })

  it('T31 a copy is named by all of its bytes under a label of its own', () => {
    const copy = pattern(4136)
    expect(toHex(copyId(copy))).to.equal(toHex(sha256(L('copy'), copy)))
    expect(toHex(copyId(copy))).not.to.equal(toHex(envelopeId(copy)))
  })
})

function forged(bytes: Uint8Array): void {
  expect(() => decodeHeader(bytes)).to.throw(ForgedError)
}

describe('ratchet header', () => {
  const plain: RatchetHeader = {
    ratchetKey: pattern(32),
    previousCount: 1,
    count: 2 ** 32 - 1,
    floor: 3,
    tagCounter: MAX_HEADER_COUNTER,
    serial: 5,
    highestSerialOpened: 6,
    pqEpoch: 7,
    pqCount: 8,
    highestPqEpoch: 9,
    piece: undefined,
  }
  const key = { type: PIECE_TYPE.encapsulationKey, epoch: 10, bytes: pattern(KEM_PUBLIC_BYTES), mac: pattern(32, 7) }
  const ciphertext = {
    type: PIECE_TYPE.ciphertext,
    epoch: 11,
    bytes: pattern(KEM_CIPHERTEXT_BYTES),
    mac: pattern(32, 8),
  }

  it('T12 has one size with a key, a ciphertext or nothing, and comes back whole', () => {
    for (const piece of [undefined, key, ciphertext]) {
      const encoded = encodeHeader({ ...plain, piece })
      expect(encoded).to.have.lengthOf(HEADER_BYTES)
      expect(decodeHeader(encoded)).to.deep.equal({ ...plain, piece })
    }
  })

  it('has its fields where the document says', () => {
    const bytes = encodeHeader({ ...plain, piece: ciphertext })
    expect(equal(bytes.subarray(0, 32), pattern(32))).to.equal(true)
    expect(toHex(bytes.subarray(32, 80))).to.equal(
      '00000001ffffffff00000003000100000000000000000000000000050000000000000006000000070000000800000009',
    )
    expect(toHex(bytes.subarray(80, 85))).to.equal('020000000b')
    expect(equal(bytes.subarray(85, 1173), pattern(1088))).to.equal(true)
    expect(bytes.subarray(1173, 1269).every((byte) => byte === 0)).to.equal(true)
    expect(equal(bytes.subarray(1269), pattern(32, 8))).to.equal(true)
  })

  it('refuses every other length, type, number above 2^48 and byte that no header has', () => {
    const bytes = encodeHeader(plain)
    for (const length of [0, 32, HEADER_BYTES - 1]) forged(bytes.subarray(0, length))
    forged(concat(bytes, Uint8Array.of(0)))
    const change = (at: number, value: number, from = bytes): Uint8Array => {
      const changed = from.slice()
      changed[at] = value
      return changed
    }
    for (const type of [3, 255]) forged(change(80, type))
    // nothing carries nothing: no epoch, no piece, no MAC
    for (const at of [81, 84, 85, 700, 1268, 1269, 1300]) forged(change(at, 1))
    for (const at of [1173, 1268]) forged(change(at, 1, encodeHeader({ ...plain, piece: ciphertext })))
    for (const at of [44, 52, 60]) forged(change(at, 0xff))
  })

  it('is not made of parts of a wrong length', () => {
    const wrong: RatchetHeader[] = [
      { ...plain, ratchetKey: new Uint8Array(31) },
      { ...plain, piece: { ...key, bytes: pattern(KEM_CIPHERTEXT_BYTES) } },
      { ...plain, piece: { ...ciphertext, bytes: pattern(KEM_PUBLIC_BYTES) } },
      { ...plain, piece: { ...key, mac: new Uint8Array(31) } },
      { ...plain, piece: { ...key, type: PIECE_TYPE.none } },
      { ...plain, ratchetKey: new Uint8Array(33), piece: { ...key, mac: new Uint8Array(31) } },
      { ...plain, count: 2 ** 32 },
    ]
    for (const header of wrong) expect(() => encodeHeader(header)).to.throw(RangeError)
  })

  it('round trips for all numbers', () => {
    const count = fc.nat(2 ** 31 - 1)
    fc.assert(
      fc.property(
        count,
        fc.nat({ max: MAX_HEADER_COUNTER }),
        fc.constantFrom(undefined, key, ciphertext),
        (small, large, piece) => {
          const header = { ...plain, previousCount: small, floor: small, serial: large, pqEpoch: small, piece }
          expect(decodeHeader(encodeHeader(header))).to.deep.equal(header)
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('legs', () => {
  const clear = leg1Clear(pattern(32), 0x0102030405, 7)
  const c1 = pattern(C1_PLAINTEXT_BYTES + 16, 3)
  const c2 = pattern(C2_PLAINTEXT_BYTES + 16, 4)
  const leg1 = concat(clear, pattern(32, 1), pattern(KEM_CIPHERTEXT_BYTES, 2), c1, c2)
  const c3 = pattern(C3_PLAINTEXT_BYTES + 16, 5)
  const leg2 = encodeLeg2({ ephemeral: pattern(32, 1), ciphertext: pattern(KEM_CIPHERTEXT_BYTES, 2), c3 })

  it('T12 the parts add up to 8192 bytes', () => {
    expect(LEG1_INNER_BYTES + SEAL_OVERHEAD_BYTES).to.equal(limits.LEG_BYTES)
    expect(clear).to.have.lengthOf(LEG1_CLEAR_BYTES)
    expect(leg1).to.have.lengthOf(LEG1_INNER_BYTES)
    expect(leg2).to.have.lengthOf(limits.LEG_BYTES)
  })

  it('leg 1 comes apart where it was put together', () => {
    const read = decodeLeg1(leg1)
    expect(toHex(read.clear)).to.equal(toHex(clear))
    expect(toHex(read.clear)).to.equal(`0111${toHex(pattern(32))}00000001020304050000000000000007`)
    expect([read.prekeySeq, read.recordSeq]).to.deep.equal([0x0102030405, 7])
    expect(equal(read.device, pattern(32))).to.equal(true)
    expect(equal(read.ephemeral, pattern(32, 1))).to.equal(true)
    expect(equal(read.ciphertext, pattern(KEM_CIPHERTEXT_BYTES, 2))).to.equal(true)
    expect(equal(read.c1, c1)).to.equal(true)
    expect(equal(read.c2, c2)).to.equal(true)
  })

  it('leg 2 comes apart where it was put together', () => {
    const read = decodeLeg2(leg2)
    expect(toHex(leg2.subarray(0, 2))).to.equal('0112')
    expect(equal(read.ephemeral, pattern(32, 1))).to.equal(true)
    expect(equal(read.ciphertext, pattern(KEM_CIPHERTEXT_BYTES, 2))).to.equal(true)
    expect(equal(read.c3, c3)).to.equal(true)
  })

  it('T8 refuses another length, version or kind, and one leg for the other', () => {
    for (const [decode, leg] of [
      [decodeLeg1, leg1],
      [decodeLeg2, leg2],
    ] as const) {
      for (const length of [0, 1, 50, leg.length - 1]) malformed(() => decode(leg.subarray(0, length)))
      malformed(() => decode(concat(leg, Uint8Array.of(0))))
      for (const [at, value] of [
        [0, 0],
        [0, 2],
        [1, ENVELOPE_KIND.pairwise],
        [1, 0x13],
      ] as const) {
        const changed = leg.slice()
        changed[at] = value
        malformed(() => decode(changed))
      }
    }
    malformed(() => decodeLeg1(leg2))
    malformed(() => decodeLeg2(leg1))
    const crossed = leg1.slice()
    crossed[1] = LEG_KIND.accept
    malformed(() => decodeLeg1(crossed))
  })

  it('refuses sequence numbers above 2^53-1', () => {
    for (const at of [34, 42]) {
      const changed = leg1.slice()
      changed.set(fromHex('0020000000000000'), at)
      malformed(() => decodeLeg1(changed))
    }
  })
})
