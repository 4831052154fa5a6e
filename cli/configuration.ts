/** The configuration of a run: the home's `config.toml` or the file that `--config` names, environment and flags. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeRole } from '../node/api/runtime.ts'
import { type ConfigKey, type ResolvedConfig, resolveConfig } from '../node/config.ts'
import { ConfigError } from '../node/errors.ts'
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
    return { path, text: await readFile(path, 'utf8') }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && !mustExist) return undefined
    throw new ConfigError('CONFIG', `cannot read ${path}${code === undefined ? '' : ` (${code})`}`, {
      hint: 'check the path, and who may read it',
      cause,
    })
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
