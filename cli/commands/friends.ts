/** `add`, `requests`, `accept`, `decline`, `block`, `unfriend`, `friends`, `verify`, `trust`: who may write to me. */
import type { Command } from 'commander'
import { renderUnicodeCompact } from 'uqr'
import type { MethodResult } from '../../node/api/methods.ts'
import { UsageError } from '../../node/errors.ts'
import { type Context, usage } from '../context.ts'
import { block, table } from '../layout.ts'
import { type NodeSession, withNode } from '../node-session.ts'
import { sanitiseLine, sanitiseLines } from '../sanitise.ts'
import { localTime } from '../local-time.ts'
import type { Runner } from './command.ts'

type Contact = MethodResult<'friend.add'>

export function addFriendCommands(program: Command, runner: Runner): void {
  program
    .command('add')
    .description('send a friend request')
    .argument('<invite|id>', 'an invite, or an ID of somebody who takes requests from anybody')
    .option('--as <petname>', 'what you call them')
    .option('--note <text>', 'a word with the request')
    .action(runner.action(add))
  program.command('requests').description('who asks to be a friend').action(runner.action(listRequests))
  program
    .command('accept')
    .description('make a requester a friend')
    .argument('<who>')
    .option('--as <petname>', 'what you call them')
    .action(runner.action(accept))
  const plain: [string, string, 'request.decline' | 'friend.block' | 'friend.remove'][] = [
    ['decline', 'drop a request', 'request.decline'],
    ['block', 'take nothing more from them', 'friend.block'],
    ['unfriend', 'end a friendship', 'friend.remove'],
  ]
  for (const [name, description, method] of plain) {
    program
      .command(name)
      .description(description)
      .argument('<who>')
      .action(
        runner.action(async (context: Context, who: string) => {
          const settled = { network: true, settle: true }
          const contact = await withNode(context, settled, ({ api }) => api.call(method, { who }))
          await tellContact(context, contact, `${sanitiseLine(who)}: ${DONE[method]}`)
        }),
      )
  }
  program.command('friends').description('everybody you know').action(runner.action(listFriends))
  program
    .command('verify')
    .description('compare the safety number with a friend')
    .argument('<who>')
    .option('--confirm', 'the numbers are the same: mark the friend as verified')
    .option('--number <number>', 'the number that the friend reads out; with --confirm')
    .action(runner.action(verify))
  program
    .command('trust')
    .description('accept the changed keys of a friend as they are; comparing (`verify`) is safer')
    .argument('<who>')
    .action(runner.action(trust))
}

const DONE = {
  'request.decline': 'declined',
  'friend.block': 'blocked',
  'friend.remove': 'no friend any more',
} as const

async function add(context: Context, target: string, options: { as?: string; note?: string }): Promise<void> {
  await withNode(context, { network: true, settle: true }, async ({ api, transient }) => {
    const params = { target, ...given('petname', options.as), ...given('note', options.note) }
    const contact = await api.call('friend.add', params).catch(withInviteHint)
    const friend = contact.state === 'friend'
    await tellContact(context, contact, friend ? 'You are friends.' : asked(contact))
    if (!friend && transient) context.out.hint('`kith up` keeps a node running, which hears the answer')
  })
}

function asked({ reason }: Contact): string {
  if (reason === undefined) return 'Request sent; it waits for their answer.'
  return `Request stored: ${sanitiseLine(reason)}. A running node goes on looking.`
}

function withInviteHint(error: unknown): never {
  if (error instanceof UsageError && error.code === 'INVITE_NEEDED') {
    throw new UsageError(error.code, error.message, { hint: 'ask them for an invite: `kith invite` makes one' })
  }
  throw error
}

async function accept(context: Context, who: string, options: { as?: string }): Promise<void> {
  const contact = await withNode(context, { network: true, settle: true }, ({ api }) =>
    api.call('request.accept', { who, ...given('petname', options.as) }),
  )
  await tellContact(context, contact, `${sanitiseLine(options.as ?? who)}: accepted`)
}

async function tellContact({ out }: Context, contact: Contact, text: string): Promise<void> {
  if (out.json) return out.object(contact)
  return out.lines([text])
}

async function listRequests(context: Context): Promise<void> {
  const { out } = context
  const requests = await withNode(context, { network: false }, ({ api }) => api.call('request.list', {}))
  if (out.json) {
    for (const request of requests) await out.object(request)
    return
  }
  if (requests.length === 0) return out.note('nobody asks')
  for (const { id, name, note, receivedAt } of requests) {
    const head = [sanitiseLine(id), `  calls themselves ${sanitiseLine(name)}, ${localTime(receivedAt)}`]
    await out.lines([...head, ...(note === '' ? [] : block('  note: ', sanitiseLines(note), out.columns))])
  }
  out.hint('`kith accept WHO --as PETNAME` or `kith decline WHO`')
}

async function listFriends(context: Context): Promise<void> {
  const { out } = context
  const friends = await withNode(context, { network: false }, ({ api }) => api.call('friend.list', {}))
  if (out.json) {
    for (const friend of friends) await out.object(friend)
    return
  }
  if (friends.length === 0) {
    out.note('no friends yet')
    return out.hint('`kith invite` makes a link for one')
  }
  const rows = friends.map(
    ({ id, petname, name, state, reason, trust: trusted, keysChanged, freshness, online, unread }) => [
      sanitiseLine(petname),
      name === petname ? '' : `“${sanitiseLine(name)}”`,
      reason === undefined ? state : `${state}: ${sanitiseLine(reason)}`,
      freshness === undefined ? trustText(trusted, keysChanged === true) : 'freshness unconfirmed',
      online ? 'online' : '',
      unread === 0 ? '' : `${unread} new`,
      sanitiseLine(id),
    ],
  )
  return out.lines(table(rows))
}

function trustText(trusted: MethodResult<'friend.list'>[number]['trust'], keysChanged: boolean): string {
  const texts = { unverified: '', verified: 'verified', changed: 'was verified, the number changed' }
  return [texts[trusted], keysChanged ? 'keys changed' : ''].filter((text) => text !== '').join(', ')
}

async function verify(context: Context, who: string, options: { confirm?: boolean; number?: string }): Promise<void> {
  if (options.number !== undefined && options.confirm !== true) {
    throw usage('--number needs --confirm', 'kith verify WHO --confirm --number N')
  }
  const { out } = context
  await withNode(context, { network: false }, async (session) => {
    const shown = await session.api.call('friend.verify', { who })
    if (options.confirm !== true) {
      if (out.json) return out.object(shown)
      await out.lines(numberLines(context, shown))
      if (!shown.verified) out.hint('compare it with the friend over another way, then `kith verify WHO --confirm`')
      return
    }
    const number = options.number === undefined ? undefined : digits(options.number)
    if (number === undefined) await askEqual(context, shown)
    const confirmed = await confirm(session, who, number ?? shown.safetyNumber)
    if (out.json) return out.object(confirmed)
    return out.lines([`${sanitiseLine(who)}: ${out.style('green', 'verified')}`])
  })
}

async function trust(context: Context, who: string): Promise<void> {
  const { out } = context
  // what waited for this leaves at once
  const accepted = await withNode(context, { network: true, settle: true }, ({ api }) =>
    api.call('friend.trust', { who }),
  )
  if (out.json) return out.object(accepted)
  const compared = accepted.verified ? '' : '; nobody compared the safety number'
  return out.lines([`${sanitiseLine(who)}: their keys are accepted${compared}`])
}

function confirm({ api }: NodeSession, who: string, number: string): Promise<Verified> {
  return api.call('friend.verify', { who, confirm: true, number })
}

type Verified = MethodResult<'friend.verify'>

async function askEqual(context: Context, shown: Verified): Promise<void> {
  if (context.asker === undefined) {
    throw new UsageError('NOT_TRUSTED', 'nobody compared the safety numbers', {
      hint: 'without a terminal give the number that the friend reads out: --confirm --number N',
    })
  }
  await context.out.lines(numberLines(context, shown))
  const answer = await context.asker.line('Does your friend see the same number? Type yes or no:')
  if (answer.toLowerCase() !== 'yes') {
    throw new UsageError('NOT_TRUSTED', 'not confirmed', {
      hint: 'when the numbers differ, somebody stands between you: do not trust this contact',
    })
  }
}

function numberLines({ out }: Context, { safetyNumber, verified }: Verified): string[] {
  const groups = digits(safetyNumber).match(/.{1,5}/g) ?? []
  const rows = [0, 4, 8].map((start) => `  ${groups.slice(start, start + 4).join(' ')}`)
  const code = out.isTerminal ? ['', ...renderUnicodeCompact(digits(safetyNumber)).split('\n')] : []
  return [...rows, ...code, verified ? out.style('green', 'verified') : 'not verified yet']
}

/** People read numbers out in groups. */
function digits(text: string): string {
  return text.replace(/[\s.-]/g, '')
}

function given<K extends string>(key: K, value: string | undefined): { [key in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: string })
}
