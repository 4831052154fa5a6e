/**
 * Opens a home (PROTOCOL 9, CLI.md): directory, lock, key, database, schema, in this order, so that who comes second
 * learns it at once and who has a wrong passphrase changes nothing. What the rows hold is left to their owners.
 */
import type { Argon2Cost } from '../crypto/argon2.ts'
import { readUint, u32, utf8 } from '../crypto/bytes.ts'
import { StoreError, UsageError } from '../errors.ts'
import { type Random, type RowKey, type Store, TABLE } from '../ports.ts'
import type { ByteLevel } from './byte-level.ts'
import {
  checkRole,
  claimRole,
  exists,
  hasIdentity,
  type HomePaths,
  homePaths,
  type HomeRole,
  prepareHome,
} from './home-directory.ts'
import { claimClosed, isHomeChanged, lookAtClosed, renewMark } from './home-mark.ts'
import { openLevel } from './level.ts'
import { loadMachineKey } from './machine-key.ts'
import { createRowStore, deriveStoreKeys, MASTER_KEY_BYTES, type RowStore } from './rows.ts'
import { createVault, openVault, passphraseBytes, type Unlock } from './vault.ts'

/**
 * Version of what the tables mean. A change raises it and brings a migration. 2: session states of version 2, which older
 * programs cannot read; those of version 1 are rewritten as their sessions go on.
 */
export const SCHEMA_VERSION = 2
const OLDEST_SCHEMA = 1

export const SCHEMA_ROW: RowKey = { table: TABLE.meta, scope: utf8('schema'), position: new Uint8Array(0) }

export interface OpenedHome {
  role: HomeRole
  paths: HomePaths
  /** Closing it gives the home free. */
  store: RowStore
  /**
   * The home may be a copy, an older one, or damaged: no session of a person's may be sent in, and what a relay signed for
   * may not be there. Stays so, over restarts, until `acceptChange` is called, which is for when that is durable.
   */
  isChanged: boolean
  acceptChange: () => Promise<void>
}

export type OpenHomeInit =
  | { path: string; role: 'node'; unlock: Unlock; random: Random }
  | { path: string; role: 'relay'; random: Random; credentialsDirectory?: string }

/**
 * Opens a person's home that `createHome` made, or a relay's, which is made at its first start.
 * @throws StoreError `NO_VAULT`, `VAULT_MISSING`, `HOME_IN_USE`, `HOME_UNSAFE`, `WRONG_ROLE`, `SCHEMA`, `STORE_DAMAGED` and what the vault
 *   and the machine key throw; UsageError `WRONG_PASSPHRASE`, `WRONG_WORDS`
 */
export async function openHome(init: OpenHomeInit): Promise<OpenedHome> {
  const paths = homePaths(init.path)
  if (init.role === 'node') {
    await checkRole(paths, 'node')
    if (!(await hasIdentity(init.path))) {
      throw new StoreError('NO_VAULT', `there is no identity in ${paths.home}`, { hint: 'run kith init' })
    }
  }
  await prepareHome(paths)
  await claimRole(paths, init.role)
  const closed = await lookAtClosed(paths)
  // a relay's key is drawn after its database was made
  const isNew = init.role === 'relay' && !(await exists(paths.machineKey))
  const level = await openLevel(paths.db, isNew)
  try {
    const masterKey =
      init.role === 'node'
        ? await openVault(paths.vault, init.unlock)
        : await loadMachineKey({
            path: paths.machineKey,
            credentialsDirectory: init.credentialsDirectory,
            random: init.random,
          })
    const store = createRowStore(level, deriveStoreKeys(masterKey), init.random)
    await checkSchema(level, store)
    const isChanged = await isHomeChanged(paths, store, closed)
    let isOurs = false
    const acceptChange = async (): Promise<void> => {
      await renewMark(paths, store, init.random)
      isOurs = true
    }
    if (!isChanged) await acceptChange()
    return { role: init.role, paths, store: claiming(paths, store, () => isOurs), isChanged, acceptChange }
  } catch (error) {
    await level.close()
    throw error
  }
}

/** A store that leaves word of how it was closed, unless what is there now has not been accepted. */
function claiming(paths: HomePaths, store: RowStore, isOurs: () => boolean): RowStore {
  let closing: Promise<void> | undefined
  return {
    ...store,
    close() {
      // a disk that is full or gone takes no claim; then the next start knows less
      closing ??= store.close().then(async () => {
        if (isOurs()) await claimClosed(paths).catch(() => undefined)
      })
      return closing
    },
  }
}

export interface CreateHomeInit {
  path: string
  passphrase: string
  /** The 32 bytes of the recovery words, for the slot that opens without the passphrase. */
  entropy?: Uint8Array
  random: Random
  /** Writes the first rows. When it fails there is no home, and `createHome` may be called again. */
  populate(store: Store): Promise<void>
  /** What the passphrase slot costs. @default PASSPHRASE_COST */
  cost?: Argon2Cost
}

/**
 * Makes a person's home and closes it again. The vault is written last: a crash before leaves a home without an
 * identity, a crash after it a whole one.
 * @throws UsageError `IDENTITY_EXISTS`, `WEAK_PASSPHRASE`; StoreError `HOME_IN_USE`, `HOME_UNSAFE`, `WRONG_ROLE`
 */
export async function createHome(init: CreateHomeInit): Promise<void> {
  passphraseBytes(init.passphrase)
  const paths = homePaths(init.path)
  await checkRole(paths, 'node')
  await prepareHome(paths)
  await claimRole(paths, 'node')
  const level = await openLevel(paths.db, true)
  try {
    if (await hasIdentity(init.path)) {
      throw new UsageError('IDENTITY_EXISTS', `there is an identity in ${paths.home} already`, {
        hint: 'choose another --home for a second one',
      })
    }
    await level.clear() // rows of an attempt that ended before its vault was written: nobody has their key
    const { passphrase, entropy, random, cost } = init
    const masterKey = random.bytes(MASTER_KEY_BYTES)
    const store = createRowStore(level, deriveStoreKeys(masterKey), random)
    await checkSchema(level, store)
    await init.populate(store)
    await createVault({ path: paths.vault, masterKey, passphrase, entropy, random, cost })
    await renewMark(paths, store, random)
    await claiming(paths, store, () => true).close()
  } finally {
    await level.close()
  }
}

async function checkSchema(level: ByteLevel, store: Store): Promise<void> {
  const row = await store.get(SCHEMA_ROW)
  if (row === undefined) {
    if (!(await isEmpty(level))) {
      throw new StoreError('STORE_DAMAGED', 'the database was written under another key', {
        hint: 'put the vault or key file back that belongs to this database',
      })
    }
    return store.write([{ key: SCHEMA_ROW, value: u32(SCHEMA_VERSION) }])
  }
  const schema = readUint(row, 0, 4)
  if (schema === SCHEMA_VERSION) return
  if (schema >= OLDEST_SCHEMA && schema < SCHEMA_VERSION) {
    return store.write([{ key: SCHEMA_ROW, value: u32(SCHEMA_VERSION) }])
  }
  throw new StoreError('SCHEMA', `expected a database of schema ${SCHEMA_VERSION} at most, got ${schema}`, {
    hint: 'use the version of kith that wrote this home, or a newer one',
  })
}

async function isEmpty(level: ByteLevel): Promise<boolean> {
  const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255), limit: 1, reverse: false }
  return (await level.iterator(everything).all()).length === 0
}
