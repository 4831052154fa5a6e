/**
 * The checker behind `test/architecture.test.ts`: who imports whom, cycles, and words that a folder may not use. It works
 * on a map of paths and sources, so that the test can plant a violation. Comments do not count, strings do.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'

/** Path from the root of the checkout, with slashes, to source text. */
export type Sources = ReadonlyMap<string, string>

export interface Import {
  from: string
  /** Path inside the checkout, or the name of a package. */
  to: string
  local: boolean
}

export interface Rules {
  /** Parts of `node/` that a part may import; '*' is every part but `index`. A part that is not listed is an error. */
  parts: Readonly<Record<string, readonly string[] | '*'>>
  /** Parts of `node/` that files of `cli/` may import. */
  cli: readonly string[]
  /** Beginnings of package names, and the parts (or single files, or folders with a slash at their end) that alone may import them. */
  packages: readonly { names: readonly string[]; only: readonly string[] }[]
  /** Parts that import no package beyond these. */
  closed: Readonly<Record<string, readonly string[]>>
  /** Files that only these parts may import. */
  reserved: Readonly<Record<string, readonly string[]>>
}

/** All `.ts` files below the folders. */
export function readSources(root: string, folders: readonly string[]): Map<string, string> {
  const sources = new Map<string, string>()
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const path = join(entry.parentPath, entry.name)
      sources.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'))
    }
  }
  return sources
}

const STRING_OR_COMMENT = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

/** The source without its comments. */
export function withoutComments(source: string): string {
  return source.replace(STRING_OR_COMMENT, (_, text: string | undefined) => text ?? ' ')
}

const IMPORT = /\b(?:from|import)\s*\(?\s*(?:'([^'\n]+)'|"([^"\n]+)")/g

/** Every import, export-from and import() of a file, types included. */
export function importsOf(path: string, source: string): Import[] {
  return [...withoutComments(source).matchAll(IMPORT)].map((match) => {
    const name = (match[1] ?? match[2])!
    const local = name.startsWith('.')
    return { from: path, to: local ? posix.join(posix.dirname(path), name) : name, local }
  })
}

/** `node/wire/schema.ts` is of the part `wire`, `node/ports.ts` of `ports`, `cli/…` of `cli`, `test/…` of `test`. */
export function partOf(path: string): string {
  const [top, second] = path.split('/')
  return top === 'node' ? second!.replace(/\.ts$/, '') : top!
}

/** Every import that the rules do not allow, as a sentence. */
export function directionViolations(sources: Sources, rules: Rules): string[] {
  const found: string[] = []
  for (const [path, source] of sources) {
    const part = partOf(path)
    if (path.startsWith('node/') && !(part in rules.parts)) found.push(`${path}: part ${part} is not in the table`)
    if (part !== 'test' && /\bimport\s*\(\s*[^'"\s]/.test(withoutComments(source))) {
      found.push(`${path}: import() of something that is not a literal`)
    }
    for (const { to, local } of importsOf(path, source)) {
      const problem = local ? localProblem(path, to, sources, rules) : packageProblem(path, to, rules)
      if (problem) found.push(`${path} -> ${to}: ${problem}`)
    }
  }
  return found
}

/** What files of a folder may share with anything outside it. */
export interface Apart {
  /** Folder from the root, without a slash at its end. */
  folder: string
  /** Beginnings of package names. */
  packages: readonly string[]
  /** Beginnings of paths outside the folder that may be read as data, as they stand in a string of the source. */
  data: readonly string[]
}

/** Every import, and every path out of the folder, by which its files would share a line with others. */
export function apartViolations(sources: Sources, { folder, packages, data }: Apart): string[] {
  const found: string[] = []
  for (const [path, source] of sources) {
    if (!path.startsWith(`${folder}/`)) continue
    for (const { to, local } of importsOf(path, source)) {
      const isAllowed = local ? to.startsWith(`${folder}/`) : packages.some((name) => to.startsWith(name))
      if (!isAllowed) found.push(`${path} -> ${to}: outside ${folder}`)
    }
    const code = withoutComments(source)
    if (/\bimport\s*\(|\brequire\b|\bcreateRequire\b/.test(code)) found.push(`${path}: loads code while it runs`)
    for (const [, text] of code.matchAll(/['"`]((?:\.\.?\/)*\.\.\/[^'"`]*)/g)) {
      if (!data.some((known) => text!.startsWith(known))) found.push(`${path} -> ${text}: outside ${folder}`)
    }
  }
  return found
}

function localProblem(from: string, to: string, sources: Sources, rules: Rules): string | undefined {
  const [part, other] = [partOf(from), partOf(to)]
  // tests may import anything, and quote imports in strings
  if (part === 'test') return undefined
  if (!sources.has(to) && !to.endsWith('.json') && !to.endsWith('.cjs')) return 'no such file'
  if (other === 'test') return 'shipped code imports a test'
  const reservedFor = rules.reserved[to]
  if (reservedFor && part !== other && !reservedFor.includes(part))
    return `only ${reservedFor.join(', ')} may import it`
  if (part === other) return undefined
  if (part === 'cli') return rules.cli.includes(other) ? undefined : 'not a part that cli may import'
  if (other === 'cli') return 'a node knows no face'
  if (other === 'index') return 'nobody inside node/ imports its public face'
  const allowed = rules.parts[part]
  return allowed === '*' || allowed?.includes(other) ? undefined : `${part} may not import ${other}`
}

function packageProblem(from: string, to: string, rules: Rules): string | undefined {
  const part = partOf(from)
  if (part === 'test') return undefined
  for (const { names, only } of rules.packages) {
    const named = names.some((name) =>
      name.endsWith('/') ? to.startsWith(name) : to === name || to.startsWith(`${name}/`),
    )
    const mayUse =
      only.includes(part) || only.some((place) => from === place || (place.endsWith('/') && from.startsWith(place)))
    if (named && !mayUse) return `only ${only.join(', ')} may import it`
  }
  const closed = rules.closed[part]
  if (closed && !closed.some((name) => to === name || to.startsWith(`${name}/`)))
    return `${part} may not import packages`
  return undefined
}

/** Groups of files that import one another in a circle (strongly connected components), types included. */
export function cycles(sources: Sources): string[][] {
  const edges = new Map([...sources].map(([path, source]) => [path, importsOf(path, source)]))
  const [index, low] = [new Map<string, number>(), new Map<string, number>()]
  const [stack, found]: [string[], string[][]] = [[], []]

  const visit = (path: string): void => {
    index.set(path, index.size)
    low.set(path, index.get(path)!)
    stack.push(path)
    for (const { to } of edges.get(path)!) {
      if (!edges.has(to)) continue
      if (!index.has(to)) visit(to)
      if (stack.includes(to)) low.set(path, Math.min(low.get(path)!, low.get(to)!))
    }
    if (low.get(path) !== index.get(path)) return
    const group = stack.splice(stack.indexOf(path))
    if (group.length > 1 || edges.get(path)!.some(({ to }) => to === path)) found.push(group.sort())
  }
  for (const path of edges.keys()) if (!index.has(path)) visit(path)
  return found
}

/** Where the forbidden words stand in the files of the parts. */
export function wordViolations(
  sources: Sources,
  parts: readonly string[],
  words: Readonly<Record<string, RegExp>>,
): string[] {
  const found: string[] = []
  for (const [path, source] of sources) {
    if (!path.startsWith('node/') || !parts.includes(partOf(path))) continue
    const code = withoutComments(source)
    for (const [word, pattern] of Object.entries(words)) {
      const at = code.search(pattern)
      if (at >= 0) found.push(`${path}: ${word} (${code.slice(at, at + 40).split('\n')[0]})`)
    }
  }
  return found
}
