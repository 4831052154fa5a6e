/** Where the processes of a swarm that runs on this machine are found by another command: `swarm.json` in its directory. */
import { existsSync } from 'node:fs'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { NetworkError, UsageError } from '../../node/errors.ts'
import type { Name } from './schedule.ts'

/** Of the temporary directory of a swarm. */
export const DIRECTORY_PREFIX = 'kith-swarm-'

/** Says where the processes of a swarm are, in its directory. */
export function placeFile(directory: string): string {
  return join(directory, 'swarm.json')
}

/** The executable: beside `cli` in a checkout, above `dist` in a package. */
export const LAUNCHER = ['../kith.cjs', '../../../cli/kith.cjs']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path))!

const place = z.object({
  v: z.literal(1),
  pid: z.int().min(1),
  homes: z.record(z.string(), z.string()),
  runtime: z.string(),
})
type Place = z.infer<typeof place>

/**
 * Home and socket folder of one process of the running swarm.
 * @param directory of `--keep`; else the one temporary directory of a running swarm
 * @throws NetworkError `NO_NODE` when none runs; UsageError when several do, or it has no such process
 */
export async function findSwarm(
  env: Record<string, string | undefined>,
  name: Name,
  directory?: string,
): Promise<{ home: string; runtime: string }> {
  const found = await running(directory === undefined ? await candidates(env.TMPDIR ?? tmpdir()) : [resolve(directory)])
  const [first, second] = found
  if (first === undefined) {
    throw new NetworkError('NO_NODE', 'no swarm runs', { hint: 'name the directory of `--keep` with --in' })
  }
  if (second !== undefined)
    throw new UsageError('USAGE', 'several swarms run', { hint: 'name the directory of one with --in' })
  const home = first.homes[name]
  if (home === undefined) {
    throw new UsageError('USAGE', `no ${name} in this swarm`, {
      hint: `there are ${Object.keys(first.homes).join(' ')}`,
    })
  }
  return { home, runtime: first.runtime }
}

/** For a line of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

async function candidates(folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names.filter((name) => name.startsWith(DIRECTORY_PREFIX)).map((name) => join(folder, name))
}

async function running(directories: readonly string[]): Promise<Place[]> {
  const places = await Promise.all(directories.map(read))
  return places.filter((one) => one !== undefined).filter(({ pid }) => isAlive(pid))
}

/** A directory in a folder that all may write to counts only when nobody else can write into it. */
async function read(directory: string): Promise<Place | undefined> {
  try {
    const { uid, mode } = await lstat(directory)
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return undefined
    return place.parse(JSON.parse(await readFile(placeFile(directory), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError('USAGE', `${directory} holds no swarm`, { cause: error })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
