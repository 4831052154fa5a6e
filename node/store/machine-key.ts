/**
 * The master key of a relay (CLI.md): no person is there to type a passphrase, so 32 random bytes lie in a 0600 file of
 * its home, or come from the service manager as a credential.
 */
import { join } from 'node:path'
import { StoreError } from '../errors.ts'
import type { Random } from '../ports.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'
import { MASTER_KEY_BYTES } from './rows.ts'

/** Name of the credential in `$CREDENTIALS_DIRECTORY`. */
export const CREDENTIAL_NAME = 'kith-relay-key'

export interface MachineKeyInit {
  /** The file in the home. */
  path: string
  /** `$CREDENTIALS_DIRECTORY`; its credential wins over the file. */
  credentialsDirectory?: string
  random: Random
}

/**
 * The 32-byte key; drawn and written at the first call when there is neither credential nor file.
 * @throws StoreError `FILE_UNSAFE` when others may read the file, `MACHINE_KEY` when it has not exactly 32 bytes
 */
export async function loadMachineKey(init: MachineKeyInit): Promise<Uint8Array> {
  if (init.credentialsDirectory !== undefined) {
    const credential = join(init.credentialsDirectory, CREDENTIAL_NAME)
    // Access by an ACL shows as group bits in the mode, so only the world is looked at.
    const given = await readPrivateFile(credential, MASTER_KEY_BYTES, 0o007)
    if (given !== undefined) return checked(given, credential)
  }
  const kept = await readPrivateFile(init.path, MASTER_KEY_BYTES, 0o077)
  if (kept !== undefined) return checked(kept, init.path)
  const drawn = init.random.bytes(MASTER_KEY_BYTES)
  await writePrivateFile(init.path, drawn)
  return drawn
}

function checked(key: Uint8Array, path: string): Uint8Array {
  if (key.length === MASTER_KEY_BYTES) return key
  throw new StoreError('MACHINE_KEY', `expected ${MASTER_KEY_BYTES} bytes in ${path}, got ${key.length}`)
}
