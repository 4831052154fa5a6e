/**
 * Root keys, inception, key events and the ID (PROTOCOL 1). Everything here follows from the 32 bytes of the recovery
 * phrase, so the words alone give the ID. Root i signs; of root i+1 only a digest is public, so a stolen root can be
 * rotated away by whoever holds the words.
 *
 *   seed of root i = HKDF(salt none, entropy, L("root") || u8(i), 32)
 *   salt           = HKDF(salt none, entropy, L("inception"), 16)
 *   digest         = H(L("next") || typed public key of root i+1)
 *   ID             = H(L("id") || inception)
 */
import { bech32m } from '@scure/base'
import { concat, u8 } from '../crypto/bytes.ts'
import { type Ed25519KeyPair, ed25519KeyPair, sign } from '../crypto/ed25519.ts'
import { hkdfSha256, NO_SALT, sha256 } from '../crypto/hash.ts'
import { typeKey } from '../crypto/key-type.ts'
import { L } from '../crypto/labels.ts'
import { UsageError } from '../errors.ts'
import { MAX_KEY_EVENTS, PROTOCOL_VERSION } from '../limits.ts'
import { inception, keyEvent, signed } from '../wire/records.ts'
import { decode, encode } from '../wire/schema.ts'

export const ID_BYTES = 32
const ID_PREFIX = 'kith'

/** Key pair of root `index` (0 to 255). */
export function rootKeyPair(entropy: Uint8Array, index: number): Ed25519KeyPair {
  return ed25519KeyPair(hkdfSha256(NO_SALT, entropy, concat(L('root'), u8(index)), 32))
}

/** The commitment to a typed root key that is not shown yet: `H(L("next") || root)`, 32 bytes. */
export function nextDigest(root: Uint8Array): Uint8Array {
  return sha256(L('next'), root)
}

/** Encoded inception of an identity: what its ID is the hash of. */
export function createInception(entropy: Uint8Array): Uint8Array {
  return encode(inception, {
    version: PROTOCOL_VERSION,
    root: typedRoot(entropy, 0),
    next: nextDigest(typedRoot(entropy, 1)),
    salt: hkdfSha256(NO_SALT, entropy, L('inception'), 16),
  })
}

/** The ID of an encoded inception, 32 bytes. */
export function inceptionId(inceptionBytes: Uint8Array): Uint8Array {
  return sha256(L('id'), inceptionBytes)
}

/**
 * The next rotation of the root: reveals root `events.length + 1`, commits to the one after it, signed by the revealed
 * key. `previous` is the hash of the body of the last event, or of the inception.
 * @param events the encoded signed events until now
 * @returns the encoded signed event
 * @throws UsageError `TOO_MANY` after the eighth rotation
 */
export function createKeyEvent(entropy: Uint8Array, events: readonly Uint8Array[]): Uint8Array {
  const index = events.length + 1
  if (index > MAX_KEY_EVENTS) {
    throw new UsageError('TOO_MANY', `expected at most ${MAX_KEY_EVENTS} rotations of the root key`)
  }
  const last = events.at(-1)
  const root = rootKeyPair(entropy, index)
  const body = encode(keyEvent, {
    version: PROTOCOL_VERSION,
    index,
    previous: sha256(last ? decode(signed, last, 256).body : createInception(entropy)),
    root: typeKey('ed25519', root.public),
    next: nextDigest(typedRoot(entropy, index + 1)),
  })
  return encode(signed, { body, signature: sign(root.seed, 'keyEvent', body) })
}

/** An ID as text: bech32m with the prefix `kith`. */
export function idToText(id: Uint8Array): string {
  if (id.length !== ID_BYTES) throw new RangeError(`expected an id of 32 bytes, got ${id.length}`)
  return bech32m.encode(ID_PREFIX, bech32m.toWords(id))
}

/** @throws UsageError `BAD_ID` with a hint */
export function idFromText(text: string): Uint8Array {
  const trimmed = text.trim()
  const separator = trimmed.lastIndexOf('1')
  const prefix = trimmed.slice(0, separator).toLowerCase()
  if (prefix === 'kithinvite') {
    throw new UsageError('BAD_ID', 'expected an id, got an invite', { hint: 'use it with `kith add`' })
  }
  if (separator < 0 || prefix !== ID_PREFIX) {
    throw new UsageError('BAD_ID', `expected an id that begins with ${ID_PREFIX}1`, {
      hint: '`kith id` shows the own one',
    })
  }
  try {
    const { words } = bech32m.decode(trimmed as `${string}1${string}`)
    const bytes = bech32m.fromWords(words)
    if (bytes.length !== ID_BYTES) throw new RangeError(`expected 32 bytes, got ${bytes.length}`)
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new UsageError('BAD_ID', 'the checksum of the id does not fit', {
      hint: 'a character is missing or mistyped: copy the whole id again',
      cause,
    })
  }
}

function typedRoot(entropy: Uint8Array, index: number): Uint8Array {
  return typeKey('ed25519', rootKeyPair(entropy, index).public)
}
