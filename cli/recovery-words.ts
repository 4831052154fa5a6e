/** Where the 24 words come from: a file, standard input, a prompt. Never an argument or a variable, which others can read. */
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { ConfigError, UsageError } from '../node/errors.ts'
import type { Context } from './context.ts'

/** 24 words of at most 8 letters, and room for how people write them down. */
const MAX_BYTES = 1000

/**
 * The words as they were given; whether they are any is the node's to say.
 * @param file `-` is standard input
 * @throws UsageError `WORDS_NEEDED` when they are given nowhere and nobody can be asked; ConfigError `CONFIG`
 */
export async function readWords(context: Context, file: string | undefined): Promise<string> {
  if (file === '-') return await readAll(context.stdin, 'standard input')
  if (file !== undefined) return await readAll(createReadStream(file), file)
  if (context.asker !== undefined) return await context.asker.password('The 24 words:')
  throw new UsageError('WORDS_NEEDED', 'the 24 words are needed', {
    hint: 'give them with --words-file FILE, or --words-file - and standard input',
  })
}

async function readAll(stream: Readable, name: string): Promise<string> {
  let bytes = Buffer.alloc(0)
  try {
    for await (const chunk of stream) {
      bytes = Buffer.concat([bytes, Buffer.from(chunk as Uint8Array)])
      if (bytes.length > MAX_BYTES) break
    }
  } catch (cause) {
    throw new ConfigError('CONFIG', `cannot read the words from ${name}`, {
      hint: 'check the path, and who may read it',
      cause,
    })
  }
  if (bytes.length > MAX_BYTES) {
    throw new ConfigError('CONFIG', `${name} holds more than 24 words`, { hint: 'nothing but the words belongs there' })
  }
  return bytes.toString('utf8').trim()
}
