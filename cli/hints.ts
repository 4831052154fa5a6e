/** What to do about an error that does not say so itself: every error of `kith` ends with a hint. */
import { EXIT, exitStatusOf } from './exit-status.ts'

const BY_CODE: Record<string, string> = {
  USAGE: '`kith help COMMAND` shows what it takes',
  INVALID_PARAMS: '`kith help COMMAND` shows what it takes',
  CONFIG: '`kith config show --origin` says what holds and where it stands',
  WRONG_PASSPHRASE: 'check the passphrase, and that --home or KITH_HOME names the home you mean',
  WRONG_STATE: '`kith friends` and `kith requests` show how things stand',
  WRONG_ROLE: 'name the home that you mean with --home or KITH_HOME',
  BAD_INVITE: 'an invite is made by one person with `kith invite`, and used by another',
  UNKNOWN_MESSAGE: '`kith history WHO --json` shows the IDs of messages',
  TOO_LONG: 'shorten it, or send it in parts',
  TOO_MANY: 'wait until there are fewer, or end some: `kith status` shows how many wait',
  NOT_TEXT: 'only text can be sent',
  NOT_SENT: '`kith history WHO` shows why',
}

/** A hint for whatever ended a command. */
export function hintFor(error: unknown): string {
  const { code } = error as { code?: unknown }
  const known = typeof code === 'string' && Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined
  if (known !== undefined) return known
  const status = exitStatusOf(error)
  if (status === EXIT.usage) return '`kith help COMMAND` shows what it takes'
  if (status === EXIT.network || status === EXIT.unreachable) return '`kith status` shows how the node is connected'
  return 'with -v it says where it came from; node.log in the home may say more'
}
