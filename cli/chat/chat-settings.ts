/** What a person can change about the terminal chat, and the signs it draws. The values stand in the home's configuration. */
import type { Config } from '../../node/config.ts'
import type { DeliveryState } from '../../node/api/service.ts'
import { type KeyMap, keyMapOf } from './keys.ts'

export interface ChatSettings {
  readonly notify: Config['notify']
  readonly ascii: boolean
  readonly keys: KeyMap
}

export interface Symbols {
  readonly marks: Readonly<Record<DeliveryState | 'sending' | 'unsent', string>>
  readonly bar: string
  readonly rule: string
  readonly cut: string
  readonly on: string
  readonly off: string
  readonly down: string
}

const UNICODE: Symbols = {
  marks: {
    sending: '·',
    unsent: '✗',
    queued: '◌',
    sent: '→',
    custody: '✓',
    delivered: '✓✓',
    read: '✓✓',
    expired: '✗',
    failed: '✗',
  },
  bar: '│',
  rule: '─',
  cut: '…',
  on: '●',
  off: '○',
  down: '↓',
}

const ASCII: Symbols = {
  marks: {
    sending: '.',
    unsent: '!!',
    queued: 'o',
    sent: '>',
    custody: 'v',
    delivered: 'vv',
    read: 'vv',
    expired: '!!',
    failed: '!!',
  },
  bar: '|',
  rule: '-',
  cut: '~',
  on: '*',
  off: 'o',
  down: 'v',
}

export function symbolsOf({ ascii }: ChatSettings): Symbols {
  return ascii ? ASCII : UNICODE
}

/**
 * The settings of a run.
 * @throws ConfigError `CONFIG` when a key is bound to something that is none
 */
export function chatSettings(
  config: Pick<Config, 'notify' | 'symbols' | 'keys'>,
  env: Record<string, string | undefined>,
): ChatSettings {
  const ascii = config.symbols === 'ascii' || (config.symbols === 'auto' && !speaksUnicode(env))
  return { notify: config.notify, ascii, keys: keyMapOf(config.keys) }
}

/** By the locale, as other programs decide it; who names none has a terminal of this century. */
function speaksUnicode({ LC_ALL, LC_CTYPE, LANG }: Record<string, string | undefined>): boolean {
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '') ?? 'UTF-8'
  return /utf-?8/i.test(locale) || (!/^(C|POSIX)$/.test(locale) && !locale.includes('.'))
}
