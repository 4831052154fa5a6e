/** Exit statuses of `kith`, a contract with scripts, and which error ends with which. */
import { ConfigError, KithError, NetworkError } from '../node/errors.ts'

export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  untrusted: 4,
  network: 5,
  locked: 6,
  interrupted: 130,
} as const
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT]

/** What `kith help exit-codes` says. */
export const EXIT_MEANINGS: [ExitStatus, string][] = [
  [EXIT.done, 'done (a message that is queued counts as done)'],
  [EXIT.refused, 'refused or failed'],
  [EXIT.usage, 'wrong usage or configuration'],
  [EXIT.unreachable, 'no node can be reached, or the data directory is in use'],
  [EXIT.untrusted, 'a key has changed or is not trusted'],
  [EXIT.network, 'network failure or time-out'],
  [EXIT.locked, 'locked: no passphrase, or a wrong one'],
  [EXIT.interrupted, 'interrupted'],
]

const BY_CODE: Record<string, ExitStatus> = {
  USAGE: EXIT.usage,
  INVALID_PARAMS: EXIT.usage,
  NO_IDENTITY: EXIT.usage,
  NO_VAULT: EXIT.usage,
  HOME_UNSAFE: EXIT.usage,
  WRONG_ROLE: EXIT.usage,
  WEAK_PASSPHRASE: EXIT.usage,
  WORDS_NEEDED: EXIT.usage,
  BAD_WORDS: EXIT.usage,
  HOME_IN_USE: EXIT.unreachable,
  NO_NODE: EXIT.unreachable,
  NODE_GONE: EXIT.unreachable,
  NODE_UNREACHABLE: EXIT.unreachable,
  NOT_TRUSTED: EXIT.untrusted,
  KEY_CHANGED: EXIT.untrusted,
  WRONG_PASSPHRASE: EXIT.locked,
  PASSPHRASE_NEEDED: EXIT.locked,
}

/** A signal, or Ctrl-C at a prompt, ended the command. */
export class InterruptedError extends KithError {
  constructor() {
    super('INTERRUPTED', 'interrupted')
  }
}

/** Whoever read standard output has closed it; nothing is wrong. */
export class OutputClosedError extends KithError {
  constructor() {
    super('OUTPUT_CLOSED', 'standard output was closed')
  }
}

export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof InterruptedError) return EXIT.interrupted
  if (error instanceof OutputClosedError) return EXIT.done
  if (!(error instanceof KithError)) return EXIT.refused
  const known = BY_CODE[error.code]
  if (known !== undefined) return known
  if (error instanceof ConfigError) return EXIT.usage
  if (error instanceof NetworkError) return EXIT.network
  return EXIT.refused
}
