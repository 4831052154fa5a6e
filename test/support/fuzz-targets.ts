/** All readers that are fuzzed, each with valid input to start from, in the groups of `test/fuzz/corpus/`. */
import * as fc from 'fast-check'
import { decode, encode } from '../../node/wire/schema.ts'
import { OUTSIDE_DECODERS, type OutsideDecoder } from './outside-decoders.ts'
import { OUTSIDE_TEXTS } from './outside-texts.ts'
import { WIRE_CODECS } from './wire-codecs.ts'

export interface FuzzTarget {
  name: string
  read: (bytes: Uint8Array) => unknown
  /** Valid input to start from. */
  seeds: fc.Arbitrary<Uint8Array>
}

function target({ name, read, valid }: OutsideDecoder): FuzzTarget {
  return { name, read, seeds: fc.constantFrom(...valid) }
}

const maps: FuzzTarget[] = WIRE_CODECS.map(({ name, shape, value, maxBytes }) => ({
  name,
  read: (bytes) => decode(shape, bytes, maxBytes),
  seeds: value.map((original) => encode(shape, original)),
}))

export const FUZZ_TARGETS: Record<'maps' | 'decoders' | 'texts', FuzzTarget[]> = {
  maps,
  decoders: OUTSIDE_DECODERS.map(target),
  texts: OUTSIDE_TEXTS.map(target),
}
