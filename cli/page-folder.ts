/** The built page: beside the compiled program, in a checkout in the folder of the build, where it is built when it is missing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../node/errors.ts'
import type { Context } from './context.ts'

const IS_CHECKOUT = import.meta.filename.endsWith('.ts')
/** Of the package. */
const ROOT = IS_CHECKOUT ? join(import.meta.dirname, '..') : join(import.meta.dirname, '..', '..')

export function pageFolder(): string {
  return join(ROOT, 'dist', 'web')
}

/**
 * Builds the page where it is missing and can be built.
 * @throws ConfigError `NO_PAGE`
 */
export async function ensurePage({ pageFolder: folder, out }: Pick<Context, 'pageFolder' | 'out'>): Promise<void> {
  if (await exists(join(folder, 'index.html'))) return
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js')
  const config = join(ROOT, 'cli', 'web', 'vite.config.ts')
  if (folder !== pageFolder() || !IS_CHECKOUT || !(await exists(vite)) || !(await exists(config))) {
    throw new ConfigError('NO_PAGE', 'the page is not part of this installation', {
      hint: 'in a checkout: `npm ci`, then `npm run build:web`',
    })
  }
  out.note('building the page, once …')
  const build = spawn(process.execPath, [vite, 'build', '--config', config], { cwd: ROOT, stdio: 'ignore' })
  const [status] = (await once(build, 'exit')) as [number | null]
  if (status !== 0)
    throw new ConfigError('NO_PAGE', 'the page cannot be built', { hint: '`npm run build:web` shows why' })
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
