/** What every command is handed: streams, environment, the runtime, the global options, and one way to speak. */
import type { Readable } from 'node:stream'
import type { NodeRole, NodeRuntime } from '../node/api/runtime.ts'
import { homeDirectory } from '../node/config.ts'
import { UsageError } from '../node/errors.ts'
import { type Output, type Terminal } from './output.ts'
import type { Asker } from './prompt.ts'

/** What a run of `kith` touches of the world. */
export interface CliInit {
  runtime: NodeRuntime
  stdin: Readable & { isTTY?: boolean }
  stdout: Terminal
  stderr: Terminal
  env: Record<string, string | undefined>
  /** Aborted by a signal; the reason is its name. */
  signal?: AbortSignal
  /** Who answers questions. @default the terminal, when there is one */
  asker?: Asker
  /** How long who lost the race for a data directory tries to reach the winner. @default 5000 */
  lockWaitMs?: number
  /** Folder of the built page. @default the one of the package */
  pageFolder?: string
}

export interface GlobalOptions {
  home?: string
  json: boolean
  quiet: boolean
  verbose: boolean
  passphraseFile?: string
  passphraseFd?: number
}

export interface Context {
  readonly runtime: NodeRuntime
  readonly stdin: Readable & { isTTY?: boolean }
  readonly env: Record<string, string | undefined>
  readonly signal: AbortSignal
  readonly asker: Asker | undefined
  readonly lockWaitMs: number
  readonly pageFolder: string
  readonly options: GlobalOptions
  readonly out: Output
}

/** The data directory of this run. */
export function homeOf(context: Context, role: NodeRole = 'node'): string {
  return homeDirectory({ flag: context.options.home, env: context.env, role })
}

/** The caller wrote something that cannot be meant. */
export function usage(message: string, hint?: string): UsageError {
  return new UsageError('USAGE', message, { hint })
}
