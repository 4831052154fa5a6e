/**
 * `relay init|status|drain|ban|unban|limits`: what an operator asks and lays down. All but `init` speak to the relay that
 * runs on the home; what they change holds at once and over restarts.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { ApiClient } from '../../node/api/client.ts'
import type { MethodParams, MethodResult } from '../../node/api/methods.ts'
import { configText } from '../../node/config.ts'
import { ConfigError, NetworkError, UsageError } from '../../node/errors.ts'
import { configPath } from '../configuration.ts'
import { type Context, homeOf } from '../context.ts'
import { parseDuration } from '../duration.ts'
import { table } from '../layout.ts'
import { localTime } from '../local-time.ts'
import { join } from '../node-session.ts'
import { sanitiseLine } from '../sanitise.ts'
import type { Runner } from './command.ts'

type Settings = MethodResult<'relay.settings'>
type Counters = MethodResult<'relay.counters'>

const REFRESH_MS = 2000
const MEBIBYTE = 1024 ** 2

export function addRelayOperatorCommands(relay: Command, runner: Runner): void {
  relay
    .command('init')
    .description('write a configuration with every setting of a relay and what it means')
    .action(runner.action(init))
  relay
    .command('status')
    .description('what the relay holds, and what it may hold; on a terminal until Ctrl-C')
    .option('--once', 'say it and end')
    .action(runner.action(status))
  relay
    .command('drain')
    .description('announce the end: no new mailboxes from now on, no mail from then on')
    .argument('<when>', 'a duration from now such as 14d, a date such as 2027-01-31, or `never`', date)
    .action(runner.action(drain))
  relay
    .command('ban')
    .description('turn an address and its neighbours away')
    .argument('<source>', 'an IP address, or a prefix of /24 (IPv4) or /48 (IPv6)')
    .action(runner.action((context: Context, source: string) => change(context, 'relay.ban', { source })))
  relay
    .command('unban')
    .description('let them in again')
    .argument('<source>')
    .action(runner.action((context: Context, source: string) => change(context, 'relay.unban', { source })))
  const limits = relay
    .command('limits')
    .description('show the limits, or change some while the relay runs; `config` takes one back to the configuration')
  for (const [flag, key, meaning] of LIMITS) limits.option(`--${flag} <value>`, meaning, limit(key))
  limits.action(runner.action(changeLimits))
}

const LIMITS = [
  ['max-claims', 'maxClaims', 'mailboxes that it opens'],
  ['max-bytes', 'maxBytes', 'bytes on disk that it fills with mail'],
  ['max-days', 'maxDays', 'days that it keeps an envelope'],
  ['claim-bits', 'claimBits', 'work that a mailbox costs: each bit doubles it'],
] as const
type LimitKey = (typeof LIMITS)[number][1]

const FROM_CONFIGURATION = 'config'

/** A number, or the word that takes one back; commander has no use for null. */
function limit(key: LimitKey): (text: string) => number | typeof FROM_CONFIGURATION {
  return (text) => {
    if (text === FROM_CONFIGURATION) return text
    if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError(`${key}: expected a whole number, or \`config\``)
    return Number(text)
  }
}

/** Milliseconds since 1970, or null for never. */
function date(text: string): number | null {
  if (text === 'never') return null
  const seconds = parseDuration(text)
  if (seconds !== undefined) return Date.now() + seconds * 1000
  const time = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z?)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new InvalidArgumentError('expected 14d, 2027-01-31 or never')
  return time
}

async function init(context: Context): Promise<void> {
  const { out } = context
  const path = configPath(homeOf(context, 'relay'))
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await writeFile(path, configText('relay'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new ConfigError('EXISTS', `${path} is there already`, { hint: 'edit it, or move it away first' })
  }
  if (out.json) return out.object({ file: path })
  await out.lines([path])
  out.hint('each line is a comment that shows the default; `kith relay` starts with it as it is')
}

/** Runs `use` with the relay of this home. */
async function withRelay<T>(context: Context, use: (api: ApiClient) => Promise<T>): Promise<T> {
  const session = await join(context, homeOf(context, 'relay'))
  if (session === undefined) {
    throw new NetworkError('NODE_UNREACHABLE', 'no relay runs on this home', {
      hint: 'start it with `kith relay`, or name its --home',
    })
  }
  try {
    const { role } = await session.api.call('rpc.hello', {})
    if (role !== 'relay') throw new UsageError('WRONG_ROLE', 'the node of this home is no relay')
    return await use(session.api)
  } finally {
    session.api.close()
  }
}

async function status(context: Context, { once }: { once?: boolean }): Promise<void> {
  const { out, signal } = context
  await withRelay(context, async (api) => {
    const isLive = out.isTerminal && !out.json && once !== true
    for (let drawn = 0; ; ) {
      const [node, counters, settings] = await Promise.all([
        api.call('node.status', {}),
        api.call('relay.counters', {}),
        api.call('relay.settings', {}),
      ])
      if (out.json) return await out.object({ ...node, counters, settings })
      const lines = statusLines(node, counters, settings)
      if (!isLive) return await out.lines(lines)
      await out.redraw(lines, drawn)
      drawn = lines.length
      await sleep(REFRESH_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
    }
  })
}

function statusLines(node: MethodResult<'node.status'>, counters: Counters, settings: Settings): string[] {
  return [
    ...table([
      ['relay', node.peerId],
      ...node.addresses.map((address) => ['listening', address]),
      ['peers', String(node.peers)],
      [
        'mailboxes',
        `${counters.claims} of ${settings.maxClaims}, ${counters.used} in use, ${counters.holding} hold mail`,
      ],
      ['mail', `${counters.copies} envelopes, ${mebibytes(counters.bytes)} of ${mebibytes(settings.maxBytes)} MiB`],
      ['records', String(counters.records)],
      ['kept', `${settings.maxDays} days at most`],
      ['price', `${settings.claimBits} bits for a new mailbox`],
      ['turned away', settings.banned.length === 0 ? 'nobody' : settings.banned.join(' ')],
      ...(settings.drainAt === undefined ? [] : [['ends', `${localTime(settings.drainAt)}: ${leftOf(counters)}`]]),
    ]),
    ...node.problems.map(({ message, hint }) => `wrong: ${message} (${hint})`),
  ].map(sanitiseLine)
}

/** Who would lose something if the relay stopped now. */
function leftOf({ used, holding, copies }: Counters): string {
  if (used === 0) return 'safe to stop: 0 mailboxes left'
  return `${used} mailboxes left, ${holding} of them with ${copies} envelopes`
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1)
}

async function drain(context: Context, when: number | null): Promise<void> {
  const { out } = context
  await withRelay(context, async (api) => {
    const at = when === null ? null : new Date(when).toISOString()
    const settings = await api.call('relay.drain', { at })
    const counters = await api.call('relay.counters', {})
    if (out.json) return await out.object({ ...settings, counters })
    if (settings.drainAt === undefined) return await out.lines(['the relay stays'])
    await out.lines([`no new mailboxes from now on, no mail from ${localTime(settings.drainAt)} on`, leftOf(counters)])
    out.hint('`kith relay status` says how many mailboxes are left')
  })
}

async function change(
  context: Context,
  method: 'relay.ban' | 'relay.unban',
  params: { source: string },
): Promise<void> {
  const { out } = context
  await withRelay(context, async (api) => {
    const settings = await api.call(method, params)
    if (out.json) return await out.object(settings)
    await out.lines(settings.banned.length === 0 ? ['nobody is turned away'] : [...settings.banned])
  })
}

async function changeLimits(context: Context, options: Partial<Record<LimitKey, number | string>>): Promise<void> {
  const { out } = context
  const changes: MethodParams<'relay.limits'> = {}
  for (const [, key] of LIMITS) {
    const value = options[key]
    if (value !== undefined) changes[key] = typeof value === 'number' ? value : null
  }
  await withRelay(context, async (api) => {
    const isChange = Object.keys(changes).length > 0
    const settings = isChange ? await api.call('relay.limits', changes) : await api.call('relay.settings', {})
    const limits = Object.fromEntries(LIMITS.map(([, key]) => [key, settings[key]]))
    if (out.json) return await out.object(limits)
    await out.lines(table(LIMITS.map(([flag, key, meaning]) => [flag, String(settings[key]), meaning])))
  })
}
