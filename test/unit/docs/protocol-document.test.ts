/**
 * The protocol document says what the code does: its version, its tables of labels, limits, maps, verbs, statuses, kinds,
 * payload types and offsets are read from the markdown and compared, so that neither can change alone. Test numbers
 * that section 10 names must exist.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { allLabels } from '../../../node/crypto/labels.ts'
import * as limits from '../../../node/limits.ts'
import { KINDS } from '../../../node/mailbox/keys.ts'
import { payloadRoom } from '../../../node/session/triple-ratchet.ts'
import { COPY_STATE, STATUS, VERB } from '../../../node/wire/commands.ts'
import { ENVELOPE_HEADER_BYTES } from '../../../node/wire/envelope.ts'
import { HEADER_BYTES } from '../../../node/wire/header.ts'
import { LEG1_INNER_BYTES } from '../../../node/wire/legs.ts'
import { MAX_INVITE_BYTES } from '../../../node/wire/invite.ts'
import { MAX_PAYLOAD_BYTES, PAYLOAD_TYPE } from '../../../node/wire/payload.ts'
import { TEXT_KEYS, VECTORS_VERSION } from '../../vectors/makers/vector-file.ts'

const ROOT = join(import.meta.dirname, '../../..')
const document = read('docs/PROTOCOL.md')

interface Table {
  columns: string[]
  rows: string[][]
}
const tables = readTables(document)

describe('the protocol document', () => {
  it('states the version that the code speaks', () => {
    const stated = [...document.matchAll(/^Protocol version: (\d+)$/gm)].map(([, version]) => Number(version))
    expect(stated).to.deep.equal([limits.PROTOCOL_VERSION])
  })

  it('has the sections of the design, 1 to 11 in order', () => {
    const numbers = [...document.matchAll(/^## (\d+)\. /gm)].map(([, number]) => Number(number))
    expect(numbers).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('lists every label, and none besides', () => {
    const { rows } = tableOf('name in the code', 'bytes')
    expect(rows.map(([name, bytes]) => [plain(name), plain(bytes)])).to.deep.equal(allLabels())
  })

  it('lists the limits of the protocol with their values, and none besides', () => {
    const { rows } = tableOf('limit', 'value')
    const block = read('node/limits.ts').split("// ---- the protocol's ----")[1]!.split('// ---- ours ----')[0]!
    const names = [...block.matchAll(/^export const ([A-Z0-9_]+)/gm)].map(([, name]) => name!)
    expect(names).to.have.length.above(30)
    const values = limits as unknown as Record<string, number | readonly number[]>
    const expected = names.map((name) => [name, [values[name]].flat().join(', ')])
    expect(rows.map(([name, value]) => [plain(name), value])).to.deep.equal(expected)
  })

  it('lists every map of the wire with its keys, fields and what may be absent', () => {
    const documented = new Map<string, string[]>()
    for (const [map, key, field, type] of tables.filter((table) => table.columns[0] === 'map').flatMap((t) => t.rows)) {
      const fields = documented.get(plain(map)) ?? []
      fields.push(`${key} ${plain(field)}${type!.startsWith('optional ') ? ' optional' : ''}`)
      documented.set(plain(map), fields)
    }
    const coded = structsOf('node/wire')
    expect([...documented.keys()].toSorted()).to.deep.equal([...coded.keys()].toSorted())
    for (const [name, fields] of coded) expect(documented.get(name), name).to.deep.equal(fields)
  })

  it('gives verbs, statuses, kinds, copy states and payload types their codes', () => {
    expect(codes('code', 'verb')).to.deep.equal(VERB)
    expect(codes('code', 'status')).to.deep.equal(STATUS)
    expect(codes('type', 'name')).to.deep.equal(PAYLOAD_TYPE)
    const states = tableOf('state', 'code').rows.map(([name, code]) => [plain(name), Number(code)])
    expect(Object.fromEntries(states)).to.deep.equal(COPY_STATE)
  })

  it('gives mailboxes their rules', () => {
    const documented = tableOf('code', 'kind').rows.map(
      ([code, kind, writer, reader, anyone, copies, bytes, days]) => ({
        kind: Number(code),
        name: plain(kind),
        writer: verbs(writer!),
        reader: verbs(reader!),
        anyone: verbs(anyone!),
        ...caps(copies!, bytes!),
        lifeDays: Number(days),
      }),
    )
    const coded = Object.values(KINDS).map((rules) => ({
      ...rules,
      writer: sorted(rules.writer),
      reader: sorted(rules.reader),
      anyone: sorted(rules.anyone),
    }))
    expect(documented).to.deep.equal(coded)
  })

  it('says how large a payload fits', () => {
    const rows = tableOf('envelope', 'largest payload').rows.map(([size, room]) => [Number(size), Number(room)])
    expect(rows).to.deep.equal(limits.ENVELOPE_BYTES.map((size) => [size, payloadRoom(size)]))
  })

  it('has offsets without gaps, which end where the code does', () => {
    const ends = tables.filter(({ columns }) => columns[0] === 'offset' && columns[1] === 'length').map(endOf)
    const frameHeader = 8
    const body = ENVELOPE_HEADER_BYTES + HEADER_BYTES + 40
    const expected = [
      ENVELOPE_HEADER_BYTES,
      frameHeader,
      LEG1_INNER_BYTES,
      limits.LEG_BYTES,
      288,
      HEADER_BYTES,
      body,
      limits.RENDEZVOUS_BYTES,
    ]
    expect(ends).to.deep.equal(expected)
  })

  it('says how large an encoded map may be', () => {
    const rows = tableOf('encoded map', 'bytes at most').rows.map(([, bytes]) => Number(bytes))
    expect(rows.filter((bytes) => !Number.isNaN(bytes))).to.deep.equal([
      128,
      256,
      limits.MAX_RECORD_BYTES,
      MAX_INVITE_BYTES,
      MAX_PAYLOAD_BYTES,
      limits.MAX_FRAME_BYTES,
    ])
  })

  it('names statuses that exist in the order of checks', () => {
    const { rows } = tableOf('verb', 'checks behind the form, with the status that each gives')
    const named = rows.flatMap(([, checks]) => [...checks!.matchAll(/`([a-z]+)`/g)].map(([, name]) => name!))
    expect(named).to.have.length.above(40)
    const known = [...Object.keys(STATUS), ...Object.keys(COPY_STATE), 'until', 'expires']
    expect(named.filter((name) => !known.includes(name))).to.deep.equal([])
    const shown = rows.flatMap(([verb]) => verb!.split(', ').map((name) => (name === 'ACK' ? 'ACKNOWLEDGE' : name)))
    const served = Object.keys(VERB).filter((name) => name !== 'forward' && name !== 'publish')
    expect(shown.toSorted()).to.deep.equal(served.map((name) => name.toUpperCase()).toSorted())
  })

  it('names for each verb the statuses that its checks give', () => {
    const statuses = (cell: string | undefined): string[] => [
      ...new Set([...cell!.matchAll(/`([a-z]+)`/g)].map(([, name]) => name!).filter((name) => name in STATUS)),
    ]
    const checks = tableOf('verb', 'checks behind the form, with the status that each gives').rows
    const may = tableOf('answer to', 'may be').rows
    const everywhere = new Set(['ok', ...statuses(may[0]![1])].filter((name) => name !== 'full'))
    for (const [names, cell] of may.slice(1)) {
      for (const verb of names!.split(', ')) {
        const row = checks.find(([shown]) => shown!.split(', ').includes(verb))
        if (!row) continue
        // one row of checks for ACK and RELEASE, and one for FETCH and SUBSCRIBE, which has `full` alone
        const given = statuses(row[1]).filter((name) => !everywhere.has(name))
        const left = { RELEASE: ['released'], FETCH: ['full'] }[verb] ?? []
        expect(statuses(cell).toSorted(), verb).to.deep.equal(given.filter((name) => !left.includes(name)).toSorted())
      }
    }
  })

  it('lists the vectors, their version and how they are written', () => {
    const stated = [...document.matchAll(/^Vectors version: (\d+)$/gm)].map(([, version]) => Number(version))
    expect(stated).to.deep.equal([VECTORS_VERSION])
    const files = tableOf('file', 'holds').rows.map(([file]) => plain(file))
    expect(files.toSorted()).to.deep.equal(readdirSync(join(ROOT, 'test/vectors/kith')).toSorted())
    const sentence = /but for text under the keys ([^.]*),\s+and a number/.exec(document)![1]!
    expect([...sentence.matchAll(/`(\w+)`/g)].map(([, key]) => key)).to.deep.equal([...TEXT_KEYS])
  })

  it('names no test that does not exist', () => {
    const section = document.split('\n## 10. ')[1]!.split('\n## 11. ')[0]!
    const { rows } = tableOf('guarantee', 'shown by')
    const named = rows.flatMap(([, shown]) => shown!.match(/T\d+/g) ?? [])
    expect(named).to.have.length.above(20)
    expect(section).to.include('Not promised')
    const titles = testFiles()
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\b(?:it|describe)\(\s*['"`]([^\n]*)/g)])
      .map(([, title]) => title!)
    for (const number of named) {
      expect(
        titles.some((title) => new RegExp(`\\b${number}\\b`).test(title)),
        number,
      ).to.equal(true)
    }
  })
})

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** All tables in their order; a row has as many cells as its table has columns. */
function readTables(markdown: string): Table[] {
  const found: Table[] = []
  let open: Table | undefined
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) {
      open = undefined
      continue
    }
    const cells = line.slice(1, line.lastIndexOf('|')).split('|')
    const trimmed = cells.map((cell) => cell.trim())
    if (!open) {
      open = { columns: trimmed, rows: [] }
      found.push(open)
    } else if (!trimmed.every((cell) => /^-+$/.test(cell))) {
      expect(trimmed, line).to.have.length(open.columns.length)
      open.rows.push(trimmed)
    }
  }
  return found
}

function tableOf(...columns: string[]): Table {
  const found = tables.filter((table) => columns.every((column, i) => table.columns[i] === column))
  expect(found, columns.join(' | ')).to.have.length(1)
  return found[0]!
}

function plain(cell: string | undefined): string {
  return cell!.replaceAll('`', '')
}

function codes(...columns: string[]): Record<string, number> {
  return Object.fromEntries(tableOf(...columns).rows.map(([code, name]) => [plain(name), Number(code)]))
}

/** Codes of verbs as people call them; ACK is `acknowledge`. */
function verbs(cell: string): number[] {
  if (cell === 'nothing') return []
  const names = cell.split(', ').map((name) => (name === 'ACK' ? 'acknowledge' : name.toLowerCase()))
  return sorted(names.map((name) => VERB[name as keyof typeof VERB]))
}

function sorted(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b)
}

function caps(copies: string, bytes: string) {
  const [startCopies, maxCopies] = copies.split(', ').map(Number)
  const [start, most] = bytes.split(', ').map(byteCount)
  return { startCopies, startBytes: start, maxCopies, maxBytes: Number.isNaN(most) ? start : most }
}

/** Bytes of `1 MiB`, `256 KiB` or a number; NaN for words. */
function byteCount(text: string): number {
  const [number, unit] = text.split(' ')
  return Number(number) * (unit === 'MiB' ? 1024 ** 2 : unit === 'KiB' ? 1024 : 1)
}

/** Where a table of offsets ends; its last row may be "rest", and then begins there. */
function endOf({ rows }: Table): number {
  let end = 0
  for (const [offset, length] of rows) {
    expect(Number(offset), rows.flat().join(' ')).to.equal(end)
    end += /^\d+$/.test(length!) ? Number(length) : 0
  }
  return end
}

/** Fields of every `struct` in a folder, in the order of their keys, by the name of the constant. */
function structsOf(folder: string): Map<string, string[]> {
  const structs = new Map<string, string[]>()
  for (const file of readdirSync(join(ROOT, folder))) {
    const source = read(join(folder, file)).replaceAll(/\/\*\*[\s\S]*?\*\//g, '')
    for (const [, name, body] of source.matchAll(/const (\w+) = struct\(\{([\s\S]*?)\}\)/g)) {
      const fields = [...body!.matchAll(/(\w+): \[(\d+), (optional\()?/g)].map(
        ([, field, key, optional]) => `${key} ${field}${optional ? ' optional' : ''}`,
      )
      expect(structs.has(name!), `${name} stands in two files`).to.equal(false)
      structs.set(name!, fields)
    }
  }
  return structs
}

function testFiles(): string[] {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(ROOT, 'test', file))
}
