/** Fresh secrets for callers: tokens, and the keys and sessions of the page. */
import { systemRandom } from '../system.ts'

const SECRET_BYTES = 32

/** 43 characters of base64url: 256 random bits. */
export function newSecret(): string {
  return Buffer.from(systemRandom.bytes(SECRET_BYTES)).toString('base64url')
}

/** `kith_` and a secret; by its beginning a token is known where it should not be. */
export function newToken(): string {
  return `kith_${newSecret()}`
}
