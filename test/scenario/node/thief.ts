/** A thief of everything that a home keeps but the words: what alice's disk holds, and what can be signed and shown with it. */
import { utf8 } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import {
  createDevice,
  decodeOwnKeys,
  type DeviceSecrets,
  deviceEntry,
  type OwnKeys,
} from '../../../node/identity/device-keys.ts'
import { identityRecordKey } from '../../../node/identity/record-keys.ts'
import { createIdentityRecord, type IdentityView, readIdentityRecord } from '../../../node/identity/records.ts'
import { TABLE } from '../../../node/ports.ts'
import type { Person } from '../../simulation/people.ts'
import { diskOf, startStranger, type Stranger, type Village } from './village.ts'

/** Everything that an identity keeps. */
export async function keysOf(village: Village, person: Person): Promise<OwnKeys> {
  const place = { table: TABLE.identity, scope: new Uint8Array(0), position: utf8('keys') }
  return decodeOwnKeys((await diskOf(village, person).get(place))!)
}

/** alice's record, and another one that whoever has her disk signs for a device of their own beside hers. */
export async function forge(
  village: Village,
  seqOf: (seq: number) => number,
): Promise<{ own: IdentityView; forged: IdentityView; device: DeviceSecrets }> {
  const { world, alice } = village
  const keys = await keysOf(village, alice)
  const own = readIdentityRecord(keys.records.at(-1)!.record)
  const device = createDevice(world.random, own.head.seq)
  const forged = createIdentityRecord({
    root: ed25519KeyPair(keys.rootSeed),
    seq: seqOf(own.head.seq),
    inception: own.record.inception,
    devices: [...own.record.devices, deviceEntry(device)],
  })
  return { own, forged, device }
}

/** A thief whom bob alone can hear. */
export async function startThief(village: Village): Promise<(forged: IdentityView) => Promise<void>> {
  const { stranger }: { stranger: Stranger } = await startStranger(village, 'mallory')
  village.world.net.partition('mallory', ['alice', 'relay1'])
  return async (forged) => {
    await stranger.do(({ network }) => network.putRecord(identityRecordKey(forged.id), forged.bytes))
  }
}
