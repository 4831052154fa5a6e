/**
 * Fuzzing: small changes of valid input, and what counts as an answer of a reader: a value or a KithError, soon, and its
 * input as it was. One seed for all, so that a failure repeats; KITH_FUZZ_SEED and KITH_FUZZ_RUNS explore further.
 */
import * as fc from 'fast-check'
import { concat } from '../../node/crypto/bytes.ts'
import { KithError } from '../../node/errors.ts'

export const FUZZ_SEED = Number(process.env['KITH_FUZZ_SEED'] ?? 20_261_121)
export const FUZZ_RUNS = Number(process.env['KITH_FUZZ_RUNS'] ?? 60)

/**
 * Processor time for one input, the largest frame with the worst content included: far above what it takes, far below
 * what would hurt.
 */
const MAX_MILLISECONDS = 1000

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

/** One of the inputs, changed up to four times. */
export function mutated(seeds: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(seeds, fc.array(mutation, { maxLength: 4 }))
    .map(([seed, steps]) => steps.reduce<Uint8Array>((bytes, step) => step(bytes), seed.slice()))
}

/**
 * How a reader takes an input: `read`, or the code of its KithError.
 * @throws whatever else it throws; Error when it takes long or writes into its input
 */
export function outcome(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): string {
  const before = bytes.slice()
  const started = process.cpuUsage()
  let result = 'read'
  try {
    read(bytes)
  } catch (error) {
    if (!(error instanceof KithError)) throw error
    result = error.code
  }
  const { user, system } = process.cpuUsage(started)
  const took = (user + system) / 1000
  if (took > MAX_MILLISECONDS) throw new Error(`${bytes.length} bytes took ${took} ms`)
  if (Buffer.compare(before, bytes) !== 0) throw new Error('the decoder wrote into its input')
  return result
}
