/** `bot`: tokens for programs that call over HTTP. A token is shown once; what is kept of it opens nothing. */
import { type Command, Option } from 'commander'
import { SCOPES, type Scope } from '../../node/api/caller.ts'
import type { ApiClient } from '../../node/api/client.ts'
import type { MethodResult } from '../../node/api/methods.ts'
import { UsageError } from '../../node/errors.ts'
import type { Context } from '../context.ts'
import { table } from '../layout.ts'
import { localTime } from '../local-time.ts'
import { withNode } from '../node-session.ts'
import { sanitiseLine } from '../sanitise.ts'
import type { Runner } from './command.ts'

type Bot = MethodResult<'token.list'>[number]

export function addBotCommands(program: Command, runner: Runner): void {
  const bot = program.command('bot').description('tokens for programs that call over HTTP')
  bot
    .command('new')
    .description('make a token; it is shown this once')
    .argument('<name>', 'what you call the program')
    .addOption(
      new Option('--scope <scope>', 'what it may do (repeatable)')
        .choices(SCOPES)
        .argParser<Scope[]>((scope, before: Scope[] | undefined) => [...(before ?? []), scopeOf(scope)])
        .makeOptionMandatory(),
    )
    .option('--conversation <who>', 'the friend whose conversation is all that it sees')
    .action(runner.action(create))
  bot.command('list').description('tokens that are good').action(runner.action(list))
  bot
    .command('revoke')
    .description('end a token at once')
    .argument('<bot>', 'its name, or the ID in `kith bot list`')
    .action(runner.action(revoke))
}

function scopeOf(text: string): Scope {
  const scope = SCOPES.find((each) => each === text)
  if (scope === undefined)
    throw new UsageError('USAGE', `no scope ${JSON.stringify(text)}`, { hint: SCOPES.join(', ') })
  return scope
}

async function create(
  context: Context,
  name: string,
  options: { scope: Scope[]; conversation?: string },
): Promise<void> {
  const { out } = context
  await withNode(context, { network: false }, async ({ api }) => {
    const scopes = [...new Set(options.scope)]
    const { conversation } = options
    const made = await api.call('token.create', { name, scopes, ...(conversation !== undefined && { conversation }) })
    if (out.json) return out.object({ ...made, name, scopes })
    await out.lines([made.token])
    out.note('it is not shown again; who has it may do this until `kith bot revoke`')
    out.hint('`kith up --http 127.0.0.1:4380` answers it: Authorization: Bearer TOKEN')
  })
}

async function list(context: Context): Promise<void> {
  const { out } = context
  await withNode(context, { network: false }, async ({ api }) => {
    const bots = await botsOf(api)
    if (out.json) {
      for (const bot of bots) await out.object(bot)
      return
    }
    if (bots.length === 0) return out.note('no bots')
    const friends = new Map((await api.call('friend.list', {})).map(({ id, petname }) => [id, petname]))
    await out.lines(
      table(
        bots.map(({ tokenId, name, scopes, conversation, createdAt }) => [
          tokenId,
          sanitiseLine(name),
          scopes.join(' '),
          conversation === undefined ? '' : `only ${sanitiseLine(friends.get(conversation) ?? conversation)}`,
          `since ${localTime(createdAt)}`,
        ]),
      ),
    )
  })
}

async function revoke(context: Context, named: string): Promise<void> {
  const { out } = context
  const revoked = await withNode(context, { network: false }, async ({ api }) => {
    const found = (await botsOf(api)).filter(({ tokenId, name }) => tokenId === named || name === named)
    if (found.length > 1) {
      throw new UsageError('AMBIGUOUS', `${found.length} bots have this name`, {
        hint: 'name the ID in `kith bot list`',
      })
    }
    const [bot] = found
    if (!bot) throw new UsageError('UNKNOWN_TOKEN', 'no bot has this name', { hint: '`kith bot list` lists them' })
    return await api.call('token.revoke', { tokenId: bot.tokenId })
  })
  if (out.json) return out.object(revoked)
  return out.lines(['revoked'])
}

/** Pages in browsers have tokens too; they are no bots. */
async function botsOf(api: ApiClient): Promise<Bot[]> {
  return (await api.call('token.list', {})).filter(({ isPage }) => !isPage)
}
