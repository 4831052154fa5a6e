/**
 * T36, the part of shapes: whatever bytes come, every decoder of `node/wire/` gives a value or a KithError, soon.
 * One seed for all, so that a failure repeats; KITH_FUZZ_SEED and KITH_FUZZ_RUNS explore further.
 */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { concat } from '../../node/crypto/bytes.ts'
import { KithError } from '../../node/errors.ts'
import { ENVELOPE_BYTES, LEG_BYTES, MAX_FRAME_BYTES } from '../../node/limits.ts'
import { decodeEnvelope } from '../../node/wire/envelope.ts'
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../../node/wire/header.ts'
import { decodeLeg1, decodeLeg2, LEG1_INNER_BYTES } from '../../node/wire/legs.ts'
import { pad, unpad } from '../../node/wire/payload.ts'
import { decode, encode } from '../../node/wire/schema.ts'
import { WIRE_CODECS } from '../support/wire-codecs.ts'

const SEED = Number(process.env.KITH_FUZZ_SEED ?? 20_261_121)
const RUNS = Number(process.env.KITH_FUZZ_RUNS ?? 60)

/**
 * Processor time for one input, the largest frame with the worst content included: far above what it takes, far below
 * what would hurt.
 */
const MAX_MILLISECONDS = 1000

interface Target {
  name: string
  read(bytes: Uint8Array): unknown
  /** Valid input to start from. */
  seeds: fc.Arbitrary<Uint8Array>
}

const header = encodeHeader({
  ratchetKey: new Uint8Array(32).fill(1),
  previousCount: 1,
  count: 2,
  floor: 3,
  tagCounter: 4,
  serial: 5,
  highestSerialOpened: 6,
  pqEpoch: 7,
  pqCount: 8,
  highestPqEpoch: 9,
  piece: { type: 1, epoch: 1, bytes: new Uint8Array(1184), mac: new Uint8Array(32) },
})

function filled(version: number, kind: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  bytes.set([version, kind])
  return bytes
}

const TARGETS: Target[] = [
  ...WIRE_CODECS.map(({ name, shape, value, maxBytes }) => ({
    name,
    read: (bytes: Uint8Array) => decode(shape, bytes, maxBytes),
    seeds: value.map((original) => encode(shape, original)),
  })),
  {
    name: 'envelope',
    read: decodeEnvelope,
    seeds: fc.constantFrom(...ENVELOPE_BYTES.map((size) => filled(1, 1, size))),
  },
  { name: 'header', read: decodeHeader, seeds: fc.constantFrom(header, new Uint8Array(HEADER_BYTES)) },
  { name: 'leg 1', read: decodeLeg1, seeds: fc.constant(filled(1, 0x11, LEG1_INNER_BYTES)) },
  { name: 'leg 2', read: decodeLeg2, seeds: fc.constant(filled(1, 0x12, LEG_BYTES)) },
  { name: 'unpad', read: unpad, seeds: fc.uint8Array({ maxLength: 64 }).map((plain) => pad(plain, 80)) },
]

/** First bytes of CBOR items that have bitten other parsers, and ends of integer ranges. */
const TOKENS = [
  '00',
  '17',
  '1800',
  '1bffffffffffffffff',
  '3b7fffffffffffffff',
  '40',
  '5bffffffffffffffff',
  '5f',
  '60',
  '7f',
]
  .concat([
    '80',
    '9affffffff',
    '9f',
    'a0',
    'baffffffff',
    'bf',
    'c0',
    'dbffffffffffffffff',
    'f6',
    'f7',
    'f97e00',
    'f98000',
  ])
  .concat(['fb7ff8000000000000', 'ff', '695f5f70726f746f5f5f', '63eda080', '63efbbbf'])
  .map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')))

type Mutation = (bytes: Uint8Array) => Uint8Array
const place = fc.nat(2 ** 31 - 1)

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(
    ([at, value]): Mutation =>
      (bytes) => {
        if (bytes.length > 0) bytes[at % bytes.length] = value
        return bytes
      },
  ),
  fc.tuple(place, fc.nat(7)).map(
    ([at, bit]): Mutation =>
      (bytes) => {
        if (bytes.length > 0) bytes[at % bytes.length]! ^= 1 << bit
        return bytes
      },
  ),
  place.map(
    (at): Mutation =>
      (bytes) =>
        bytes.slice(0, at % (bytes.length + 1)),
  ),
  fc.tuple(place, fc.nat(40)).map(
    ([at, length]): Mutation =>
      (bytes) => {
        const from = at % (bytes.length + 1)
        return concat(bytes.subarray(0, from), bytes.subarray(from + length))
      },
  ),
  fc.tuple(place, fc.constantFrom(...TOKENS)).map(
    ([at, token]): Mutation =>
      (bytes) => {
        const from = at % (bytes.length + 1)
        return concat(bytes.subarray(0, from), token, bytes.subarray(from))
      },
  ),
  fc.tuple(place, fc.constantFrom(...TOKENS)).map(
    ([at, token]): Mutation =>
      (bytes) => {
        const from = at % (bytes.length + 1)
        return concat(bytes.subarray(0, from), token, bytes.subarray(from + token.length))
      },
  ),
  fc.tuple(place, place, fc.nat(60)).map(
    ([from, to, length]): Mutation =>
      (bytes) => {
        const start = from % (bytes.length + 1)
        const end = to % (bytes.length + 1)
        return concat(bytes.subarray(0, end), bytes.subarray(start, start + length), bytes.subarray(end))
      },
  ),
)

function outcome(target: Target, bytes: Uint8Array): 'read' | 'refused' {
  const before = bytes.slice()
  const started = process.cpuUsage()
  let result: 'read' | 'refused' = 'read'
  try {
    target.read(bytes)
  } catch (error) {
    if (!(error instanceof KithError)) throw error
    result = 'refused'
  }
  const { user, system } = process.cpuUsage(started)
  const took = (user + system) / 1000
  if (took > MAX_MILLISECONDS) throw new Error(`${bytes.length} bytes took ${took} ms`)
  if (Buffer.compare(before, bytes) !== 0) throw new Error('the decoder wrote into its input')
  return result
}

describe('T36 decoders of the wire under fuzzing', () => {
  for (const target of TARGETS) {
    it(`T36 ${target.name}: a value or a KithError, whatever came`, () => {
      let [refused, read] = [0, 0]
      const count = (bytes: Uint8Array): void => {
        if (outcome(target, bytes) === 'refused') refused++
        else read++
      }
      const mutated = fc
        .tuple(target.seeds, fc.array(mutation, { maxLength: 4 }))
        .map(([seed, steps]) => steps.reduce<Uint8Array>((bytes, step) => step(bytes), seed.slice()))
      fc.assert(fc.property(mutated, count), { seed: SEED, numRuns: RUNS })
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), count), { seed: SEED, numRuns: RUNS })
      // the fuzzing means something only if it comes through at times and is refused at others
      expect(refused, 'refused').to.be.greaterThan(0)
      expect(read, 'read').to.be.greaterThan(0)
    })
  }

  it('T36 frames of the largest size, filled with one byte, are judged soon by every decoder', () => {
    const worst = [0x00, 0x40, 0x60, 0x61, 0x80, 0x81, 0x82, 0x9f, 0xa0, 0xa1, 0xbf, 0xc1, 0xd8, 0xf6, 0xff]
    const frame = TARGETS.find((target) => target.name === 'read answer')!
    for (const byte of worst) {
      const bytes = new Uint8Array(MAX_FRAME_BYTES).fill(byte)
      expect(outcome(frame, bytes), byte.toString(16)).to.equal('refused')
      // and as the content of an array and of a map that promise as many items
      for (const head of [0x9a, 0xba]) {
        bytes.set([head, 0x00, 0x05, 0xff, 0xfb])
        expect(outcome(frame, bytes), `${head.toString(16)} of ${byte.toString(16)}`).to.equal('refused')
      }
    }
    for (const target of TARGETS) outcome(target, new Uint8Array(MAX_FRAME_BYTES).fill(0x81))
  })
})
