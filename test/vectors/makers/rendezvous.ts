/** The rendezvous record of one direction and week (PROTOCOL 9). */
import { concat, u32 } from '../../../node/crypto/bytes.ts'
import { sign } from '../../../node/crypto/ed25519.ts'
import { hkdfSha256, NO_SALT } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { admitRecordAt, compareRecordsAt } from '../../../node/identity/record-keys.ts'
import {
  createRendezvous,
  openRendezvous,
  rendezvousKeys,
  rendezvousPlace,
  type RendezvousPlace,
  rendezvousWeek,
} from '../../../node/identity/rendezvous.ts'
import { encode } from '../../../node/wire/schema.ts'
import { FIRST } from './handshake.ts'
import { RELAY_A, RELAY_B } from './people.ts'
import { DAY, drawn, type Fields, flipped, NOW, refused, same, type VectorFile } from './vector-file.ts'

const WEEK = rendezvousWeek(NOW)
const SECRET = FIRST.keys.reachAB
const KEYS = rendezvousKeys(SECRET, WEEK)

export function rendezvousVectors(): VectorFile {
  const small: RendezvousPlace = { relays: [RELAY_A.address, RELAY_B.address] }
  const long = `/dns4/${'relay-'.repeat(9)}example.org/tcp/4001`
  const large: RendezvousPlace = {
    relays: [RELAY_A.address, RELAY_B.address, long],
    peerId: RELAY_A.peerId,
    addresses: [RELAY_A.address, RELAY_B.address, long],
  }
  const full: RendezvousPlace = {
    ...large,
    relays: [RELAY_A, RELAY_B, RELAY_A].map(({ address }) => address).concat(long),
  }
  const records = [recordOf(small, NOW), recordOf(small, NOW + 1), recordOf(large, NOW)]
  return {
    name: 'rendezvous',
    shows: ['Rendezvous'],
    about:
      'What Alice says to Bob in one week: keys, place in the DHT, the sealed place, also one of which the last addresses do not fit.',
    cases: [
      {
        name: 'keys',
        reachSecret: SECRET,
        now: NOW,
        week: WEEK,
        hkdf: hkdfSha256(NO_SALT, SECRET, concat(L('rendezvousKeys'), u32(WEEK)), 64),
        seed: KEYS.signing.seed,
        public: KEYS.signing.public,
        sealingKey: KEYS.sealing,
        key: KEYS.recordKey,
      },
      caseOf('relays alone', small, small),
      caseOf('what does not fit is left out', large, openRendezvous(KEYS, recordOf(large, NOW), NOW).place),
      caseOf('no address fits: the peer ID goes with them', full, openRendezvous(KEYS, recordOf(full, NOW), NOW).place),
      {
        name: 'order, the best last',
        key: KEYS.recordKey,
        worstFirst: records.toSorted((a, b) => compareRecordsAt(KEYS.recordKey, a, b)),
      },
    ],
    refused: badRecords(small),
  }
}

function recordOf(place: RendezvousPlace, seq: number, keys = KEYS): Uint8Array {
  return createRendezvous(keys, { seq, nonce: drawn('rendezvous, nonce', 24), place })
}

function caseOf(name: string, wanted: RendezvousPlace, place: RendezvousPlace): Fields & { name: string } {
  const record = recordOf(wanted, NOW)
  same('place', encode(rendezvousPlace, openRendezvous(KEYS, record, NOW).place), encode(rendezvousPlace, place))
  return {
    name,
    seq: NOW,
    wanted: { ...wanted },
    place: { ...place },
    encodedPlace: encode(rendezvousPlace, place),
    nonce: drawn('rendezvous, nonce', 24),
    sealed: record.slice(9, 448),
    signature: record.slice(448),
    record,
  }
}

function badRecords(place: RendezvousPlace) {
  const good = recordOf(place, NOW)
  const key = KEYS.recordKey
  const bad = (name: string, reason: string, record: Uint8Array, now = NOW, at = key) =>
    refused(name, reason, { key: at, value: record, now }, () => admitRecordAt(at, record, { now }))
  const resigned = (body: Uint8Array): Uint8Array => concat(body, sign(KEYS.signing.seed, 'rendezvousRecord', body))
  const other = rendezvousKeys(SECRET, WEEK + 1)
  const strange = resigned(flipped(good.slice(0, 448), 100))
  return [
    bad('511 bytes', 'always 512', good.slice(1)),
    bad('version 2', 'the version is 1', resigned(concat(Uint8Array.of(2), good.slice(1, 448)))),
    bad('seq above 2^53 − 1', 'a u64 above 2^53 − 1 is malformed', resigned(flipped(good.slice(0, 448), 1, 6))),
    bad('more than an hour ahead', 'believed from an hour before `seq`', good, NOW - 3601),
    bad('a week old', 'believed to a week after `seq`', good, NOW + 7 * DAY),
    bad('a bit of the signature', 'does not verify', flipped(good, -1)),
    bad('at the place of another week', 'the key that it lies under signs', good, NOW, other.recordKey),
    refused(
      'sealed with another key, signed well',
      'what is sealed does not open: held by the DHT, not believed by the friend',
      { key, value: strange, now: NOW },
      () => openRendezvous(KEYS, strange, NOW),
    ),
  ]
}
