/**
 * Searches directories for planted words (ATTACKS 40): in file names and in files, as they are, in hex, in base64 at
 * each of its three alignments, and in UTF-16. Finding nothing means something only beside a control that finds them.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Finding {
  file: string
  /** The word as text, or the bytes in hex. */
  word: string
  encoding: string
}

/** Shorter words would be found by chance. */
const MIN_BYTES = 6

/**
 * Every file below `directories` that holds one of `words` (text, or bytes such as a key).
 * @throws RangeError for a word of fewer than 6 bytes
 */
export async function findCanaries(
  directories: readonly string[],
  words: readonly (string | Uint8Array)[],
): Promise<Finding[]> {
  const needles = words.flatMap(encodings)
  const findings: Finding[] = []
  for (const file of (await Promise.all(directories.map(filesBelow))).flat()) {
    const content = Buffer.concat([Buffer.from(`${file}\n`), await readFile(file)])
    const lower = Buffer.from(content.toString('latin1').toLowerCase(), 'latin1')
    for (const { word, encoding, bytes } of needles) {
      const haystack = encoding === 'hex' ? lower : content
      if (haystack.includes(bytes)) findings.push({ file, word, encoding })
    }
  }
  return findings
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function encodings(canary: string | Uint8Array): { word: string; encoding: string; bytes: Buffer }[] {
  const raw = Buffer.from(canary)
  if (raw.length < MIN_BYTES) throw new RangeError(`expected a word of ${MIN_BYTES} or more bytes, got ${raw.length}`)
  const word = typeof canary === 'string' ? canary : raw.toString('hex')
  const found = [
    { word, encoding: 'plain', bytes: raw },
    { word, encoding: 'hex', bytes: Buffer.from(raw.toString('hex')) },
    ...[0, 1, 2].flatMap((shift) =>
      base64At(raw, shift).map((text) => ({ word, encoding: 'base64', bytes: Buffer.from(text) })),
    ),
  ]
  if (typeof canary === 'string') {
    const utf16 = Buffer.from(canary, 'utf16le')
    found.push({ word, encoding: 'utf-16le', bytes: utf16 })
    found.push({ word, encoding: 'utf-16be', bytes: Buffer.from(utf16).swap16() })
  }
  return found
}

/** The base64 letters that depend on nothing but `raw` when `shift` bytes stand in front of it, in both alphabets. */
function base64At(raw: Buffer, shift: number): string[] {
  const text = Buffer.concat([Buffer.alloc(shift), raw]).toString('base64')
  const first = shift === 0 ? 0 : shift + 1
  const whole = Math.floor(((shift + raw.length) * 8) / 6)
  const inner = text.slice(first, whole)
  return [...new Set([inner, inner.replaceAll('+', '-').replaceAll('/', '_')])]
}
