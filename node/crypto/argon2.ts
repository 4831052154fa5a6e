/** Argon2id (RFC 9106), node's native one. Only the vault uses it: it runs on a thread and must not be reached from the core. */
import { argon2 } from 'node:crypto'
import { promisify } from 'node:util'

const run = promisify(argon2)

export interface Argon2Cost {
  memoryKib: number
  passes: number
  lanes: number
}

/** A 32-byte key of a passphrase; `salt` has 16 bytes. */
export async function argon2id(passphrase: Uint8Array, salt: Uint8Array, cost: Argon2Cost): Promise<Uint8Array> {
  const key = await run('argon2id', {
    message: passphrase,
    nonce: salt,
    memory: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.lanes,
    tagLength: 32,
  })
  return new Uint8Array(key)
}
