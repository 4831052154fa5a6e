/** An error as a sentence for people. */
import { PageError } from '../api/client.ts'
import { sanitiseLine } from '../../sanitise.ts'
import { notice } from './page.ts'

/** What to do, where the node's own hint speaks of a terminal or of nothing. */
const HINTS: Record<string, string> = {
  NODE_GONE: 'The node does not answer. It is looked for all the time.',
  NO_SESSION: 'The node does not know this page any more. Open it again with `kith ui`.',
  WRONG_PASSPHRASE: 'That is not the passphrase.',
  NO_RELAY: 'There is no relay yet that would keep mail. Name one in the settings.',
  BAD_INVITE: 'That is no invite. Copy it whole, from the first letter to the last.',
  INVITE_EXPIRED: 'That invite is over. Ask for a new one.',
  KEY_CHANGED: 'Their keys changed. Compare the safety number, or accept the new keys, before you write.',
  NOT_A_FRIEND: 'You are not friends yet, or not any more.',
  NOT_TRUSTED: 'The numbers differ. Do not trust this conversation before you know why.',
  TOO_LONG: 'That is too long for one message.',
}

export function failureText(error: unknown): string {
  if (!(error instanceof PageError)) return 'Something went wrong in this page.'
  const told = HINTS[error.code]
  if (told !== undefined) return told
  const sentence = sanitiseLine(error.message)
  const hint = error.hint === undefined ? '' : ` (${sanitiseLine(error.hint)})`
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${hint}.`
}

/** Says what went wrong, at the foot of the page. */
export function tellFailure(error: unknown): void {
  notice.value = { text: failureText(error), isProblem: true }
}

export function tell(text: string): void {
  notice.value = { text, isProblem: false }
}

/** Runs what a click began; what goes wrong is told. @returns whether it went well */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    tellFailure(error)
    return false
  }
}
