/**
 * Errors of Kith: one base class with a stable `code`, subclasses by who is at fault.
 * Texts are lower case, name what was expected and what came, and never hold a secret, a key or a message.
 */

export interface KithErrorOptions {
  /** What to do about it, in one sentence for the person at the keyboard. */
  hint?: string
  cause?: unknown
}

/** Base of every error that Kith throws on purpose. Compare `code`, never the text. */
export class KithError extends Error {
  readonly code: string
  readonly hint: string | undefined

  constructor(code: string, message: string, options: KithErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
  }
}

/** The caller's fault: a wrong argument, an unknown friend, a state that does not allow the call. */
export class UsageError extends KithError {}

/** Configuration or a file of the user's is wrong. */
export class ConfigError extends KithError {}

/** Bytes from somebody else that are malformed, oversized, expired or not allowed. */
export class PeerError extends KithError {}

/** Bytes that do not authenticate: one indistinct error for every failed decryption that a peer can observe. */
export class ForgedError extends KithError {
  constructor() {
    super('FORGED', 'does not open')
  }
}

/** The database, the vault or the disk. */
export class StoreError extends KithError {}

/** A peer or a server cannot be reached, or did not answer in time. */
export class NetworkError extends KithError {}

/** A bug of ours. */
export class InternalError extends KithError {}

/** The text of whatever was thrown, for the log. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
