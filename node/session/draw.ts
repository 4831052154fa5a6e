/**
 * How a session draws what must be random: bytes, and encapsulations. A machine that encapsulates by itself is many times
 * faster than noble; where a run has to repeat to the byte, an encapsulation takes its coins from the bytes instead.
 */
import { isCanonicalKem, KEM_COINS_BYTES, kemEncapsulate } from '../crypto/kem.ts'
import { PeerError } from '../errors.ts'
import type { Random } from '../ports.ts'

/** Fresh, independent bytes, and what the machine offers beside them. */
export interface Draw {
  (length: number): Uint8Array
  readonly kemTo?: Random['kemTo']
}

export function drawFrom(random: Random): Draw {
  const draw = (length: number): Uint8Array => random.bytes(length)
  return random.kemTo === undefined ? draw : Object.assign(draw, { kemTo: random.kemTo })
}

/**
 * Encapsulates to `publicKey` (1184 bytes); ciphertext of 1088 bytes, secret of 32.
 * @throws PeerError `BAD_KEY` when the key fails the checks of FIPS 203 §7.2
 */
export function encapsulateTo(publicKey: Uint8Array, draw: Draw): { ciphertext: Uint8Array; secret: Uint8Array } {
  if (draw.kemTo === undefined) return kemEncapsulate(publicKey, draw(KEM_COINS_BYTES))
  if (!isCanonicalKem(publicKey)) throw new PeerError('BAD_KEY', 'ml-kem encapsulation key is malformed')
  return draw.kemTo(publicKey)
}
