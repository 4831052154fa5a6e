import { expect } from 'chai'
import * as fc from 'fast-check'
import { equal } from '../../../node/crypto/bytes.ts'
import {
  compareRecordsAt,
  identityRecordKey,
  prekeyRecordKey,
  validateRecordAt,
} from '../../../node/identity/record-keys.ts'
import { compareHeads, readIdentityRecord } from '../../../node/identity/records.ts'
import { createKeyEvent } from '../../../node/identity/root.ts'
import { KithError } from '../../../node/errors.ts'
import { decodeInvite, encodeInvite } from '../../../node/identity/invite.ts'
import { entropyOf, wordsOf } from '../../../node/identity/phrase.ts'
import { idFromText, idToText } from '../../../node/identity/root.ts'
import { NOW, testPerson } from '../../support/identity-fixtures.ts'

const alice = testPerson(1)
const events = [createKeyEvent(alice.entropy, [])]
const idKey = identityRecordKey(alice.id)
const records = [
  alice.record(),
  alice.record({ seq: NOW + 1 }),
  alice.record({ seq: NOW + 1, maxVersion: 2 }),
  alice.record({ seq: NOW + 1, maxVersion: 3 }),
  alice.record({ seq: NOW - 9, events }),
]

/** Records, foreign records, damaged records and noise. */
const anything = fc.oneof(
  fc.constantFrom(...records.map((view) => view.bytes), testPerson(2).record().bytes, alice.prekey().bytes),
  fc
    .tuple(fc.constantFrom(...records.map((view) => view.bytes)), fc.nat(), fc.integer({ min: 1, max: 255 }))
    .map(([bytes, at, bits]) => {
      const bent = bytes.slice()
      bent[at % bent.length]! ^= bits
      return bent
    }),
  fc.uint8Array({ maxLength: 64 }),
  fc.constant(new Uint8Array(5000)),
)

const order = (x: Uint8Array, y: Uint8Array): number => Math.sign(compareRecordsAt(idKey, x, y))

describe('property: records', () => {
  it('T5 a record with any byte changed is refused, by a KithError', () => {
    fc.assert(
      fc.property(fc.constantFrom(...records), fc.nat(), fc.integer({ min: 1, max: 255 }), (view, at, bits) => {
        const bent = view.bytes.slice()
        bent[at % bent.length]! ^= bits
        expect(() => validateRecordAt(idKey, bent, { now: NOW })).to.throw(KithError)
      }),
      { numRuns: 300 },
    )
  })

  it('T3 the order of two values is total: every node picks the same winner, whatever it met first', () => {
    fc.assert(
      fc.property(anything, anything, anything, (a, b, c) => {
        expect(order(a, a)).to.equal(0)
        expect(order(a, b) + order(b, a)).to.equal(0)
        expect(order(a, b) === 0).to.equal(equal(a, b))
        if (order(a, b) > 0 && order(b, c) > 0) expect(order(a, c)).to.equal(1)
      }),
      { numRuns: 300 },
    )
  })

  it('garbage is below every record, at every key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 60 }), (noise, key) => {
        for (const view of records) expect(compareRecordsAt(idKey, view.bytes, noise)).to.be.greaterThan(0)
        expect(() => compareRecordsAt(key, noise, records[0]!.bytes)).not.to.throw()
        expect(() => compareRecordsAt(prekeyRecordKey(alice.deviceKeys.public), noise, noise)).not.to.throw()
      }),
    )
  })

  it('the order agrees with the heads', () => {
    for (const a of records) {
      for (const b of records) {
        expect(Math.sign(compareRecordsAt(idKey, a.bytes, b.bytes))).to.equal(Math.sign(compareHeads(a.head, b.head)))
      }
    }
  })

  it('what is created can be read', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 33 }),
        fc.integer({ min: 1, max: 90 * 86_400 }),
        fc.integer({ min: 1, max: 255 }),
        (seq, lifetime, maxVersion) => {
          const view = alice.record({ seq, expires: seq + lifetime, maxVersion })
          expect(readIdentityRecord(view.bytes)).to.deep.equal(view)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('words, IDs and invites come back as they were', () => {
    const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(bytes32, (bytes) => {
        expect(entropyOf(wordsOf(bytes).join(' '))).to.deep.equal(bytes)
        expect(idFromText(idToText(bytes))).to.deep.equal(bytes)
      }),
    )
    fc.assert(
      fc.property(
        bytes32,
        bytes32,
        fc.array(fc.string({ maxLength: 30 }), { maxLength: 2 }),
        fc.nat(),
        (id, seal, relays, expires) => {
          const invite = {
            version: 1,
            id,
            writerSeed: seal,
            reader: alice.deviceKeys.public,
            seal,
            pin: records[0]!.head,
            relays,
            expires,
          }
          expect(decodeInvite(encodeInvite(invite))).to.deep.equal(invite)
        },
      ),
    )
  })

  it('text of any kind is an ID, words or an invite, or a KithError', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        for (const read of [idFromText, entropyOf, decodeInvite]) {
          for (const candidate of [text, `kith1${text}`, `kithinvite1${text}`])
            expect(() => read(candidate)).to.throw(KithError)
        }
      }),
    )
  })
})
