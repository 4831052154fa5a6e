/**
 * The home directory before anything in it is opened: what lies where, whose it is (0700, the owner's), and whether a
 * person or a relay lives there. One process holds it at a time; that lock is LevelDB's (level.ts).
 */
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { utf8 } from '../crypto/bytes.ts'
import { StoreError } from '../errors.ts'
import { toStoreError } from './byte-level.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'

export type HomeRole = 'node' | 'relay'

export interface HomePaths {
  home: string
  /** Of a person's home: the master key under passphrase and words. */
  vault: string
  /** Of a relay's home: the master key. */
  machineKey: string
  db: string
  /** Tells whether a person's home is the one that kith left (home-mark.ts). */
  mark: string
  closed: string
  config: string
  log: string
  /** Who lives here: `node` or `relay`. */
  role: string
}

/** Where things lie in the home `path`; nothing is looked at. */
export function homePaths(path: string): HomePaths {
  const home = resolve(path)
  return {
    home,
    vault: join(home, 'vault.cbor'),
    machineKey: join(home, 'machine.key'),
    db: join(home, 'db'),
    mark: join(home, 'mark'),
    closed: join(home, 'closed'),
    config: join(home, 'config.toml'),
    log: join(home, 'node.log'),
    role: join(home, 'role'),
  }
}

/**
 * Whether the home `path` holds an identity, locked or not.
 * @throws StoreError `VAULT_MISSING` when it did, and the vault is gone: nothing new may be made over what is left
 */
export async function hasIdentity(path: string): Promise<boolean> {
  const paths = homePaths(path)
  if (await exists(paths.vault)) return true
  // a relay's home has a mark and never a vault
  if (!(await exists(paths.mark)) || (await roleOf(paths)) === 'relay') return false
  throw new StoreError('VAULT_MISSING', `the vault of ${paths.home} is gone: without it nothing there can be read`, {
    hint: 'put vault.cbor back from a copy of this home; `kith doctor` says more',
  })
}

/**
 * Makes the directory, or checks and tightens the one that is there.
 * @throws StoreError `HOME_UNSAFE` when it is somebody else's, or open to others and not a home of Kith; `STORE_FAILED`
 */
export async function prepareHome(paths: HomePaths): Promise<void> {
  try {
    await mkdir(paths.home, { recursive: true, mode: 0o700 })
    const { mode, uid } = await stat(paths.home)
    if (process.geteuid !== undefined && uid !== process.geteuid()) {
      throw new StoreError('HOME_UNSAFE', `${paths.home} belongs to another user`, {
        hint: 'run kith as its owner, or choose another --home',
      })
    }
    if ((mode & 0o077) === 0) return
    const ours = (await exists(paths.role)) || (await exists(paths.vault))
    if (!ours && (await readdir(paths.home)).length > 0) {
      throw new StoreError('HOME_UNSAFE', `others can read ${paths.home} (mode ${(mode & 0o777).toString(8)})`, {
        hint: `choose another --home, or chmod 700 ${paths.home}`,
      })
    }
    await chmod(paths.home, 0o700)
  } catch (cause) {
    throw toStoreError(cause)
  }
}

/**
 * Checks who lives in the home; nothing is written.
 * @throws StoreError `WRONG_ROLE` when it is not `role`
 */
export async function checkRole(paths: HomePaths, role: HomeRole): Promise<void> {
  const found = await roleOf(paths)
  if (found !== undefined && found !== role) {
    throw wrongRole(`expected the home of a ${role}, ${paths.home} is that of a ${JSON.stringify(found)}`)
  }
  if (role === 'relay' && (await exists(paths.vault))) {
    throw wrongRole('a relay does not run in a home with an identity')
  }
}

/** What the home says of itself; undefined when it says nothing. */
async function roleOf(paths: HomePaths): Promise<string | undefined> {
  const marked = await readPrivateFile(paths.role, 16, 0o022)
  return marked === undefined ? undefined : Buffer.from(marked).toString('latin1').trim()
}

/** Marks the home as that of a `role`, durably. @throws StoreError `WRONG_ROLE`, `STORE_FULL`, `STORE_FAILED` */
export async function claimRole(paths: HomePaths, role: HomeRole): Promise<void> {
  await checkRole(paths, role)
  if (!(await exists(paths.role))) await writePrivateFile(paths.role, utf8(`${role}\n`))
}

function wrongRole(message: string): StoreError {
  return new StoreError('WRONG_ROLE', message, { hint: 'give the relay a --home of its own' })
}

/** @throws StoreError */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return false
    throw toStoreError(cause)
  }
}
