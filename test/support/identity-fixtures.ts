/** People with keys and records that follow from a number: tests of records need no randomness of the machine. */
import { concat, u32, utf8 } from '../../node/crypto/bytes.ts'
import { type Ed25519KeyPair, ed25519KeyPair } from '../../node/crypto/ed25519.ts'
import { sha256 } from '../../node/crypto/hash.ts'
import { kemKeyPair } from '../../node/crypto/kem.ts'
import { x25519KeyPair } from '../../node/crypto/x25519.ts'
import { createDevice, deviceEntry, type DeviceSecrets } from '../../node/identity/device-keys.ts'
import {
  createIdentityRecord,
  createPrekeyRecord,
  type IdentityRecordInit,
  type IdentityView,
  type PrekeyRecordInit,
  type PrekeyView,
} from '../../node/identity/records.ts'
import { createInception, inceptionId, rootKeyPair } from '../../node/identity/root.ts'
import type { Random } from '../../node/ports.ts'

/** Protocol time, in seconds, at which the people below live. */
export const NOW = 1_800_000_000
export const DAY = 86_400

/** The same bytes for the same seed, in the order of the calls. */
export function seededRandom(seed: number): Random {
  let counter = 0
  return {
    bytes(length) {
      const blocks: Uint8Array[] = []
      for (let i = 0; i < length; i += 32) blocks.push(sha256(utf8('test'), u32(seed), u32(counter++)))
      return concat(...blocks).slice(0, length)
    },
  }
}

export interface TestPerson {
  entropy: Uint8Array
  id: Uint8Array
  inception: Uint8Array
  device: DeviceSecrets
  deviceKeys: Ed25519KeyPair
  /** A signed identity record with the one device; `seq` is NOW unless told. */
  record(changes?: Partial<IdentityRecordInit>): IdentityView
  prekey(changes?: Partial<PrekeyRecordInit>): PrekeyView
}

export function testPerson(seed: number): TestPerson {
  const random = seededRandom(seed)
  const entropy = random.bytes(32)
  const inception = createInception(entropy)
  const id = inceptionId(inception)
  const device = createDevice(random, NOW)
  const deviceKeys = ed25519KeyPair(device.signing)
  const prekey = x25519KeyPair(random.bytes(32)).public
  let kem: Uint8Array | undefined
  return {
    entropy,
    id,
    inception,
    device,
    deviceKeys,
    record: (changes = {}) =>
      createIdentityRecord({
        root: rootKeyPair(entropy, changes.events?.length ?? 0),
        seq: NOW,
        inception,
        devices: [deviceEntry(device)],
        ...changes,
      }),
    prekey(changes = {}) {
      kem ??= kemKeyPair(concat(entropy, entropy)).public
      return createPrekeyRecord({ id, device: deviceKeys, seq: NOW, prekey, kem, ...changes })
    },
  }
}

/** The code of what `run` throws; undefined when it does not throw. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
