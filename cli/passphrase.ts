/**
 * Where passphrases come from: `--passphrase-fd`, `--passphrase-file`, `$CREDENTIALS_DIRECTORY/passphrase`, a prompt.
 * Never an argument or a variable, which other processes can read. Of a file the first line counts.
 */
import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { ConfigError, UsageError } from '../node/errors.ts'
import { type Context, usage } from './context.ts'

const MAX_LINE_BYTES = 4096
const FILE_HINT = 'check the path, and who may read it'
const HINT = 'give it with --passphrase-file FILE, --passphrase-fd N or $CREDENTIALS_DIRECTORY/passphrase'

/**
 * The passphrase that opens the vault.
 * @throws UsageError `PASSPHRASE_NEEDED` when it is given nowhere and nobody can be asked
 */
export async function readPassphrase(context: Context): Promise<string> {
  const given = await givenPassphrase(context)
  if (given !== undefined) return given
  if (context.asker !== undefined) return context.asker.password('Passphrase:')
  throw new UsageError('PASSPHRASE_NEEDED', 'locked: a passphrase is needed', { hint: HINT })
}

/**
 * A new passphrase; a person is asked twice.
 * @param file instead of the global sources, for a change
 */
export async function readNewPassphrase(context: Context, from: { file?: string } | 'global'): Promise<string> {
  const given = await (from === 'global' ? givenPassphrase(context) : newFromFile(from.file))
  if (given !== undefined) return given
  if (context.asker === undefined) {
    const hint = from === 'global' ? HINT : 'give it with --new-passphrase-file FILE'
    throw new UsageError('PASSPHRASE_NEEDED', 'a new passphrase is needed', { hint })
  }
  const first = await context.asker.password('New passphrase:')
  const second = await context.asker.password('Once more:')
  if (first !== second) throw usage('the two passphrases differ', 'nothing was changed; try again')
  return first
}

async function newFromFile(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : readFirstLine(createReadStream(file), file)
}

/** A passphrase that nobody has to be asked for. */
export async function givenPassphrase({ options, env }: Context): Promise<string | undefined> {
  const { passphraseFd: fd, passphraseFile: file } = options
  if (fd !== undefined && file !== undefined)
    throw usage('--passphrase-fd and --passphrase-file exclude each other', 'give one of them')
  if (fd !== undefined) return readFirstLine(createReadStream('', { fd, autoClose: false }), `descriptor ${fd}`)
  if (file !== undefined) return readFirstLine(createReadStream(file), file)
  const folder = env.CREDENTIALS_DIRECTORY
  if (folder === undefined || folder === '') return undefined
  const credential = join(folder, 'passphrase')
  return (await exists(credential)) ? readFirstLine(createReadStream(credential), credential) : undefined
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw new ConfigError('CONFIG', `cannot read ${path}`, { hint: FILE_HINT, cause: error })
  }
}

async function readFirstLine(stream: Readable, name: string): Promise<string> {
  let bytes = Buffer.alloc(0)
  try {
    for await (const chunk of stream) {
      bytes = Buffer.concat([bytes, chunk as Buffer])
      if (bytes.includes(0x0a) || bytes.length > MAX_LINE_BYTES) break
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(
      'CONFIG',
      `cannot read the passphrase from ${name}${code === undefined ? '' : ` (${code})`}`,
      { hint: FILE_HINT, cause },
    )
  }
  const end = bytes.indexOf(0x0a)
  const line = end === -1 ? bytes : bytes.subarray(0, end)
  if (line.length > MAX_LINE_BYTES)
    throw new ConfigError('CONFIG', `the passphrase in ${name} is too long`, { hint: 'its first line is used' })
  const text = decodeLine(line, name).replace(/\r$/, '')
  if (text === '') throw new ConfigError('CONFIG', `${name} holds no passphrase`, { hint: 'its first line is used' })
  return text
}

function decodeLine(line: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(line)
  } catch (cause) {
    throw new ConfigError('CONFIG', `the passphrase in ${name} is not UTF-8`, { hint: 'its first line is used', cause })
  }
}
