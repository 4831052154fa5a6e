/** Every shape of the wire: there and back, no second encoding, no beginning and no more of it, no other version of size. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { concat, equal } from '../../../node/crypto/bytes.ts'
import { KithError, PeerError } from '../../../node/errors.ts'
import * as commands from '../../../node/wire/commands.ts'
import * as invites from '../../../node/wire/invite.ts'
import * as legs from '../../../node/wire/legs.ts'
import * as payloads from '../../../node/wire/payload.ts'
import * as records from '../../../node/wire/records.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { WIRE_CODECS } from '../../support/wire-codecs.ts'

/** Exports that are shapes of a part, not of a message. */
const PARTS = ['seconds', 'typedX25519', 'typedEd25519', 'typedKem', 'hash32', 'address', 'relays', 'addresses']
const MORE_PARTS = ['peerIdBytes', 'messageId']

describe('every codec of the wire', () => {
  it('is in the list', () => {
    const listed = new Set(WIRE_CODECS.map((codec) => codec.shape as unknown))
    for (const module of [commands, invites, legs, payloads, records]) {
      for (const [name, value] of Object.entries(module)) {
        const isShape = typeof value === 'object' && value !== null && 'read' in value && 'write' in value
        if (isShape && ![...PARTS, ...MORE_PARTS].includes(name)) expect(listed.has(value), name).to.equal(true)
      }
    }
  })

  for (const { name, shape, value, maxBytes } of WIRE_CODECS) {
    it(`${name}: comes back equal, and as the same bytes`, () => {
      fc.assert(
        fc.property(value, (original) => {
          const encoded = encode(shape, original)
          const read = decode(shape, encoded, maxBytes)
          expect(read).to.deep.equal(original)
          expect(equal(encode(shape, read), encoded)).to.equal(true)
        }),
        { numRuns: 40 },
      )
    })

    it(`${name}: no truncation, trailing byte or size above the bound`, () => {
      fc.assert(
        fc.property(value, fc.nat(), fc.nat(255), (original, cut, extra) => {
          const encoded = encode(shape, original)
          const short = encoded.subarray(0, cut % encoded.length)
          expect(() => decode(shape, short, maxBytes))
            .to.throw(PeerError)
            .with.property('code', 'MALFORMED')
          const long = concat(encoded, Uint8Array.of(extra))
          expect(() => decode(shape, long, long.length))
            .to.throw(PeerError)
            .with.property('code', 'MALFORMED')
          expect(() => decode(shape, encoded, encoded.length - 1))
            .to.throw(PeerError)
            .with.property('code', 'OVERSIZED')
        }),
        { numRuns: 25 },
      )
    })
  }

  it('each truncation of one of each', () => {
    for (const { shape, value, maxBytes, name } of WIRE_CODECS) {
      const [original] = fc.sample(value, { numRuns: 1, seed: 1 })
      const encoded = encode(shape, original)
      const step = encoded.length > 2000 ? 97 : 1
      for (let length = 0; length < encoded.length; length += step) {
        expect(() => decode(shape, encoded.subarray(0, length), maxBytes), `${name}, ${length} bytes`).to.throw(
          PeerError,
        )
      }
    }
  })

  it('a changed byte gives an error or another value, never the same value twice', () => {
    for (const { shape, value, maxBytes, name } of WIRE_CODECS) {
      fc.assert(
        fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, at, flip) => {
          const encoded = encode(shape, original)
          const changed = encoded.slice()
          changed[at % changed.length] = changed[at % changed.length]! ^ flip
          try {
            expect(decode(shape, changed, maxBytes), name).not.to.deep.equal(original)
          } catch (error) {
            if (!(error instanceof KithError)) throw error
          }
        }),
        { numRuns: 20 },
      )
    }
  })
})
