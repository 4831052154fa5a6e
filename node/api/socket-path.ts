/**
 * Where the unix socket of a home lies, and who may reach it: a folder of mode 0700 that belongs to this user, checked
 * before it is used, because the temporary directory is writable for others. The rule is a contract with scripts:
 * `$XDG_RUNTIME_DIR/kith/<first 16 hex of H(real path of the home)>.sock`, else a folder in the temporary directory.
 */
import { chmod, lstat, mkdir, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { toHex } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { ConfigError } from '../errors.ts'

/** `sun_path` of Linux has 108 bytes with the closing zero. */
export const MAX_SOCKET_PATH_BYTES = 107

export type Environment = Record<string, string | undefined>

/**
 * Where the socket of a home may lie, best first; nothing is created. A node listens at the first whose folder it can
 * have, a command looks at each: the two may be started with different environments.
 * @returns none when the home does not exist
 * @throws ConfigError `SOCKET_PATH` when no folder is short enough
 */
export async function socketPathsOf(home: string, env: Environment): Promise<string[]> {
  let real: string
  try {
    real = await realpath(home)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const name = `${toHex(sha256(Buffer.from(real))).slice(0, 16)}.sock`
  const paths = folders(env)
    .map((folder) => join(folder, name))
    .filter((candidate) => Buffer.byteLength(candidate) <= MAX_SOCKET_PATH_BYTES)
  if (paths.length === 0) {
    throw new ConfigError('SOCKET_PATH', `a socket path has at most ${MAX_SOCKET_PATH_BYTES} bytes`, {
      hint: 'set XDG_RUNTIME_DIR or TMPDIR to a shorter path',
    })
  }
  return paths
}

function folders(env: Environment): string[] {
  const runtime = env.XDG_RUNTIME_DIR
  const temporary = env.TMPDIR !== undefined && isAbsolute(env.TMPDIR) ? env.TMPDIR : tmpdir()
  const user = process.getuid?.() ?? 'user'
  const own = [join(temporary, `kith-${user}`)]
  // The specification of XDG_RUNTIME_DIR: a relative path is to be ignored.
  return runtime !== undefined && isAbsolute(runtime) ? [join(runtime, 'kith'), ...own] : own
}

/**
 * Creates the folder of a socket where it is missing and checks that nobody else can reach into it.
 * @returns false when this user may not create it
 * @throws ConfigError `SOCKET_FOLDER` when it is a link, belongs to somebody else, or is open to others
 */
export async function prepareSocketFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EROFS' || code === 'ENOENT' || code === 'EPERM') return false
    if (code !== 'EEXIST') throw error
  }
  return checkOwned(folder)
}

/**
 * Checks the folder of a socket before it is trusted.
 * @returns false when there is none
 * @throws ConfigError `SOCKET_FOLDER` as above
 */
export async function checkOwned(folder: string): Promise<boolean> {
  let stat: Awaited<ReturnType<typeof lstat>>
  try {
    stat = await lstat(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  const refuse = (why: string): ConfigError =>
    new ConfigError('SOCKET_FOLDER', `${folder} ${why}`, { hint: `remove it, or make it yours with mode 0700` })
  if (!stat.isDirectory()) throw refuse('is not a directory')
  if (process.getuid === undefined) return true
  if (stat.uid !== process.getuid()) throw refuse('belongs to another user')
  if ((stat.mode & 0o077) !== 0) throw refuse('is open to other users')
  return true
}

/** Makes a socket reachable for its owner only; the folder around it is the first wall, this is the second. */
export async function closeToOthers(socketPath: string): Promise<void> {
  await chmod(socketPath, 0o600)
}
