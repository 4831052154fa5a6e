/** `init`, `identity rotate`, `id`, `status`: who I am and how my node is. */
import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { Command } from 'commander'
import type { MethodResult } from '../../node/api/methods.ts'
import { resolveConfig } from '../../node/config.ts'
import { UsageError } from '../../node/errors.ts'
import { type Context, homeOf, usage } from '../context.ts'
import { block, table } from '../layout.ts'
import { localTime } from '../local-time.ts'
import { join, withNode } from '../node-session.ts'
import { readNewPassphrase } from '../passphrase.ts'
import { readWords } from '../recovery-words.ts'
import { sanitiseLine } from '../sanitise.ts'
import { wordRows } from '../word-rows.ts'
import { collect, type Runner } from './command.ts'

interface InitOptions {
  name?: string
  relay?: string[]
  bootstrap?: string[]
  wordsFile?: string
}

export function addIdentityCommands(program: Command, runner: Runner): void {
  program
    .command('init')
    .description('create your identity; shows its 24 words once')
    .option('--name <name>', 'what friends see when you knock')
    .option('--relay <address>', 'a relay that keeps mail for you (repeatable)', collect)
    .option('--bootstrap <address>', 'a peer through which the network is found (repeatable)', collect)
    .option('--words-file <file>', 'write the 24 words into a new file (0600) instead of showing them')
    .action(runner.action(init))
  program
    .command('identity')
    .description('the keys of your identity')
    .command('rotate')
    .description('replace the root key and this device, after a theft; asks for the 24 words')
    .option('--words-file <file>', 'the 24 words; - reads standard input')
    .action(runner.action(rotate))
  program.command('id').description('show who you are').action(runner.action(showId))
  program.command('status').description('show how your node is').action(runner.action(showStatus))
}

async function init(context: Context, options: InitOptions): Promise<void> {
  const { out, runtime } = context
  const home = homeOf(context)
  if (await runtime.hasIdentity(home)) {
    throw new UsageError('IDENTITY_EXISTS', `there is an identity in ${home} already`, {
      hint: '`kith id` shows it; name another --home for a second one',
    })
  }
  if (!out.isTerminal && !out.json && options.wordsFile === undefined) {
    throw usage('the 24 words need a place', 'add --words-file FILE or --json, or run it in a terminal')
  }
  const { name, relays, bootstrap } = await settings(context, options)
  const words = options.wordsFile === undefined ? undefined : await createWordsFile(options.wordsFile)
  try {
    const passphrase = await readNewPassphrase(context, 'global')
    const created = await runtime.createIdentity({ home, name, passphrase, relays, bootstrap })
    if (words !== undefined) {
      await words.writeFile(`${created.words}\n`)
      await words.sync()
    }
    await tellInit(context, { ...created, name }, options.wordsFile)
  } catch (error) {
    // Nothing is left behind but a file that holds the words of an identity which exists.
    if (options.wordsFile !== undefined && !(await runtime.hasIdentity(home))) await unlink(options.wordsFile)
    throw error
  } finally {
    await words?.close()
  }
}

async function settings(
  context: Context,
  options: InitOptions,
): Promise<{ name: string; relays: string[]; bootstrap: string[] }> {
  const name = options.name ?? (await context.asker?.line('What should friends call you?'))
  if (name === undefined || name === '') throw usage('a name is missing', 'add --name YOU')
  const flags = { name, relays: options.relay, bootstrap: options.bootstrap }
  const { values } = resolveConfig({ flags, env: {} })
  return { name, relays: values.relays, bootstrap: values.bootstrap }
}

async function createWordsFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw usage(`cannot create ${path} (${code})`, 'name a file that is not there yet, in a folder of yours')
  }
}

async function tellInit(
  { out }: Context,
  created: { id: string; name: string; words: string },
  wordsFile: string | undefined,
): Promise<void> {
  if (out.json) return out.object({ id: created.id, name: created.name, words: created.words })
  const next = ['', 'Next: `kith up` runs your node, `kith invite` makes a link for a friend.']
  const head = [`You are ${out.style('bold', sanitiseLine(created.name))}.`, `ID  ${created.id}`, '']
  if (wordsFile !== undefined) return out.lines([...head, `The 24 words are in ${sanitiseLine(wordsFile)}.`, ...next])
  return out.lines([
    ...head,
    'These 24 words are your identity, whatever happens to this machine. They are shown once: write them down and',
    'keep them from others.',
    '',
    ...wordRows(created.words.split(' ')),
    ...next,
  ])
}

const ROTATED = [
  'Your ID stays. The next root key speaks for it from now on, with new keys of this device; the old ones are revoked,',
  'and whatever is signed with them loses against your record.',
  'Your safety number with every friend is another one: who had compared it sees that it changed. Compare it again.',
  'Friends are told as soon as their node and yours are there, and may have to accept it before they write to you.',
]

async function rotate(context: Context, options: { wordsFile?: string }): Promise<void> {
  const { out } = context
  const words = await readWords(context, options.wordsFile)
  await withNode(context, { network: true, settle: true }, async ({ api, transient }) => {
    const { id, rotations } = await api.call('identity.rotate', { words })
    if (out.json) return out.object({ id, rotations })
    await out.lines([`ID  ${sanitiseLine(id)}`, '', ...ROTATED])
    if (transient) out.hint('`kith up` keeps a node running, which makes new sessions with your friends')
  })
}

async function showId(context: Context): Promise<void> {
  const { out } = context
  const { id, name, peerId, role } = await withNode(context, { network: false }, ({ api }) =>
    api.call('node.status', {}),
  )
  if (out.json) return out.object({ id, name, peerId, role })
  return out.lines(id === undefined ? [`relay ${peerId}`] : [id, sanitiseLine(name ?? '')])
}

async function showStatus(context: Context): Promise<void> {
  const { out } = context
  const home = homeOf(context)
  const session = await join(context, home)
  if (session === undefined) {
    throw new UsageError('NO_NODE', `no node runs on ${home}`, { hint: 'start it with `kith up`' })
  }
  try {
    const status = await session.api.call('node.status', {})
    const counters = status.role === 'relay' ? await session.api.call('relay.counters', {}) : undefined
    if (out.json) return await out.object({ ...status, ...(counters === undefined ? {} : { counters }) })
    await out.lines(statusLines(context, status))
    if (counters !== undefined) {
      await out.lines(table(Object.entries(counters).map(([name, value]) => [name, String(value)])))
    }
  } finally {
    session.api.close()
  }
}

function statusLines({ out }: Context, status: MethodResult<'node.status'>): string[] {
  const rows = [
    ...(status.id === undefined ? [] : [['you', `${sanitiseLine(status.name ?? '')}  ${status.id}`]]),
    ['running', `${status.role}, for ${shortTime(status.uptime)}`],
    ['peer', status.peerId],
    ['peers', status.peers === 0 ? out.style('yellow', 'none connected') : String(status.peers)],
  ]
  if (status.role === 'node') {
    rows.push(['friends', String(status.friends)], ['requests', String(status.requests)])
    rows.push(['not yet delivered', String(status.unacknowledged)])
  }
  return [
    ...table(rows),
    ...block('listening  ', status.addresses.length === 0 ? ['nowhere'] : status.addresses, undefined),
    ...status.relays.flatMap(({ address, connected, problem, standIn, leavesAt }) => [
      `relay  ${sanitiseLine(address)}${standIn === true ? '  (stands in: a friend reads there)' : ''}`,
      ...(leavesAt === undefined
        ? []
        : [`       ${out.style('yellow', `takes mail until ${localTime(leavesAt)} only`)}`]),
      connected
        ? `       ${out.style('green', 'connected')}`
        : `       ${out.style('red', 'not connected')}${problem === undefined ? '' : `: ${sanitiseLine(problem)}`}`,
    ]),
    ...status.problems.flatMap(({ message, hint }) => [
      ...block('wrong  ', [sanitiseLine(message)], undefined),
      ...block('       ', [sanitiseLine(hint)], undefined),
    ]),
  ]
}

function shortTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}
