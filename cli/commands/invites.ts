/** `invite`, `invites`, `invite revoke`: links that let somebody knock. */
import type { Command } from 'commander'
import { renderUnicodeCompact } from 'uqr'
import { MAX_REQUESTS_PER_INVITE, MIN_INVITE_SECONDS } from '../../node/limits.ts'
import { type Context, usage } from '../context.ts'
import { table } from '../layout.ts'
import { localTime } from '../local-time.ts'
import { withNode } from '../node-session.ts'
import { duration, type Runner, wholeNumber } from './command.ts'

export function addInviteCommands(program: Command, runner: Runner): void {
  const invite = program
    .command('invite')
    .description('make a link that lets others knock')
    .option('--expires <duration>', 'how long it lives (default 7d)', duration)
    .option('--uses <number>', 'friends that it can make (default 1)', wholeNumber(1, MAX_REQUESTS_PER_INVITE))
    .option('--qr', 'show it as a QR code too')
    .action(runner.action(create))
  invite
    .command('revoke')
    .description('end an invite')
    .argument('<invite>', 'its short name in `kith invites`, or the link')
    .action(runner.action(revoke))
  program.command('invites').description('invites that are alive').action(runner.action(list))
}

async function create(context: Context, options: { expires?: number; uses?: number; qr?: boolean }): Promise<void> {
  const { out } = context
  if (options.expires !== undefined && options.expires < MIN_INVITE_SECONDS) throw usage('--expires is at least 1m')
  await withNode(context, { network: true, settle: true }, async ({ api, transient }) => {
    const created = await api.call('invite.create', {
      ...(options.expires === undefined ? {} : { expiresInSeconds: options.expires }),
      ...(options.uses === undefined ? {} : { uses: options.uses }),
    })
    if (out.json) return out.object(created)
    await out.lines([created.invite])
    if (options.qr === true) await out.lines(renderUnicodeCompact(created.invite).split('\n'))
    out.note(`valid until ${localTime(created.expires)}; who has it can knock, nothing more`)
    if (transient) out.hint('`kith up` keeps a node running, which hears who knocks')
  })
}

async function revoke(context: Context, name: string): Promise<void> {
  const { out } = context
  const revoked = await withNode(context, { network: true, settle: true }, ({ api }) =>
    api.call('invite.revoke', { inviteId: name }),
  )
  if (out.json) return out.object(revoked)
  return out.lines(['revoked'])
}

async function list(context: Context): Promise<void> {
  const { out } = context
  const invites = await withNode(context, { network: false }, ({ api }) => api.call('invite.list', {}))
  if (out.json) {
    for (const invite of invites) await out.object(invite)
    return
  }
  if (invites.length === 0) return out.note('no invites')
  const rows = invites.map(({ inviteId, expires, used, invite }) => [
    inviteId,
    `until ${localTime(expires)}`,
    `used ${used}`,
    invite,
  ])
  return out.lines(table(rows))
}
