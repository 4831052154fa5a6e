/**
 * The configuration (CLI.md): one schema for config file, environment, flags and API. Precedence: flag, KITH_*, file,
 * default. Keys are flat and have one name everywhere: `logLevel` is `--log-level` and KITH_LOG_LEVEL. Nothing secret
 * belongs here. Reading the file and the environment is left to the caller; config-file.ts knows the file's syntax.
 */
import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { z } from 'zod'
import { readEntries, replaceEntry } from './config-file.ts'
import { ConfigError } from './errors.ts'
import * as limits from './limits.ts'
import { isLocalAddress } from './local-address.ts'

const DAY_MAX = 365

const oneLine = (maxBytes: number): z.ZodString =>
  z
    .string()
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'expected one line of text')
    .refine((value) => Buffer.byteLength(value) <= maxBytes, `expected at most ${maxBytes} bytes`)

const address = oneLine(limits.MAX_ADDRESS_BYTES).regex(
  /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^\s/]+(\/[^\s/]+)*$/,
  'expected a multiaddr such as /ip4/192.0.2.1/tcp/4301',
)
const peerAddress = address.regex(/\/p2p\/[1-9A-Za-z]+$/, 'expected a multiaddr that ends in /p2p/ and a peer ID')
const HTTP_ADDRESS = /^(?:off|(?:127\.0\.0\.1|\[::1\]):\d{1,5})$/
const count = z.int().min(1)

/** Every key with its check and its meaning. */
export const configSchema = z.strictObject({
  name: oneLine(limits.MAX_NAME_BYTES).min(1).optional().describe('what friends see when you knock'),
  listen: z.array(address).max(limits.MAX_CONFIG_ADDRESSES).describe('addresses to listen on'),
  announce: z.array(address).max(limits.MAX_CONFIG_ADDRESSES).describe('addresses to tell others beside those found'),
  bootstrap: z.array(peerAddress).max(limits.MAX_CONFIG_ADDRESSES).describe('peers through which the network is found'),
  relays: z.array(peerAddress).max(limits.MAX_RELAYS).describe('relays that keep mail for you'),
  network: z.enum(['lan', 'public']).describe('lan also talks to private addresses; public to global ones only'),
  profile: z.enum(['privacy', 'normal', 'light']).describe('how much is given away, and spent, for speed'),
  requests: z
    .enum(['invite', 'open'])
    .describe('who may ask to be your friend: who has an invite, or anybody who knows your ID'),
  direct: z
    .enum(['lan', 'always', 'never'])
    .describe('which addresses of this node friends are told, and which of theirs are dialled'),
  trust: z
    .enum(['pin', 'notify'])
    .describe('when the keys of a friend change: send nothing until you accept them, or only say so'),
  http: z
    .string()
    .regex(HTTP_ADDRESS, 'expected off, or an address of this machine such as 127.0.0.1:4380')
    .refine((value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65_535 || value === 'off', 'expected a port')
    .describe('where the API answers over HTTP beside its socket: off, 127.0.0.1:PORT or [::1]:PORT'),
  notify: z.enum(['off', 'bell', 'desktop']).describe('how the terminal chat tells of a message that is not in sight'),
  symbols: z.enum(['auto', 'unicode', 'ascii']).describe('the signs that the terminal chat draws'),
  keys: z
    .array(oneLine(64).regex(/^[a-z-]+=[!-~]+$/, 'expected a name of a key and a key, such as next-unread=alt+n'))
    .max(limits.MAX_CONFIG_KEYS)
    .describe('keys of the terminal chat that are others than those which `?` shows'),
  logLevel: z.enum(['error', 'warn', 'info', 'debug', 'trace']).describe('least severity that is logged'),
  relayMaxClaims: count.max(10_000_000).describe('mailboxes that a relay opens'),
  relayMaxBytes: count.max(Number.MAX_SAFE_INTEGER).describe('bytes on disk that a relay fills with mail'),
  relayMaxDays: count.max(DAY_MAX).describe('days that a relay keeps an envelope'),
  relayClaimBits: z
    .int()
    .min(0)
    .max(limits.MAX_PAID_BITS)
    .describe('work that a mailbox at a relay costs: each bit doubles it'),
  relayContact: oneLine(200).describe('how people reach the operator of this relay'),
})

export type Config = z.infer<typeof configSchema>
export type ConfigKey = keyof Config
export const CONFIG_KEYS = Object.keys(configSchema.shape) as ConfigKey[]

/** Keys that faces read for themselves: a node that runs has nothing to do with them. */
export const FACE_KEYS: ReadonlySet<ConfigKey> = new Set<ConfigKey>(['notify', 'symbols', 'keys'])

export interface Origin {
  from: 'flag' | 'environment' | 'file' | 'default'
  /** For people: `--listen`, `KITH_LISTEN`, `/…/config.toml:3`, `default`. */
  where: string
}

export interface ResolvedConfig {
  values: Config
  origins: Record<ConfigKey, Origin>
  /** For people: reserved keys, and variables that begin with KITH_ and mean nothing here: containers set such ones unasked. */
  warnings: string[]
}

export interface ConfigSources {
  /** Decides the default of `listen`. @default 'node' */
  role?: 'node' | 'relay'
  /** By key, for example `{ listen: ['/ip4/…'], logLevel: 'debug' }`; undefined is not given. */
  flags?: Partial<Record<ConfigKey, unknown>>
  env?: Record<string, string | undefined>
  /** The config file, when there is one. */
  file?: { path: string; text: string }
}

/** Of the same prefix, read elsewhere. */
const OTHER_VARIABLES = new Set(['KITH_HOME'])

/** Keys that are laid down and change nothing yet. */
const RESERVED: readonly ConfigKey[] = ['name']

/** `--log-level` for `logLevel`. */
export function flagName(key: ConfigKey): string {
  // one relay at a time is named there
  if (key === 'relays') return '--relay'
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** `KITH_LOG_LEVEL` for `logLevel`. Lists are separated by commas. */
export function variableName(key: ConfigKey): string {
  return `KITH_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/**
 * The configuration that holds, and where each value came from.
 * @throws ConfigError `CONFIG` for an unknown key or a value that does not fit; the text names flag, variable or file:line
 */
export function resolveConfig(sources: ConfigSources): ResolvedConfig {
  const { role = 'node', flags = {}, env = {}, file } = sources
  const found = new Map<ConfigKey, { value: unknown; origin: Origin }>()
  const take = (key: ConfigKey, raw: unknown, origin: Origin): void => {
    found.set(key, { value: checkValue(key, raw, origin.where), origin })
  }
  // From the weakest source to the strongest; all are checked, so that a mistake is found where it is hidden too.
  if (file !== undefined) {
    for (const entry of readEntries(file.text, file.path)) {
      const where = `${file.path}:${entry.line}`
      take(knownKey(entry.key, where), entry.value, { from: 'file', where })
    }
  }
  for (const key of CONFIG_KEYS) {
    const where = variableName(key)
    const value = env[where]
    // An empty variable is how many tools say that it is not set.
    if (value !== undefined && value !== '') take(key, fromText(key, value), { from: 'environment', where })
  }
  for (const [name, raw] of Object.entries(flags)) {
    const key = knownKey(name, 'flags')
    const where = flagName(key)
    if (raw !== undefined) take(key, typeof raw === 'string' ? fromText(key, raw) : raw, { from: 'flag', where })
  }
  const given = Object.fromEntries([...found].map(([key, { value }]) => [key, value])) as Partial<Config>
  const origin = (key: ConfigKey): Origin => found.get(key)?.origin ?? { from: 'default', where: 'default' }
  return {
    values: { ...defaults(role, given), ...given },
    origins: Object.fromEntries(CONFIG_KEYS.map((key) => [key, origin(key)])) as Record<ConfigKey, Origin>,
    warnings: [...unknownVariables(env), ...reservedKeys(found)],
  }
}

/**
 * The text of a config file with one key set, or removed when `raw` is undefined; `config set` writes it. Text is taken
 * as a variable's would be: lists are separated by commas.
 * @throws ConfigError `CONFIG` for an unknown key, a value that does not fit, or a text that is not TOML
 */
export function setConfigValue(text: string, name: string, raw: unknown): string {
  const key = knownKey(name, 'config set')
  if (raw === undefined) return replaceEntry(text, key, undefined)
  return replaceEntry(text, key, checkValue(key, typeof raw === 'string' ? fromText(key, raw) : raw, 'config set'))
}

/** A config file in which each key of a role stands as a comment: what it means, and its default. */
export function configText(role: 'node' | 'relay'): string {
  const values = defaults(role, {})
  const keys = CONFIG_KEYS.filter((key) => !RESERVED.includes(key) && isKeyOf(role, key))
  const entries = keys.map((key) => {
    const value = JSON.stringify(values[key] ?? '')
    return `# ${configSchema.shape[key].description}\n# ${key} = ${value}\n`
  })
  return `# The configuration of a ${role === 'relay' ? 'relay' : 'node'}. Take the # away before what you change; \`kith config check\` checks it.\n\n${entries.join('\n')}`
}

/** Keys that a relay has no use for, and the other way round. */
function isKeyOf(role: 'node' | 'relay', key: ConfigKey): boolean {
  if (key.startsWith('relay') && key !== 'relays') return role === 'relay'
  return role === 'node' || !PERSONAL.includes(key)
}

/** Of people's nodes alone. */
const PERSONAL: readonly ConfigKey[] = [
  'name',
  'relays',
  'profile',
  'requests',
  'direct',
  'trust',
  'notify',
  'symbols',
  'keys',
]

/**
 * The home directory: flag, KITH_HOME, or the system's place for data (`kith`, for a relay `kith-relay`).
 * @returns an absolute path
 */
export function homeDirectory(options: {
  flag?: string
  env?: Record<string, string | undefined>
  role?: 'node' | 'relay'
}): string {
  const given = options.flag ?? options.env?.['KITH_HOME']
  if (given === '') throw new ConfigError('CONFIG', 'expected a directory as home, got nothing')
  if (given !== undefined) return resolve(given)
  const name = options.role === 'relay' ? 'kith-relay' : 'kith'
  const dataHome = options.env?.['XDG_DATA_HOME']
  if (process.platform === 'linux' && dataHome?.startsWith('/')) return join(dataHome, name)
  return envPaths(name, { suffix: '' }).data
}

/** Whether every address is one that only this machine or its local network reaches. */
export function isLocalOnly(addresses: readonly string[]): boolean {
  return addresses.length > 0 && addresses.every((each) => isLocalAddress(each))
}

function defaults(role: 'node' | 'relay', given: Partial<Config>): Config {
  return {
    // A relay is found by its address: the port stays. A person's node takes any.
    listen: role === 'relay' ? ['/ip4/0.0.0.0/tcp/4301'] : ['/ip4/0.0.0.0/tcp/0'],
    announce: [],
    bootstrap: [],
    relays: [],
    network: isLocalOnly(given.listen ?? []) ? 'lan' : 'public',
    profile: 'normal',
    requests: 'invite',
    direct: given.profile === 'privacy' ? 'never' : 'lan',
    trust: 'pin',
    http: 'off',
    notify: 'off',
    symbols: 'auto',
    keys: [],
    logLevel: 'info',
    relayMaxClaims: 100_000,
    relayMaxBytes: 10 * 1024 ** 3,
    relayMaxDays: limits.MAX_ENVELOPE_DAYS,
    relayClaimBits: limits.CLAIM_POSTAGE_BITS,
    relayContact: '',
  }
}

function checkValue(key: ConfigKey, raw: unknown, where: string): Config[ConfigKey] {
  const result = configSchema.shape[key].safeParse(raw)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const at = issue!.path.length > 0 ? ` (item ${Number(issue!.path[0]) + 1})` : ''
  const message = issue!.message.charAt(0).toLowerCase() + issue!.message.slice(1)
  throw new ConfigError('CONFIG', `${where}: ${key}${at}: ${message}`, { hint: hintFor(key) })
}

function hintFor(key: ConfigKey): string {
  return `${key}: ${configSchema.shape[key].description ?? 'see kith config show'}`
}

function knownKey(name: string, where: string): ConfigKey {
  if (Object.hasOwn(configSchema.shape, name)) return name as ConfigKey
  const close = nearest(name, CONFIG_KEYS)
  let hint = close === undefined ? `known: ${CONFIG_KEYS.join(', ')}` : `did you mean ${close}?`
  if (/pass|secret|words|token|seed/i.test(name)) hint = 'secrets do not belong into the configuration'
  throw new ConfigError('CONFIG', `${where}: unknown key ${JSON.stringify(name.slice(0, 64))}`, { hint })
}

/** Text of a variable or a flag in the type that the key wants; what does not fit stays text for the check to refuse. */
function fromText(key: ConfigKey, text: string): unknown {
  const wanted = configSchema.shape[key]
  if (wanted instanceof z.ZodArray) return text.split(/[\s,]+/).filter((item) => item !== '')
  if (wanted instanceof z.ZodNumber) return /^\d{1,16}$/.test(text) ? Number(text) : text
  return text
}

function unknownVariables(env: Record<string, string | undefined>): string[] {
  const known = CONFIG_KEYS.map((key) => variableName(key))
  return Object.keys(env)
    .filter((name) => name.startsWith('KITH_') && !known.includes(name) && !OTHER_VARIABLES.has(name))
    .map((name) => {
      const close = nearest(name, known)
      return `${name} means nothing to kith${close === undefined ? '' : `; did you mean ${close}?`}`
    })
}

function reservedKeys(found: ReadonlyMap<ConfigKey, { origin: Origin }>): string[] {
  return RESERVED.filter((key) => found.has(key)).map(
    (key) => `${found.get(key)!.origin.where}: ${key} is reserved and changes nothing yet`,
  )
}

/** The candidate that the fewest typing mistakes turn into `word`, or undefined when none is near. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > 64) return undefined
  let best: string | undefined
  let least = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = mistakes(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}

/** Levenshtein's distance. */
function mistakes(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
