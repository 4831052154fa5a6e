/** Alice, who asks, Bob, who is asked, and two relays: their keys and records, by the code that makes those of every node. */
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { kemKeyPair } from '../../../node/crypto/kem.ts'
import { untypeKey } from '../../../node/crypto/key-type.ts'
import { x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { deviceEntry, deviceKeyPairs, rotatePrekeys } from '../../../node/identity/device-keys.ts'
import { createIdentityRecord, type IdentityView, readPrekeyRecord } from '../../../node/identity/records.ts'
import { createInception, inceptionId, rootKeyPair } from '../../../node/identity/root.ts'
import { decode } from '../../../node/wire/schema.ts'
import { identityRecord, prekeyRecord, signed } from '../../../node/wire/records.ts'
import { peerIdOf, peerIdText } from '../../../node/wire/peer-id.ts'
import type { Person } from '../../support/session-fixtures.ts'
import { DAY, drawn, type Fields, handingOut, NOW } from './vector-file.ts'

export interface VectorPerson extends Person {
  entropy: Uint8Array
  view: IdentityView
}

/** A person with one device, whose records are two days (identity) and one day (prekey) old. */
export function createPerson(name: string): VectorPerson {
  const entropy = drawn(`${name}, entropy`)
  const root = rootKeyPair(entropy, 0)
  const inception = createInception(entropy)
  const id = inceptionId(inception)
  const device = {
    signing: drawn(`${name}, device signing key`),
    identity: drawn(`${name}, device identity key`),
    added: NOW - 2 * DAY,
  }
  const view = createIdentityRecord({ root, seq: NOW - 2 * DAY, inception, devices: [deviceEntry(device)] })
  const random = handingOut(drawn(`${name}, prekey`), drawn(`${name}, KEM seed`, 64))
  const prekey = rotatePrekeys({ id, device }, [], NOW - DAY, { bytes: random })[0]!
  const keys = deviceKeyPairs(device)
  return {
    name,
    entropy,
    id,
    view,
    device: view.record.devices[0]!.signing,
    deviceSeed: device.signing,
    rootSeed: root.seed,
    identity: keys.identity,
    prekey: x25519KeyPair(prekey.secret),
    kem: kemKeyPair(prekey.kemSeed),
    identityFields: bodyOf(identityRecord, view.bytes),
    prekeyFields: readPrekeyRecord(prekey.record).record,
    record: view.bytes,
    prekeyRecord: prekey.record,
  }
}

function bodyOf<T>(shape: Parameters<typeof decode<T>>[0], record: Uint8Array): T {
  return decode(shape, decode(signed, record, 4096).body, 4096)
}

/** What a second implementation must be given of a person; `signing`, `identity`, `prekey` are secrets. */
export function personFields(person: VectorPerson): Fields {
  return {
    id: person.id,
    record: person.record,
    prekeyRecord: person.prekeyRecord,
    device: person.device,
    identitySecret: person.identity.secret,
    identityPublic: untypeKey('x25519', person.identityFields.devices[0]!.identity),
    prekeySecret: person.prekey.secret,
    prekeyPublic: untypeKey('x25519', bodyOf(prekeyRecord, person.prekeyRecord).prekey),
    kemSeed: person.kem.seed,
    kemPublic: person.kem.public,
  }
}

export interface VectorRelay {
  seed: Uint8Array
  peerId: Uint8Array
  address: string
}

export function createRelay(name: string, ip: string): VectorRelay {
  const { seed, public: key } = ed25519KeyPair(drawn(`${name}, transport key`))
  const peerId = peerIdOf(key)
  return { seed, peerId, address: `/ip4/${ip}/tcp/4001/p2p/${peerIdText(peerId)}` }
}

export const ALICE = createPerson('alice')
export const BOB = createPerson('bob')
export const RELAY_A = createRelay('relay a', '192.0.2.1')
export const RELAY_B = createRelay('relay b', '198.51.100.2')
