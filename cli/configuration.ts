/** The configuration of a run: the home's `config.toml` or the file that `--config` names, environment and flags. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeRole } from '../node/api/runtime.ts'
import { type ConfigKey, type ResolvedConfig, resolveConfig } from '../node/config.ts'
import { ConfigError } from '../node/errors.ts'
import { MAX_CONFIG_BYTES } from '../node/limits.ts'
import { type Context, homeOf } from './context.ts'

export type ConfigFlags = Partial<Record<ConfigKey, unknown>>

/** Where the configuration of a home lies. */
export function configPath(home: string): string {
  return join(home, 'config.toml')
}

/**
 * A config file's text.
 * @returns undefined when there is none at its usual place
 * @throws ConfigError `CONFIG` when a file that was named is missing, or cannot be read
 */
export async function readConfigFile(
  path: string,
  mustExist: boolean,
): Promise<{ path: string; text: string } | undefined> {
  try {
    return { path, text: await readStart(path) }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && !mustExist) return undefined
    throw new ConfigError('CONFIG', `cannot read ${path}${code === undefined ? '' : ` (${code})`}`, {
      hint: 'check the path, and who may read it',
      cause,
    })
  }
}

/** A text of the greatest length and one byte: what is longer, or never ends, is refused by its reader without being read. */
async function readStart(path: string): Promise<string> {
  const file = await open(path)
  try {
    const start = Buffer.alloc(MAX_CONFIG_BYTES + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(start, length, start.length - length)
      length += bytesRead
      if (bytesRead === 0 || length === start.length) return start.toString('utf8', 0, length)
    }
  } finally {
    await file.close()
  }
}

/** Who lives in the home of this run, as it is marked there; a person when it is not. */
export async function roleOfHome(context: Context): Promise<NodeRole> {
  const marked = await readConfigFile(join(homeOf(context), 'role'), false)
  return marked?.text.trim() === 'relay' ? 'relay' : 'node'
}

/**
 * What holds for this run and where it came from.
 * @param file named by the caller, instead of the home's
 */
export async function loadConfig(
  context: Context,
  role: NodeRole,
  flags: ConfigFlags = {},
  file?: string,
): Promise<ResolvedConfig> {
  const source = await readConfigFile(file ?? configPath(homeOf(context, role)), file !== undefined)
  return resolveConfig({ role, flags, env: context.env, ...(source === undefined ? {} : { file: source }) })
}
