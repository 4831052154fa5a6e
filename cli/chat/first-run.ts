/** The first `kith chat` on a machine: a name, a passphrase, the words; then the chat. Nothing else is asked. */
import { resolveConfig } from '../../node/config.ts'
import { type Context, homeOf, usage } from '../context.ts'
import { noIdentity } from '../node-session.ts'
import { readNewPassphrase } from '../passphrase.ts'
import { sanitiseLine } from '../sanitise.ts'
import { wordRows } from '../word-rows.ts'

/**
 * Makes an identity when the home has none.
 * @returns a context that knows the passphrase, so that it is not asked for once more
 * @throws UsageError `NO_IDENTITY` when there is nobody to be asked
 */
export async function firstRun(context: Context): Promise<Context> {
  const { asker, out, runtime } = context
  const home = homeOf(context)
  if (await runtime.hasIdentity(home)) return context
  if (asker === undefined || !out.isTerminal) throw noIdentity(home)
  await out.lines(['Welcome to Kith. Two questions, then you can write.', ''])
  const name = await asker.line('What should friends call you?')
  if (name === '') throw usage('a name is missing', 'start again: `kith chat`')
  const { values } = resolveConfig({ flags: { name }, env: context.env })
  const passphrase = await readNewPassphrase(context, 'global')
  out.note('making your keys; this takes a moment')
  const { relays, bootstrap } = values
  const { words } = await runtime.createIdentity({ home, name, passphrase, relays, bootstrap })
  await out.lines([
    '',
    `You are ${out.style('bold', sanitiseLine(name))}. These 24 words are your identity, whatever happens to this machine.`,
    'They are shown once: write them down and keep them from others.',
    '',
    ...wordRows(words.split(' ')),
    '',
  ])
  await asker.line('Press Enter once you have written them down.')
  return { ...context, asker: { ...asker, password: async () => passphrase } }
}
