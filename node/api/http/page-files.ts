/** The files of the page, read once: what is not among them is not served, whatever a path says. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { ConfigError } from '../../errors.ts'
import { MAX_PAGE_BYTES } from '../../limits.ts'

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

export interface PageFile {
  body: Uint8Array<ArrayBuffer>
  headers: Record<string, string>
}

/**
 * The files below a folder by their paths, `/` for `index.html`.
 * @returns none when there is no such folder
 * @throws ConfigError `PAGE_TOO_LARGE`
 */
export async function readPageFiles(folder: string): Promise<Map<string, PageFile>> {
  const files = new Map<string, PageFile>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  let total = 0
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)]
    if (!entry.isFile() || type === undefined) continue
    const path = join(entry.parentPath, entry.name)
    const body = new Uint8Array(await readFile(path))
    total += body.length
    if (total > MAX_PAGE_BYTES) {
      throw new ConfigError('PAGE_TOO_LARGE', `the page has at most ${MAX_PAGE_BYTES} bytes: ${folder}`)
    }
    const name = `/${relative(folder, path).split(sep).join('/')}`
    // Built files below assets/ have a hash of what they hold in their names.
    const cache = name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    files.set(name === '/index.html' ? '/' : name, { body, headers: { 'Content-Type': type, 'Cache-Control': cache } })
  }
  return files
}
