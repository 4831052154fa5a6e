/**
 * The log: one JSON object a line (pino), to a file of bounded size or to stderr, behind the Logger port; and the same
 * log in the form that libp2p wants, without importing libp2p. What may stand in it is log-scrubber.ts's.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { pino } from 'pino'
import { MAX_LOG_BYTES } from './limits.ts'
import { scrubText, scrubValue } from './log-scrubber.ts'
import type { Logger } from './ports.ts'

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Takes finished lines. `process.stderr` is one. */
export interface LogSink {
  write(line: string): unknown
}

/** libp2p's Logger: a function with methods. What it calls an error is a peer's or the network's, so it is logged as debug. */
export interface ComponentLog {
  (formatter: unknown, ...args: unknown[]): void
  error(formatter: unknown, ...args: unknown[]): void
  trace(formatter: unknown, ...args: unknown[]): void
  enabled: boolean
  newScope(name: string): ComponentLog
}

/** libp2p's ComponentLogger. */
export interface ComponentLogger {
  forComponent(name: string): ComponentLog
}

export interface LoggerInit {
  /** @default 'info' */
  level?: LogLevel
  sink: LogSink
}

/** The Logger port and libp2p's ComponentLogger over one sink. At `debug` and `trace` addresses and peer IDs are shown. */
export function createLogger(init: LoggerInit): Logger & ComponentLogger {
  const { level = 'info', sink } = init
  const debugging = level === 'debug' || level === 'trace'
  const log = pino(
    {
      level,
      base: null, // no process ID and no host name
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => void sink.write(line) },
  )
  const write = (severity: LogLevel, message: string, detail?: Record<string, unknown>): void => {
    if (!log.isLevelEnabled(severity)) return
    // Under a key of its own, so that no detail can pass for the time or the message.
    const fields = detail === undefined ? {} : { detail: scrubValue(detail, debugging) }
    log[severity](fields, '%s', scrubText(message, debugging))
  }
  const component = (name: string): ComponentLog => {
    const at =
      (severity: LogLevel) =>
      (formatter: unknown, ...args: unknown[]): void => {
        if (log.isLevelEnabled(severity)) write(severity, format(formatter, args), { component: name })
      }
    return Object.assign(at('debug'), {
      error: at('debug'),
      trace: at('trace'),
      enabled: log.isLevelEnabled('debug'),
      newScope: (scope: string) => component(`${name}:${scope}`),
    })
  }
  return {
    debug: (message, detail) => write('debug', message, detail),
    info: (message, detail) => write('info', message, detail),
    warn: (message, detail) => write('warn', message, detail),
    error: (message, detail) => write('error', message, detail),
    forComponent: component,
  }
}

/** A log file (0600) that never holds more than `maxBytes`; a full one is renamed to `<path>.1`, over the one before. A line that the disk refuses is counted, not thrown. */
export function openLogFile(path: string, maxBytes = MAX_LOG_BYTES): LogSink & { close(): void } {
  let file: number | undefined
  let size = 0
  let dropped = 0
  const open = (): void => {
    file = openSync(path, 'a', 0o600)
    size = fstatSync(file).size
  }
  const close = (): void => {
    if (file !== undefined) closeSync(file)
    file = undefined
  }
  open()
  return {
    write(line) {
      try {
        if (file === undefined) open()
        if (size > 0 && size + Buffer.byteLength(line) > maxBytes) {
          close()
          renameSync(path, `${path}.1`)
          open()
        }
        size += writeSync(file!, dropped === 0 ? line : `{"level":"warn","msg":"${dropped} lines were lost"}\n${line}`)
        dropped = 0
      } catch {
        dropped++ // a full disk must not stop the node; the next line that fits says so
      }
    },
    close,
  }
}

/** libp2p's format letters: `%p` peer ID, `%a` multiaddr, `%b %t %m` bytes, `%c` CID, `%k` key, `%e` error, `%o %j` any. */
function format(formatter: unknown, args: unknown[]): string {
  const rest = [...args]
  const text = typeof formatter === 'string' ? formatter : show(formatter)
  const filled = text.replaceAll(/%([a-zA-Z%])/g, (found, letter: string) =>
    letter === '%' ? '%' : rest.length > 0 ? show(rest.shift()) : found,
  )
  return [filled, ...rest.map(show)].join(' ')
}

function show(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  const plain = scrubValue(value, true)
  return typeof plain === 'string' ? plain : (JSON.stringify(plain) ?? 'undefined')
}
