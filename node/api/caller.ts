/**
 * Who calls the API, and what that caller may ask: everything on the unix socket, which only this user reaches; on HTTP
 * what the scopes of a token name, or everything for the person's own page. A caller may be limited to one conversation.
 */
import { UsageError } from '../errors.ts'

/** What a token may be good for. `admin` is all that changes who is a friend, what is trusted, and who may call. */
export const SCOPES = ['read', 'send', 'admin', 'metrics'] as const
export type Scope = (typeof SCOPES)[number]

export interface Caller {
  readonly scopes: ReadonlySet<Scope>
  /** ID of the friend whose conversation is all that this caller sees. */
  readonly conversation?: string
}

/** The person at this machine. */
export const EVERYTHING: Caller = { scopes: new Set(SCOPES) }

/** What a method asks of its caller; `none` is open to every caller that is known at all. */
export interface Demands {
  scope: Scope | 'none'
  /** A caller that is limited to one conversation may call it too, and gets what is of that conversation. */
  limited?: true
}

/** @throws UsageError `FORBIDDEN` when `caller` may not call a method */
export function checkCaller(caller: Caller, name: string, { scope, limited }: Demands): void {
  if (scope !== 'none' && !caller.scopes.has(scope)) {
    throw new UsageError('FORBIDDEN', `${name} needs the scope ${scope}`, { hint: 'make a token that has it' })
  }
  if (caller.conversation !== undefined && limited !== true) {
    throw new UsageError('FORBIDDEN', `${name} is not for a caller that is limited to one conversation`)
  }
}
