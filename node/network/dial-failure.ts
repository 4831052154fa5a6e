/** Why a peer was not reached, in few words for the person at the keyboard: libp2p's errors are many and nested. */

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOTFOUND: 'name not found',
  ETIMEDOUT: 'timed out',
  TimeoutError: 'timed out',
  UnexpectedPeerError: 'not the expected peer',
  EncryptionFailedError: 'not the expected peer',
  UnsupportedProtocolError: 'serves no mailboxes',
  NoValidAddressesError: 'no address that this node can dial',
  DialDeniedError: 'dialling is not allowed',
  AbortError: 'this node stops',
}

/** A short reason why somebody is not reached, found in an error, in what it gathers, or in its cause. */
export function dialFailure(error: unknown): string {
  const seen = [error]
  for (let i = 0; i < seen.length && i < 16; i++) {
    const one = seen[i]
    if (!(one instanceof Error)) continue
    const reason = REASONS[(one as NodeJS.ErrnoException).code ?? ''] ?? REASONS[one.name]
    if (reason !== undefined) return reason
    if (one instanceof AggregateError) seen.push(...one.errors)
    seen.push(one.cause)
  }
  return error instanceof Error ? error.name : 'unknown error'
}
