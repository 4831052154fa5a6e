/** The ports that are the machine itself: its clock and its randomness. */
import * as nodeCrypto from 'node:crypto'
import { setImmediate } from 'node:timers'
import type { Clock, Random } from './ports.ts'

/** The longest delay of a timer of Node.js, in milliseconds; a longer one waits several times. */
const MAX_DELAY_MS = 2 ** 31 - 1

/** The system's clock. Its timers keep the process alive: what sets them also cancels them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, run) {
    let handle: NodeJS.Timeout
    const wait = (rest: number): void => {
      const step = Math.min(rest, MAX_DELAY_MS)
      handle = setTimeout(() => (rest > step ? wait(rest - step) : run()), step)
    }
    wait(Math.max(0, milliseconds))
    return { cancel: () => clearTimeout(handle) }
  },
  yield: async () => {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  },
}

/** SubjectPublicKeyInfo of an ML-KEM-768 key (RFC 9935), in front of its 1184 bytes. */
const KEM_SPKI_PREFIX = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex')

/** OpenSSL's own encapsulation, some twenty times as fast as one from coins. */
function kemTo(publicKey: Uint8Array): { ciphertext: Uint8Array; secret: Uint8Array } {
  const key = Buffer.concat([KEM_SPKI_PREFIX, publicKey])
  const { ciphertext, sharedKey } = nodeCrypto.encapsulate({ key, format: 'der', type: 'spki' })
  return { ciphertext: new Uint8Array(ciphertext), secret: new Uint8Array(sharedKey) }
}

/** The system's randomness. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(nodeCrypto.randomBytes(length)),
  // older runtimes have no ML-KEM
  ...(typeof nodeCrypto.encapsulate === 'function' && { kemTo }),
}
