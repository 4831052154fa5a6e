/*
 * Reads the files of test/vectors/kith and keeps book: every value of a case that is looked at is noted, so that a test
 * can show at its end that nothing in the file was passed over.
 */
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { fromHex, Refused, toHex } from './bytes.ts'

const PROSE = new Set(['name', 'reason', 'error', 'about', 'shows', 'map', 'protocol', 'vectors', 'time'])

/** A value of a vector file, with the path to it. */
export class Node {
  readonly path: string
  readonly #value: unknown
  readonly #seen: Set<string>

  constructor(value: unknown, path: string, seen: Set<string>) {
    this.#value = value
    this.path = path
    this.#seen = seen
  }

  /** A field of an object or an entry of a list; it must be there. */
  at(key: string | number): Node {
    const node = this.maybe(key)
    if (node === undefined) throw new Error(`${this.path} has no ${key}`)
    return node
  }

  /** The same, if it is there. */
  maybe(key: string | number): Node | undefined {
    const value = (this.#value as Record<string | number, unknown>)[key]
    return value === undefined ? undefined : new Node(value, `${this.path}/${key}`, this.#seen)
  }

  /** Entries of a list. */
  list(key: string): Node[] {
    const node = this.at(key)
    if (!Array.isArray(node.#value)) throw new Error(`${node.path} is no list`)
    return node.#value.map((_, i) => node.at(i))
  }

  /** The value as it stands, with all below it. */
  raw(): unknown {
    this.#note(this.#value, this.path)
    return this.#value
  }

  /** Bytes at a key. */
  bytes(key: string): Uint8Array {
    return fromHex(this.text(key))
  }

  /** Text at a key. */
  text(key: string): string {
    const value = this.at(key).raw()
    if (typeof value !== 'string') throw new Error(`${this.path}/${key} is no string`)
    return value
  }

  /** A number at a key. */
  number(key: string): number {
    const value = this.at(key).raw()
    if (typeof value !== 'number') throw new Error(`${this.path}/${key} is no number`)
    return value
  }

  /** Name of a case. */
  get name(): string {
    return this.text('name')
  }

  /** Compares a value at a key with what was computed: bytes as hexadecimal, maps by their fields. */
  expect(key: string, computed: unknown): void {
    expect(shown(computed), `${this.path}/${key}`).to.deep.equal(this.at(key).raw())
  }

  /** Compares several values. */
  expectAll(computed: Record<string, unknown>): void {
    for (const [key, value] of Object.entries(computed)) this.expect(key, value)
  }

  /** Expects that something is refused. */
  refuses(what: () => unknown): void {
    let taken = true
    try {
      what()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      taken = false
    }
    if (taken) throw new Error(`${this.path} (${this.name}) was taken`)
  }

  #note(value: unknown, path: string): void {
    this.#seen.add(path)
    if (typeof value !== 'object' || value === null) return
    for (const [key, below] of Object.entries(value)) this.#note(below, `${path}/${key}`)
  }

  /** Paths of what nobody looked at, prose apart. */
  unread(): string[] {
    const missed: string[] = []
    const walk = (value: unknown, path: string, key: string): void => {
      if (this.#seen.has(path) || PROSE.has(key)) return
      if (typeof value !== 'object' || value === null) missed.push(path)
      else for (const [k, below] of Object.entries(value)) walk(below, `${path}/${k}`, k)
    }
    walk(this.#value, this.path, '')
    return missed
  }
}

/** A computed value in the form of the files. */
export function shown(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(shown)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  return Object.fromEntries(entries.map(([key, v]) => [key, shown(v)]))
}

/** A vector file. */
interface VectorFile {
  /** The whole of it. */
  root: Node
  /** The one case of a name. */
  named(name: string): Node
  /** Cases that must be taken. */
  cases: Node[]
  /** Cases that must not. */
  refused: Node[]
}

/** Reads a file of test/vectors/kith. */
export function vectorFile(name: string): VectorFile {
  const url = new URL(`../vectors/kith/${name}.json`, import.meta.url)
  const root = new Node(JSON.parse(readFileSync(url, 'utf8')), name, new Set())
  const cases = root.list('cases')
  const named = (wanted: string): Node => {
    const found = cases.filter((one) => one.name === wanted)
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${name}: ${found.length} of ${wanted}`)
    return found[0]
  }
  return { root, cases, refused: root.list('refused'), named }
}

/** A test that every value of the file was looked at; stands last. */
export function everythingRead(file: VectorFile): void {
  it('left no value of the file unread', () => {
    expect(file.root.unread()).to.deep.equal([])
  })
}
