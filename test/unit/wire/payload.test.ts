import { expect } from 'chai'
import * as fc from 'fast-check'
import { concat, equal, toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { ForgedError, KithError } from '../../../node/errors.ts'
import { MAX_PAYLOAD_BYTES, pad, payload, payloadMessageId, readPayload, unpad } from '../../../node/wire/payload.ts'
import { decode, encode } from '../../../node/wire/schema.ts'

const PLAIN = encode(payload, {
  version: 1,
  type: 1,
  salt: new Uint8Array(16).fill(1),
  conversation: new Uint8Array(16).fill(2),
  lamport: 3,
  parents: [],
  sentAt: 4,
  body: utf8('body'),
  lifetime: 5,
  mine: { events: 0, seq: 6, hash: new Uint8Array(32) },
})

describe('padding', () => {
  it('is 0x80 and zeros up to the length, and comes off again', () => {
    expect(toHex(pad(Uint8Array.of(1, 2), 5))).to.equal('0102800000')
    expect(toHex(pad(Uint8Array.of(), 1))).to.equal('80')
    // a plaintext that looks like padding keeps its bytes
    expect(toHex(unpad(pad(Uint8Array.of(0x80, 0), 6)))).to.equal('8000')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (plain, more) =>
        equal(unpad(pad(plain, plain.length + more)), plain),
      ),
    )
  })

  it('needs a byte of room, and changes no input', () => {
    const plain = Uint8Array.of(1, 2)
    expect(() => pad(plain, 2)).to.throw(RangeError)
    expect(() => pad(plain, 1)).to.throw(RangeError)
    unpad(pad(plain, 3))
    expect([...plain]).to.deep.equal([1, 2])
  })

  it('T13 padding that is none is refused like a forgery', () => {
    for (const wrong of [[], [0], [0, 0], [1], [0x81, 0], [1, 0x80, 1], [0x80, 0x7f], [0x40, 0, 0]]) {
      expect(() => unpad(Uint8Array.from(wrong)), wrong.join()).to.throw(ForgedError)
    }
  })

  it('T13 no change of a padding byte leaves a payload that is read', () => {
    // the AEAD refuses the change before anybody comes here: this is the second line
    const padded = pad(PLAIN, PLAIN.length + 12)
    for (let i = PLAIN.length; i < padded.length; i++) {
      for (let value = 0; value < 256; value++) {
        if (value === padded[i]) continue
        const changed = padded.slice()
        changed[i] = value
        expect(() => decode(payload, unpad(changed), MAX_PAYLOAD_BYTES), `byte ${i} is ${value}`).to.throw(KithError)
      }
    }
    expect(decode(payload, unpad(padded), MAX_PAYLOAD_BYTES).sentAt).to.equal(4)
  })
})

describe('message ID', () => {
  it('is 16 bytes of a hash over the whole payload', () => {
    const id = payloadMessageId(PLAIN)
    expect(toHex(id)).to.equal(toHex(sha256(L('message'), PLAIN).subarray(0, 16)))
    for (let i = 0; i < PLAIN.length; i++) {
      const changed = PLAIN.slice()
      changed[i] = changed[i]! ^ 1
      expect(toHex(payloadMessageId(changed))).not.to.equal(toHex(id))
    }
    expect(toHex(payloadMessageId(concat(PLAIN, Uint8Array.of(0))))).not.to.equal(toHex(id))
  })
})

describe('reading a payload', () => {
  it('gives what was written, and nothing for another version or for what is no payload', () => {
    const value = decode(payload, PLAIN, MAX_PAYLOAD_BYTES)
    expect(readPayload(PLAIN)).to.deep.equal(value)
    for (const version of [0, 2, 255]) expect(readPayload(encode(payload, { ...value, version }))).to.equal(undefined)
    for (let length = 0; length < PLAIN.length; length++) {
      expect(readPayload(PLAIN.subarray(0, length)), `${length} bytes`).to.equal(undefined)
    }
    const full = { ...value, body: new Uint8Array(MAX_PAYLOAD_BYTES - PLAIN.length) }
    expect(readPayload(encode(payload, full))).to.deep.equal(full)
    expect(readPayload(encode(payload, { ...full, body: new Uint8Array(MAX_PAYLOAD_BYTES) }))).to.equal(undefined)
  })
})
