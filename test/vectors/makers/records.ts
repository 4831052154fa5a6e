/** The two records of the DHT, where they lie, their order, and every way to be refused (PROTOCOL 2). */
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair, sign } from '../../../node/crypto/ed25519.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import type { Label } from '../../../node/crypto/labels.ts'
import { deviceEntry } from '../../../node/identity/device-keys.ts'
import {
  compareRecordsAt,
  identityRecordKey,
  prekeyRecordKey,
  validateRecordAt,
} from '../../../node/identity/record-keys.ts'
import {
  compareHeads,
  createIdentityRecord,
  equivocates,
  type IdentityRecordInit,
  type IdentityView,
  prekeyBelongs,
  readPrekeyRecord,
} from '../../../node/identity/records.ts'
import { createKeyEvent, rootKeyPair } from '../../../node/identity/root.ts'
import {
  identityRecord,
  type IdentityRecord,
  keyEvent,
  prekeyRecord,
  type PrekeyRecord,
  REQUEST_POLICY,
  signed,
} from '../../../node/wire/records.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { ALICE, BOB, RELAY_A } from './people.ts'
import { DAY, drawn, type Fields, flipped, NOW, refused, type VectorFile } from './vector-file.ts'

type Case = Fields & { name: string }

const KEY = identityRecordKey(ALICE.id)
const EVENT_1 = createKeyEvent(ALICE.entropy, [])
const EVENT_2 = createKeyEvent(ALICE.entropy, [EVENT_1])
const SECOND = { signing: drawn('second device, signing key'), identity: drawn('second device, identity key') }
const NEW_DEVICE = deviceEntry({ ...SECOND, added: NOW })
const OPEN_SEED = drawn('open box, R')
const OPEN_READER = typeKey('ed25519', ed25519KeyPair(OPEN_SEED).public)

export function recordVectors(): VectorFile {
  const rotated = made({
    seq: NOW,
    previous: sha256(ALICE.record),
    events: [EVENT_1],
    devices: [NEW_DEVICE],
    revoked: [ALICE.device],
  })
  const open = made({
    seq: NOW - DAY,
    policy: REQUEST_POLICY.open,
    requestReader: OPEN_READER,
    relays: [RELAY_A.address],
  })
  const twin = made({ seq: ALICE.identityFields.seq, expires: ALICE.identityFields.seq + 80 * DAY })
  return {
    name: 'records',
    shows: ['Where and what', 'Checks', 'Order and memory'],
    about:
      'Identity records (first, after a rotation, with the open policy) and a prekey record, each with its key in the DHT; the order ' +
      'of records; what a store refuses at `now`. `signerSeed` is the seed of the key that signs.',
    cases: [
      identityCase('identity record', ALICE.view, ALICE.rootSeed),
      {
        ...identityCase(
          'identity record after a rotation, with another device',
          rotated,
          rootKeyPair(ALICE.entropy, 1).seed,
        ),
        deviceSeed: SECOND.signing,
        identitySecret: SECOND.identity,
      },
      {
        ...identityCase('identity record with the open policy', open, ALICE.rootSeed),
        requestReaderSeed: OPEN_SEED,
      },
      prekeyCase(),
      {
        name: 'prekey record of a device that the identity record does not list',
        identityRecord: rotated.bytes,
        prekeyRecord: ALICE.prekeyRecord,
        counts: prekeyBelongs(rotated, readPrekeyRecord(ALICE.prekeyRecord)),
      },
      orderCase([ALICE.view, twin, open, rotated]),
      {
        name: 'two records of one place: an equivocation',
        records: [ALICE.record, twin.bytes],
        hashes: [ALICE.view.hash, twin.hash],
        equivocation: equivocates(ALICE.view.head, twin.head),
      },
    ],
    refused: [...badForms(), ...badContents(), ...badChains(), ...badLists(), ...badSignatures(), ...badPrekeys()],
  }
}

function made(changes: Partial<IdentityRecordInit>): IdentityView {
  return createIdentityRecord({
    root: rootKeyPair(ALICE.entropy, changes.events?.length ?? 0),
    seq: NOW,
    inception: ALICE.identityFields.inception,
    devices: ALICE.identityFields.devices,
    ...changes,
  })
}

function identityCase(name: string, view: IdentityView, signerSeed: Uint8Array): Case {
  const { body, signature } = decode(signed, view.bytes, 4096)
  return {
    name,
    map: 'identityRecord',
    value: { ...view.record },
    key: identityRecordKey(view.id),
    signerSeed,
    signer: view.root,
    body,
    signature,
    encoded: view.bytes,
    head: { ...view.head },
  }
}

function prekeyCase(): Case {
  const view = readPrekeyRecord(ALICE.prekeyRecord)
  const { body, signature } = decode(signed, view.bytes, 4096)
  return {
    name: 'prekey record',
    map: 'prekeyRecord',
    value: { ...view.record },
    key: prekeyRecordKey(view.device),
    signerSeed: ALICE.deviceSeed,
    signer: view.device,
    body,
    signature,
    encoded: view.bytes,
    counts: prekeyBelongs(ALICE.view, view),
  }
}

/** Best last; garbage loses to every record, and of garbage the lower bytes win. */
function orderCase(views: IdentityView[]): Case {
  const records = views.toSorted((a, b) => compareHeads(a.head, b.head)).map(({ bytes }) => bytes)
  const garbage = [Uint8Array.of(2, 0), Uint8Array.of(1, 0xff), Uint8Array.of(1)]
  const worstFirst = [...garbage, ...records].toSorted((a, b) => compareRecordsAt(KEY, a, b))
  return { name: 'order of values at one key, the best last', key: KEY, worstFirst }
}

// ---- refused ----

interface Signing {
  seed: Uint8Array
  label: Label
}

const ROOT: Signing = { seed: ALICE.rootSeed, label: 'identityRecord' }

function signedRecord(changes: Partial<IdentityRecord>, { seed, label }: Signing = ROOT): Uint8Array {
  const body = encode(identityRecord, { ...ALICE.identityFields, ...changes })
  return encode(signed, { body, signature: sign(seed, label, body) })
}

function bad(name: string, reason: string, value: Uint8Array, key: Uint8Array = KEY) {
  return refused(name, reason, { key, value, now: NOW }, () => validateRecordAt(key, value, { now: NOW }))
}

function badForms() {
  const { record } = ALICE
  const { body, signature } = decode(signed, record, 4096)
  const large = concat(record, new Uint8Array(4097 - record.length))
  return [
    bad('4097 bytes', 'a record has 4096 bytes at most', large),
    bad('a trailing byte', 'not canonical', concat(record, new Uint8Array(1))),
    bad(
      'a trailing byte in the body',
      'the body is not canonical',
      (() => {
        const longer = concat(body, new Uint8Array(1))
        return encode(signed, { body: longer, signature: sign(ROOT.seed, ROOT.label, longer) })
      })(),
    ),
    bad('version 2', 'the version is 1', signedRecord({ version: 2 })),
    bad(
      'a signature of 63 bytes',
      '`signature` has 64',
      concat(record.slice(0, -66), Uint8Array.of(0x58, 63), signature.slice(1)),
    ),
  ]
}

function badContents() {
  const { seq } = ALICE.identityFields
  return [
    bad('the key of another ID', 'the content does not fit the key', ALICE.record, identityRecordKey(BOB.id)),
    bad('the key of a prekey record', 'the content does not fit the key', ALICE.record, prekeyRecordKey(ALICE.device)),
    bad('a key of no kind', 'no such namespace', ALICE.record, flipped(KEY, 1)),
    bad('issued is not seq', 'seq = issued', signedRecord({ issued: seq + 1 })),
    bad('expires when issued', '`expires` is above `issued`', signedRecord({ expires: seq })),
    bad('a second more than 90 days', 'at most 90 days', signedRecord({ expires: seq + 90 * DAY + 1 })),
    bad('expired', 'expires > now', signedRecord({ expires: NOW })),
    bad(
      'a second more than an hour ahead',
      'seq ≤ now + 3600',
      signedRecord({ seq: NOW + 3601, issued: NOW + 3601, expires: NOW + DAY }),
    ),
  ]
}

function badChains() {
  const roots = [0, 1, 2].map((index) => rootKeyPair(ALICE.entropy, index))
  const by = (index: number): Signing => ({ seed: roots[index]!.seed, label: 'identityRecord' })
  const { body, signature } = decode(signed, EVENT_1, 256)
  const fields = decode(keyEvent, body, 256)
  const event = (changes: Partial<typeof fields>, root = roots[1]!): Uint8Array => {
    const changed = encode(keyEvent, { ...fields, ...changes })
    return encode(signed, { body: changed, signature: sign(root.seed, 'keyEvent', changed) })
  }
  const stranger = ed25519KeyPair(drawn('stranger, root key'))
  const strange = event({ root: typeKey('ed25519', stranger.public) }, stranger)
  return [
    bad('key event 2 without 1', 'indices 1, 2, …', signedRecord({ events: [EVENT_2] }, by(2))),
    bad(
      'another previous',
      '`previous` is H of the body before',
      signedRecord({ events: [event({ previous: sha256(EVENT_1) })] }, by(1)),
    ),
    bad(
      'a root that was not committed to',
      'the root is the one that was committed to',
      signedRecord({ events: [strange] }, { seed: stranger.seed, label: 'identityRecord' }),
    ),
    bad('an event of version 2', 'the version is 1', signedRecord({ events: [event({ version: 2 })] }, by(1))),
    bad('signed by the root before', 'the current root key signs', signedRecord({ events: [EVENT_1] }, by(0))),
    bad(
      'an event signed by another key',
      'the revealed key signs its event',
      signedRecord({ events: [encode(signed, { body, signature: flipped(signature, 0) })] }, by(1)),
    ),
  ]
}

function badLists() {
  const { devices } = ALICE.identityFields
  const mistyped = { ...devices[0]!, identity: concat(Uint8Array.of(2), devices[0]!.identity.slice(1)) }
  const high = devices[0]!.identity.slice()
  high[32] = high[32]! | 0x80
  return [
    bad('a device twice', 'each device once', signedRecord({ devices: [...devices, ...devices] })),
    bad('a device listed and revoked', 'each device once', signedRecord({ revoked: [ALICE.device] })),
    bad(
      'six devices',
      'at most 5',
      (() => {
        const body = encode(identityRecord, ALICE.identityFields)
        // the array's head says 1; the map's seventh value is the list of events, the eighth this one
        const place = findDevices(body)
        const device = body.slice(place + 1, place + 1 + encodedDeviceBytes())
        const six = concat(
          body.slice(0, place),
          Uint8Array.of(0x86),
          ...Array.from({ length: 6 }, () => device),
          body.slice(place + 1 + device.length),
        )
        return encode(signed, { body: six, signature: sign(ROOT.seed, ROOT.label, six) })
      })(),
    ),
    bad(
      'a request reader without the open policy',
      'there exactly when `policy` is 1',
      signedRecord({ requestReader: OPEN_READER }),
    ),
    bad('the open policy without a request reader', 'there exactly when `policy` is 1', signedRecord({ policy: 1 })),
    bad('relays without the open policy', 'only when `policy` is 1', signedRecord({ relays: [] })),
    bad('lowest version 0', 'at least 1', signedRecord({ minVersion: 0 })),
    bad('lowest version above the highest', 'not below `minVersion`', signedRecord({ minVersion: 2 })),
    bad('an identity key of another type', 'type byte 1', signedRecord({ devices: [mistyped] })),
    bad(
      'an identity key with the top bit',
      'not canonical',
      signedRecord({ devices: [{ ...devices[0]!, identity: high }] }),
    ),
  ]
}

function findDevices(body: Uint8Array): number {
  const name = concat(Uint8Array.of(8, 0x81, 0xa3, 1, 0x58, 33), ALICE.device)
  const hex = Buffer.from(body).indexOf(Buffer.from(name))
  if (hex < 0) throw new Error('no list of devices')
  return hex + 1
}

/** a3, 01 58 21 + 33, 02 58 21 + 33, 03 1a + 4. */
function encodedDeviceBytes(): number {
  return 1 + 36 + 36 + 6
}

function badSignatures() {
  const stranger = drawn('stranger, root key')
  return [
    bad(
      'signed by somebody else',
      'the current root key signs',
      signedRecord({}, { seed: stranger, label: 'identityRecord' }),
    ),
    bad('signed under another label', 'the label is signed', signedRecord({}, { seed: ROOT.seed, label: 'keyEvent' })),
    bad('a bit of the signature', 'does not verify', flipped(ALICE.record, -1)),
  ]
}

function badPrekeys() {
  const key = prekeyRecordKey(ALICE.device)
  const fields = ALICE.prekeyFields
  const prekeys = (
    changes: Partial<PrekeyRecord>,
    seed = ALICE.deviceSeed,
    label: Label = 'prekeyRecord',
  ): Uint8Array => {
    const body = encode(prekeyRecord, { ...fields, ...changes })
    return encode(signed, { body, signature: sign(seed, label, body) })
  }
  const over = fields.kem.slice()
  over[1] = 0x01
  over[2] = (over[2]! & 0xf0) | 0x0d
  return [
    bad(
      'prekeys of another device',
      'the content does not fit the key',
      ALICE.prekeyRecord,
      prekeyRecordKey(BOB.device),
    ),
    bad('prekeys of version 2', 'the version is 1', prekeys({ version: 2 }), key),
    bad(
      'prekeys for a second more than 30 days',
      'at most 30 days',
      prekeys({ expires: fields.seq + 30 * DAY + 1 }),
      key,
    ),
    bad('prekeys that expired', 'expires > now', prekeys({ expires: NOW }), key),
    bad('a prekey of another type', 'type byte 1', prekeys({ prekey: ALICE.device }), key),
    bad('a KEM key with a coefficient of 3329', 'FIPS 203 §7.2', prekeys({ kem: over }), key),
    bad('prekeys signed by another device', 'the device signs', prekeys({}, BOB.deviceSeed), key),
    bad(
      'prekeys signed as an identity record',
      'the label is signed',
      prekeys({}, ALICE.deviceSeed, 'identityRecord'),
      key,
    ),
  ]
}
