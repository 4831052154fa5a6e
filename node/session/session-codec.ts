/**
 * The form at rest of a session: canonical CBOR with its version first. What an older version wrote is read and goes on; what
 * a newer one wrote is refused before anything of it is believed.
 */
import { PeerError, StoreError } from '../errors.ts'
import { MAX_SKIPPED_KEYS } from '../limits.ts'
import { decode, encode } from '../wire/schema.ts'
import { OLDER_SESSION_VERSION, readOlderSession } from './older-session-state.ts'
import { SESSION_STATE_VERSION, type SessionState, sessionState, SKIPPED_KEY_BYTES } from './session-state.ts'

/** Largest form at rest, full of skipped keys. */
export const MAX_SESSION_STATE_BYTES = MAX_SKIPPED_KEYS * SKIPPED_KEY_BYTES + 8192

/** The form at rest. */
export function encodeSession(session: SessionState): Uint8Array {
  return encode(sessionState, session)
}

/**
 * Reads the form at rest, that of an older version too.
 * @throws StoreError `SCHEMA` for a newer version's
 * @throws PeerError `OVERSIZED` or `MALFORMED` for anything that no version wrote
 */
export function decodeSession(encoded: Uint8Array): SessionState {
  const version = versionOf(encoded)
  if (version > SESSION_STATE_VERSION) {
    const expected = `expected a session state of version ${SESSION_STATE_VERSION} at most, got ${version}`
    throw new StoreError('SCHEMA', expected, { hint: 'use the version of kith that wrote this home, or a newer one' })
  }
  if (version === OLDER_SESSION_VERSION) return readOlderSession(encoded)
  const session = decode(sessionState, encoded, MAX_SESSION_STATE_BYTES)
  if (session.version !== SESSION_STATE_VERSION) {
    throw new PeerError('MALFORMED', `expected a session state of version 1 or 2, got ${session.version}`)
  }
  return session
}

/** Key 1 comes first in the map, its value in one byte or two; 0 for what no version wrote. */
function versionOf(encoded: Uint8Array): number {
  const [, name, short = 0, long = 0] = encoded
  if (name !== 1) return 0
  return short < 24 ? short : short === 0x18 ? long : 0
}
