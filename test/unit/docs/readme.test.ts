/**
 * README, architecture, threat model and changelog say what is there: commands, options, statuses, keys, methods, scripts,
 * tables, directions, tests and links are read from the markdown and compared with the code. PROTOCOL.md has a test of
 * its own.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect } from 'chai'
import { EXIT_MEANINGS } from '../../../cli/exit-status.ts'
import { OUTPUT_VERSION } from '../../../cli/output.ts'
import { API_VERSION, METHODS } from '../../../node/api/methods.ts'
import { CONFIG_KEYS, variableName } from '../../../node/config.ts'
import { PROTOCOL_VERSION } from '../../../node/limits.ts'
import { TABLE } from '../../../node/ports.ts'
import { SCHEMA_VERSION } from '../../../node/store/home.ts'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const ROOT = join(import.meta.dirname, '../../..')
const README = read('README.md')
const ARCHITECTURE = read('docs/ARCHITECTURE.md')
const THREAT_MODEL = read('docs/THREAT-MODEL.md')
const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...markdownIn('docs')]

/** What the help of a command lists. */
interface Help {
  options: string[]
  global: string[]
  commands: string[]
}

describe('the README', () => {
  const temporaryDirectory = temporaryDirectories()
  const known = new Map<string, Help>()

  async function helpOf(path: readonly string[]): Promise<Help> {
    const name = path.join(' ')
    const before = known.get(name)
    if (before) return before
    const shell = await Shell.create(await temporaryDirectory())
    const { status, stdout } = await shell.run(path.length === 0 ? ['--help'] : ['help', ...path], { bare: true })
    expect(status, `help ${name}`).to.equal(0)
    const [own, global = ''] = stdout.split('\nCommands:')[0]!.split('\nGlobal Options:')
    const commands = [...(stdout.split('\nCommands:')[1] ?? '').matchAll(/^ {2}([\w-]+)/gm)].map(([, word]) => word!)
    const help = { options: optionsIn(own!), global: optionsIn(global), commands }
    known.set(name, help)
    return help
  }

  it('begins with the two lines of a newcomer', () => {
    expect(codeBlocks(README)[0]).to.deep.equal({
      info: 'sh newcomer',
      lines: ['npm ci && npm run demo', 'npm test'],
    })
    expect(README.match(/^```sh newcomer$/gm)).to.have.length(1)
  })

  it('shows commands and options that exist', async () => {
    const lines = codeBlocks(README).flatMap(({ info, lines: shown }) => (info.startsWith('sh') ? shown : []))
    const shown = lines.flatMap(kithArguments)
    expect(shown).to.have.length.above(10)
    for (const tokens of shown) {
      const { path, options } = await understand(tokens)
      const { options: own, global } = await helpOf(path)
      const top = (await helpOf([])).options
      for (const option of options) expect([...own, ...global, ...top], tokens.join(' ')).to.include(option)
    }
  })

  /** The command that arguments name, and the options among them. */
  async function understand(tokens: readonly string[]): Promise<{ path: string[]; options: string[] }> {
    const path: string[] = []
    const options: string[] = []
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!
      const { commands } = await helpOf(path)
      if (token.startsWith('-')) {
        options.push(token)
        // before the command stands an option of every command, and but for --json its value behind it
        if (path.length === 0 && token !== '--json') i++
      } else if (commands.includes(token)) path.push(token)
      else expect(path, `no command ${tokens.join(' ')}`).to.have.length.above(0)
    }
    return { path, options }
  }

  it('has a table of all commands with all their options', async () => {
    const rows = tableOf(README, 'command', 'does', 'options').rows.map(([command, , options]) => ({
      path: plain(command!)
        .split(' ')
        .slice(1)
        .filter((word) => /^[a-z]/.test(word)),
      options: codeIn(options!).concat(codeIn(command!).filter((code) => code.startsWith('--'))),
    }))
    for (const { path, options } of rows) {
      const { options: own } = await helpOf(path)
      expect(options.toSorted(), path.join(' ')).to.deep.equal(own.filter((option) => option !== '--help').toSorted())
    }
    const named = rows.map(({ path }) => path.join(' '))
    expect(named.toSorted()).to.deep.equal((await leaves([])).toSorted())
  })

  /** Every command that does something; `invite`, `relay` and `swarm` do, and have commands below them as well. */
  async function leaves(path: readonly string[]): Promise<string[]> {
    const { commands } = await helpOf(path)
    const below = commands.filter((name) => path.length === 0 || name !== 'help')
    if (below.length === 0) return [path.join(' ')]
    const found = await Promise.all(below.map(async (name) => await leaves([...path, name])))
    return ['invite', 'relay', 'swarm'].includes(path.join(' ')) ? [path.join(' '), ...found.flat()] : found.flat()
  }

  it('has a table of the options of every command', async () => {
    const shown = tableOf(README, 'option', 'meaning').rows.flatMap(([option]) =>
      codeIn(option!).map((code) => code.split(' ')[0]!),
    )
    const { options } = await helpOf([])
    const expected = options.filter((option) => option !== '--help')
    expect(shown.filter((option) => option.startsWith('--')).toSorted()).to.deep.equal(expected.toSorted())
  })

  it('lists the exit statuses', () => {
    const shown = tableOf(README, 'status', 'meaning').rows.map(([status, meaning]) => [Number(status), meaning])
    expect(shown).to.deep.equal(EXIT_MEANINGS)
  })

  it('lists the configuration', () => {
    const shown = tableOf(README, 'key', 'variable').rows.map(([key, variable]) => [plain(key!), plain(variable!)])
    expect(shown).to.deep.equal(CONFIG_KEYS.map((key) => [key, variableName(key)]))
  })

  it('lists the methods of the API', () => {
    const shown = tableOf(README, 'method', 'does').rows.flatMap(([methods]) => codeIn(methods!))
    expect(shown.toSorted()).to.deep.equal(Object.keys(METHODS).toSorted())
  })
})

describe('the documents', () => {
  for (const path of DOCUMENTS) {
    it(`${path}: links lead somewhere`, () => {
      const text = read(path)
      const links = [...withoutCode(text).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
      for (const link of links.filter((one) => !/^[a-z]+:/.test(one))) {
        const [file, anchor] = link.split('#')
        const target = file === '' ? join(ROOT, path) : resolve(ROOT, dirname(path), file!)
        expect(existsSync(target), `${link} in ${path}`).to.equal(true)
        if (anchor === undefined) continue
        expect(anchorsOf(readFileSync(target, 'utf8')), `${link} in ${path}`).to.include(anchor)
      }
    })
  }

  it('name scripts of the package that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const path of DOCUMENTS) {
      for (const [, name] of read(path).matchAll(/npm run ([\w:-]+)/g)) {
        expect(scripts, `npm run ${name} in ${path}`).to.have.property(name!)
      }
    }
  })

  it('state the versions of wire, disk, API and output', () => {
    const versions = `Wire: protocol ${PROTOCOL_VERSION}. Disk: schema ${SCHEMA_VERSION}, vault 1. API: ${API_VERSION}.`
    const unreleased = read('CHANGELOG.md').split(/^## /m)[1]!
    expect(unreleased.startsWith('Unreleased')).to.equal(true)
    expect(unreleased).to.include(versions)
    expect(unreleased).to.include(`JSON output of the command line: ${OUTPUT_VERSION}.`)
  })
})

describe('the architecture document', () => {
  it('lists the directions that its test enforces', () => {
    const source = read('test/architecture.test.ts').split('  parts: {\n')[1]!.split('\n  },')[0]!
    const enforced = [...source.matchAll(/^ {4}'?([\w-]+)'?: (\[.*\]|[A-Z_]+|'\*'),$/gm)].map(([, part, allowed]) => {
      if (allowed === "'*'") return [part, 'everything']
      return [part, allowed === '[]' ? 'nothing' : allowed!.replaceAll(/[[\]'.]/g, '')]
    })
    expect(enforced).to.have.length.above(20)
    const shown = tableOf(ARCHITECTURE, 'part', 'may import').rows.map(([part, allowed]) => [plain(part!), allowed])
    expect(shown).to.deep.equal(enforced)
  })

  it('lists the folders of the node', () => {
    const shown = tableOf(ARCHITECTURE, 'part', 'owns').rows.map(([part]) => plain(part!).replace('/', ''))
    expect(shown.toSorted()).to.deep.equal(foldersIn('node').toSorted())
  })

  it('lists the tables on disk with their bytes', () => {
    const { rows } = tableOf(ARCHITECTURE, 'table', 'byte')
    const shown = rows.flatMap(([table, byte]) => (table === '' ? [] : [[plain(table!), Number(byte)]]))
    expect(Object.fromEntries(shown)).to.deep.equal(TABLE)
  })

  it('lists the kinds of tests', () => {
    const shown = tableOf(ARCHITECTURE, 'folder', 'what').rows.map(([folder]) => plain(folder!))
    for (const folder of foldersIn('test')) expect(shown).to.include(`test/${folder}`)
    // a folder may be left out of a checkout when a script of the package names it
    const scripts = read('package.json')
    for (const path of shown) expect(existsSync(join(ROOT, path)) || scripts.includes(`${path}/`), path).to.equal(true)
  })
})

describe('the threat model', () => {
  const { rows } = tableOf(THREAT_MODEL, 'number', 'statement')

  it('has a row for each number, in order', () => {
    expect(rows.map(([number]) => number)).to.deep.equal(rows.map((_, index) => `T${index + 1}`))
    const highest = Math.max(...[...titles().values()].flat().map((number) => Number(number.slice(1))))
    expect(rows.length).to.be.at.least(highest)
  })

  it('names tests that carry the number', () => {
    const byFile = titles()
    const named = rows.flatMap(([number, , shown]) => linksIn(shown!).map(({ link }) => [number!, link]))
    const inText = linksIn(THREAT_MODEL).filter(({ text }) => /^T\d+$/.test(text))
    const all = [...named, ...inText.map(({ text, link }) => [text, link])]
    expect(all).to.have.length.above(100)
    for (const [number, link] of all) {
      const file = relative(ROOT, resolve(ROOT, 'docs', link!))
      expect(byFile.get(file) ?? [], `${file} shows ${number}`).to.include(number)
    }
  })

  it('calls nothing unshown that a test shows', () => {
    const shownSomewhere = new Set([...titles().values()].flat())
    const unshown = rows.filter(([, , shown]) => shown!.startsWith('not shown yet')).map(([number]) => number!)
    expect(
      unshown.filter((number) => shownSomewhere.has(number)),
      'link the tests in the table, and in the lists above it',
    ).to.deep.equal([])
    for (const [number, , shown] of rows) {
      expect(linksIn(shown!).length > 0 || unshown.includes(number!), `${number} says where`).to.equal(true)
    }
  })
})

// ---- the repository ----

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join(folder, path))
}

function foldersIn(path: string): string[] {
  return readdirSync(join(ROOT, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
}

/** The numbers in the titles of tests, by file. */
function titles(): Map<string, string[]> {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  return new Map(
    files
      .filter((file) => /\.(test|system)\.ts$/.test(file))
      .map((file) => {
        const calls = read(join('test', file)).matchAll(/\b(?:it|describe|seeded)\(\s*(['"`][^\n]*)/g)
        return [join('test', file), [...calls].flatMap(([, title]) => title!.match(/\bT\d+\b/g) ?? [])]
      }),
  )
}

// ---- markdown ----

interface CodeBlock {
  info: string
  lines: string[]
}

function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, info, body]) => ({
    info: info!,
    lines: body!.trimEnd().split('\n'),
  }))
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')
}

/** Arguments of each `kith` in a line of shell; what is quoted or substituted becomes one word. */
function kithArguments(line: string): string[][] {
  const simple = line.replaceAll(/"\$\([^)]*\)"|'[^']*'/g, 'WORD')
  return simple
    .split(/[|&;>]+/)
    .map((command) => /^\s*(?:npx )?kith (.*)$/.exec(command)?.[1])
    .filter((found) => found !== undefined)
    .map((found) => found.trim().split(/\s+/))
}

function optionsIn(help: string): string[] {
  return [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option]) => option!)
}

function tableOf(markdown: string, ...columns: string[]): { rows: string[][] } {
  const blocks = markdown.split(/\n(?!\|)/).map((part) => part.split('\n').filter((line) => line.startsWith('|')))
  const tables = blocks.map((lines) => lines.map(cellsOf))
  const found = tables.filter(([head]) => head !== undefined && columns.every((column, i) => head[i] === column))
  expect(found, columns.join(' | ')).to.have.length(1)
  return { rows: found[0]!.slice(2) }
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())
}

function plain(cell: string): string {
  return cell.replaceAll('`', '')
}

function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)
}

function linksIn(text: string): { text: string; link: string }[] {
  return [...text.matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)].map(([, shown, link]) => ({ text: shown!, link: link! }))
}

/** Anchors of the headings, as the usual viewers make them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    plain(heading!)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}
