/**
 * An Inbound that a test can read and steer: envelopes are written down, links answer by a function, and a record is
 * `u32 sequence || anything`, the higher sequence winning.
 */
import { compare, concat, readUint, u32 } from '../../node/crypto/bytes.ts'
import { PeerError } from '../../node/errors.ts'
import { MAX_RECORD_BYTES } from '../../node/limits.ts'
import type { Admission, Inbound, LinkSource } from '../../node/ports.ts'

export interface Admitted {
  envelope: Uint8Array
  topic: string
  neighbour: string
}

export class RecordingInbound implements Inbound {
  admitted: Admitted[] = []
  sources: LinkSource[] = []
  /** Link servers that were closed. */
  closed = 0
  verdict: (envelope: Uint8Array) => Admission = () => 'accept'
  /** What a link answers; undefined: nothing is served. */
  answer: ((frame: Uint8Array) => Promise<Uint8Array>) | undefined = async (frame) => frame

  admit(envelope: Uint8Array, topic: string, neighbour: string): Admission {
    this.admitted.push({ envelope, topic, neighbour })
    return this.verdict(envelope)
  }

  serve(source: LinkSource): ReturnType<Inbound['serve']> {
    this.sources.push(source)
    const answer = this.answer
    if (answer === undefined) return undefined
    return {
      handle: answer,
      close: () => {
        this.closed++
      },
    }
  }

  validateRecord(_key: Uint8Array, value: Uint8Array): void {
    if (value.length < 5 || value.length > MAX_RECORD_BYTES) throw new PeerError('RECORD_REFUSED', 'not a test record')
  }

  compareRecords(_key: Uint8Array, a: Uint8Array, b: Uint8Array): number {
    return sequenceOf(a) - sequenceOf(b) || compare(a, b)
  }

  /** Whether an envelope of these bytes came. */
  has(envelope: Uint8Array): boolean {
    return this.admitted.some((one) => compare(one.envelope, envelope) === 0)
  }
}

/** A record of 300 bytes. */
export function testRecord(sequence: number, fill = 1): Uint8Array {
  return concat(u32(sequence), new Uint8Array(296).fill(fill))
}

/** Of garbage: -1. */
export function sequenceOf(value: Uint8Array): number {
  return value.length < 4 ? -1 : readUint(value, 0, 4)
}
