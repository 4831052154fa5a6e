/** `send`, `history` and `trace`: writing to a friend, what was written, and which way it took. */
import type { Readable } from 'node:stream'
import { type Command, Option } from 'commander'
import type { MethodResult } from '../../node/api/methods.ts'
import { DELIVERY_STATES, type DeliveryState } from '../../node/api/service.ts'
import { NetworkError, UsageError } from '../../node/errors.ts'
import { MAX_HISTORY_PAGE, MAX_TEXT_BYTES, MAX_WAIT_SECONDS } from '../../node/limits.ts'
import { type Context, usage } from '../context.ts'
import { EXIT, type ExitStatus } from '../exit-status.ts'
import { block } from '../layout.ts'
import { localTime } from '../local-time.ts'
import { interruptible, type NodeSession, withNode } from '../node-session.ts'
import type { Output, Style } from '../output.ts'
import { sanitiseLine, sanitiseLines } from '../sanitise.ts'
import { duration, type Runner, wholeNumber } from './command.ts'

type TraceStep = MethodResult<'message.trace'>['steps'][number]
type Message = MethodResult<'history.list'>['messages'][number]

/** States that `--wait` takes. */
const WAITABLE = ['queued', 'custody', 'delivered'] as const

interface SendOptions {
  wait?: (typeof WAITABLE)[number]
  timeout?: number
}

/** A node that ends with its command first tries to bring the message to relays. */
const SHORT_LIVED_WAIT_SECONDS = 10
const DEFAULT_TIMEOUT_SECONDS = 30
/** `published` and `delivered`: the longest words for a step. */
const LONGEST_STEP = 9

export function addMessageCommands(program: Command, runner: Runner): void {
  program
    .command('send')
    .description('write to a friend')
    .argument('<who>')
    .argument('[text]', 'the message; - or nothing reads standard input')
    .addOption(new Option('--wait <state>', 'wait until it is at least this far').choices(WAITABLE))
    .option('--timeout <duration>', 'longest wait (default 30s)', duration)
    .action(runner.action(send))
  program
    .command('history')
    .description('what was written, oldest first')
    .argument('<who>')
    .option('--limit <number>', 'messages at most (default 50)', wholeNumber(1, 1_000_000))
    .option('--before <message>', 'only what came before this message')
    .option('--search <text>', 'only messages that hold this text')
    .action(runner.action(history))
  program
    .command('trace')
    .description('the way of a message you sent, and what it waits for')
    .argument('<message>', 'its ID, as `send --json` and `history --json` show it')
    .action(runner.action(trace))
}

async function send(
  context: Context,
  who: string,
  argument: string | undefined,
  options: SendOptions,
): Promise<ExitStatus | undefined> {
  if (options.timeout !== undefined && options.wait === undefined) {
    throw usage('--timeout needs --wait', 'kith send WHO TEXT --wait custody --timeout 10s')
  }
  if ((options.timeout ?? 0) > MAX_WAIT_SECONDS) throw usage('--timeout is at most 1h')
  const text = await messageText(context, argument)
  return withNode(context, { network: true }, async ({ api, transient }) => {
    const { messageId, state } = await api.call('message.send', { who, text })
    const wanted = options.wait ?? (transient ? 'custody' : 'queued')
    const limit = options.wait === undefined ? SHORT_LIVED_WAIT_SECONDS : (options.timeout ?? DEFAULT_TIMEOUT_SECONDS)
    const reached = await waitFor(api, { messageId, state }, wanted, limit)
    const status = sendStatus(reached, options.wait)
    const waited = wanted !== 'queued'
    await tellSent(context, { who, messageId, reached, wanted: options.wait, waited, transient, status })
    return status
  })
}

async function waitFor(
  api: NodeSession['api'],
  sent: MethodResult<'message.send'>,
  wanted: DeliveryState,
  timeoutSeconds: number,
): Promise<DeliveryState> {
  if (isAtLeast(sent.state, wanted)) return sent.state
  const { state } = await api.call('message.wait', { messageId: sent.messageId, state: wanted, timeoutSeconds })
  return state
}

function isAtLeast(state: DeliveryState, wanted: DeliveryState): boolean {
  return DELIVERY_STATES.indexOf(state) >= DELIVERY_STATES.indexOf(wanted)
}

function sendStatus(reached: DeliveryState, wanted: DeliveryState | undefined): ExitStatus {
  if (reached === 'failed' || reached === 'expired') return EXIT.refused
  return wanted === undefined || isAtLeast(reached, wanted) ? EXIT.done : EXIT.network
}

async function tellSent(
  { out }: Context,
  sent: {
    who: string
    messageId: string
    reached: DeliveryState
    wanted: DeliveryState | undefined
    /** Whether there was time for somebody to take it. */
    waited: boolean
    transient: boolean
    status: ExitStatus
  },
): Promise<void> {
  const { who, messageId, reached, wanted, waited, transient, status } = sent
  if (out.json) await out.object({ messageId, state: reached })
  else await out.lines([`${mark(out, reached)}  ${explain(reached, sanitiseLine(who), waited)}`])
  if (status === EXIT.network) {
    const error = new NetworkError('TIMED_OUT', `not ${wanted} in time, the message is ${reached}`, {
      hint: 'it stays in the outbox and goes on; `kith history` shows its state',
    })
    out.failure(error)
  } else if (status === EXIT.refused) {
    out.failure(new UsageError('NOT_SENT', `the message is ${reached}`))
  } else if (transient && !isAtLeast(reached, 'delivered')) {
    out.hint('`kith up` keeps a node running, which goes on and hears the answer')
  }
}

function explain(state: DeliveryState, who: string, waited: boolean): string {
  const texts: Record<DeliveryState, string> = {
    queued: `kept here for ${who}; ${waited ? 'nobody could take it yet' : 'the node goes on with it'}`,
    sent: `handed to the network for ${who}; no relay has signed for it yet`,
    custody: `kept for ${who} by their relays`,
    delivered: `${who} has it`,
    read: `${who} has read it`,
    expired: `it was never fetched by ${who} and has expired`,
    failed: `it could not be sent to ${who}`,
  }
  return texts[state]
}

async function messageText({ stdin }: Context, argument: string | undefined): Promise<string> {
  if (argument === undefined && stdin.isTTY === true) {
    throw usage('the message is missing', 'kith send WHO "TEXT", or - to read standard input')
  }
  const text = argument === undefined || argument === '-' ? await readText(stdin) : argument
  if (text === '') throw usage('the message is empty')
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) throw tooLong()
  return text
}

async function readText(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    // One more for the newline that a shell puts at the end.
    if (length > MAX_TEXT_BYTES + 2) throw tooLong()
    chunks.push(bytes)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '')
  } catch (cause) {
    throw new UsageError('NOT_TEXT', 'standard input is not UTF-8 text', { cause })
  }
}

function tooLong(): UsageError {
  return new UsageError('TOO_LONG', `a message has at most ${MAX_TEXT_BYTES} bytes of text`)
}

async function history(
  context: Context,
  who: string,
  options: { limit?: number; before?: string; search?: string },
): Promise<void> {
  const { out, signal } = context
  await withNode(context, { network: false }, async ({ api }) => {
    const messages = await interruptible(signal, collectHistory(api, who, options))
    if (out.json) {
      for (const message of messages) await out.object(message)
      return
    }
    if (messages.length === 0) return out.note('nothing')
    const friends = await api.call('friend.list', {})
    const names = new Map(friends.map(({ id, petname }) => [id, petname]))
    for (const message of messages) await out.lines(messageLines(out, message, names))
  })
}

async function trace(context: Context, message: string): Promise<void> {
  const { out } = context
  await withNode(context, { network: false }, async ({ api }) => {
    const way = await api.call('message.trace', { messageId: message })
    if (out.json) return out.object(way)
    const friends = await api.call('friend.list', {})
    const names = new Map(friends.map(({ id, petname }) => [id, petname]))
    await out.lines([mark(out, way.state), ...way.steps.flatMap((step) => stepLines(out, step, names))])
  })
}

function stepLines(out: Output, step: TraceStep, names: ReadonlyMap<string, string>): string[] {
  const { at, by, detail, until, storedAt } = step
  const parts = [
    sanitiseLine(detail),
    storedAt === undefined ? '' : `signed in the hour of ${localTime(storedAt)}`,
    until === undefined ? '' : `until ${localTime(until)}`,
  ]
  const what = parts.filter((part) => part !== '').join(', ')
  const head = `${localTime(at)}  ${sanitiseLine(step.step).padEnd(LONGEST_STEP)}  `
  return block(head, [`${sanitiseLine(names.get(by) ?? by)}${what === '' ? '' : `: ${what}`}`], out.columns)
}

/** The last `limit` messages, in pages from the newest backwards. */
async function collectHistory(
  api: NodeSession['api'],
  who: string,
  { limit = 50, before, search }: { limit?: number; before?: string; search?: string },
): Promise<Message[]> {
  const pages: Message[][] = []
  let missing = limit
  let end = before
  while (missing > 0) {
    const { messages, more } = await api.call('history.list', {
      who,
      limit: Math.min(missing, MAX_HISTORY_PAGE),
      markRead: true,
      ...(end === undefined ? {} : { before: end }),
      ...(search === undefined ? {} : { search }),
    })
    pages.unshift(messages)
    missing -= messages.length
    end = messages[0]?.messageId
    if (!more || end === undefined) break
  }
  return pages.flat()
}

/** A message as people read it: time, who, text, how far it came. */
function messageLines(out: Output, message: Message, names: ReadonlyMap<string, string>): string[] {
  if (message.type === 'notice') {
    return [
      ...gapLines(out, message),
      out.style('red', `${localTime(message.sentAt)}  (${sanitiseLine(message.text)})`),
    ]
  }
  const outgoing = message.direction === 'out'
  const name = outgoing ? 'me' : sanitiseLine(names.get(message.from) ?? message.from.slice(0, 12))
  const head = `${localTime(message.sentAt)}  ${name}: `
  const text = message.type === 'text' ? sanitiseLines(message.text) : ['(this version cannot show it)']
  const lines = block(head, text, out.columns)
  const reason = message.reason === undefined ? '' : ` (${sanitiseLine(message.reason)})`
  const state = outgoing ? `  ${mark(out, message.state)}${reason}` : ''
  const via = message.via === undefined ? '' : out.style('dim', `  via ${message.via}`)
  return [...gapLines(out, message), ...lines.slice(0, -1), `${lines.at(-1)}${state}${via}`]
}

function gapLines(out: Output, { missing }: Message): string[] {
  if (missing === undefined) return []
  return [
    out.style('dim', missing === 1 ? '(a message is missing here)' : `(at least ${missing} messages are missing here)`),
  ]
}

const SIGNS: Record<DeliveryState, [sign: string, style?: Style]> = {
  queued: ['◌', 'dim'],
  sent: ['→', 'dim'],
  custody: ['✓'],
  delivered: ['✓✓', 'green'],
  read: ['✓✓', 'green'],
  expired: ['✗', 'red'],
  failed: ['✗', 'red'],
}

/** A state as sign and word; the word is there for who cannot see the sign. */
function mark(out: Output, state: DeliveryState): string {
  const [sign, style] = SIGNS[state]
  return style === undefined ? `${sign} ${state}` : out.style(style, `${sign} ${state}`)
}
