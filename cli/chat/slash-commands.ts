/**
 * The one table of slash commands: help, completion and hints are made of it. A line that begins with `/` is a command,
 * with `//` a text that begins with one slash; what is no command is never sent.
 */
import { type NodeCall, say, type Step, step, still, andThen } from './actions.ts'
import { helpPage, helpRow } from './help-page.ts'
import { leaveChat, nextUnread, openConversation } from './open-conversation.ts'
import { type ChatState, type Conversation, currentConversation, currentTimeline, nameOf } from './state.ts'
import { isLocal } from './timeline.ts'

/** In the order in which help names them. */
export const SLASH_NAMES = [
  'help',
  'open',
  'next',
  'invite',
  'add',
  'requests',
  'accept',
  'decline',
  'verify',
  'confirm',
  'trust',
  'rename',
  'block',
  'unfriend',
  'trace',
  'search',
  'retry',
  'settings',
  'set',
  'status',
  'quit',
] as const
export type SlashName = (typeof SLASH_NAMES)[number]

interface SlashCommand {
  /** What follows the name, for help: `WHO`, `[WHO]`, `TEXT`. */
  readonly takes: string
  readonly summary: string
  /** @param argument the rest of the line, without spaces at its ends */
  run(state: ChatState, argument: string): Step
}

const ask = (state: ChatState, call: NodeCall): Step => step(state, { do: 'call', call })

function needs(name: SlashName, what: string): (state: ChatState) => Step {
  return (state) => say(state, `/${name} needs ${what}: /${name} ${SLASH_COMMANDS[name].takes}`, 'error')
}

/** A command for somebody: who is named, or who is open. */
function about(name: SlashName, call: (who: string) => NodeCall): SlashCommand['run'] {
  return (state, argument) => {
    const who = argument === '' ? state.current : argument
    return who === undefined ? needs(name, 'somebody')(state) : ask(state, call(who))
  }
}

/** A command for somebody who has to be named. */
function named(name: SlashName, call: (who: string, rest: string) => NodeCall): SlashCommand['run'] {
  return (state, argument) => {
    const [who, rest] = firstWord(argument)
    return who === '' ? needs(name, 'somebody')(state) : ask(state, call(who, rest))
  }
}

/** The first word, or what stands in quotes, and the rest. */
function firstWord(text: string): [first: string, rest: string] {
  const match = /^(?:"([^"]*)"|(\S+))\s*([\s\S]*)$/.exec(text)
  return match === null ? ['', ''] : [match[1] ?? match[2]!, match[3]!.trim()]
}

export const SLASH_COMMANDS: Readonly<Record<SlashName, SlashCommand>> = {
  help: {
    takes: '',
    summary: 'keys and commands',
    run: (state) => still({ ...state, view: helpPage(state, commandLines()) }),
  },
  open: {
    takes: 'WHO [MESSAGE]',
    summary: 'talk with somebody; with the ID of a message go there',
    run: (state, argument) => (argument === '' ? needs('open', 'somebody')(state) : openNamed(state, argument)),
  },
  next: { takes: '', summary: 'the next conversation with something new', run: (state) => nextUnread(state) },
  invite: {
    takes: '',
    summary: 'make a link with which a friend can find you',
    run: (state) => ask(state, { call: 'invite' }),
  },
  add: {
    takes: 'INVITE [PETNAME]',
    summary: 'send a friend request to whoever made an invite',
    run: named('add', (target, rest) => ({ call: 'add', target, ...(rest === '' ? {} : { petname: rest }) })),
  },
  requests: {
    takes: '',
    summary: 'who asks to be your friend',
    run: (state) => ask(state, { call: 'requests' }),
  },
  accept: {
    takes: 'WHO [PETNAME]',
    summary: 'make a requester a friend',
    run: named('accept', (who, rest) => ({ call: 'accept', who, ...(rest === '' ? {} : { petname: rest }) })),
  },
  decline: { takes: 'WHO', summary: 'drop a request', run: named('decline', (who) => ({ call: 'decline', who })) },
  verify: {
    takes: '[WHO]',
    summary: 'the safety number, to be compared with the friend',
    run: about('verify', (who) => ({ call: 'verify', who, confirm: false })),
  },
  confirm: {
    takes: '[NUMBER]',
    summary: 'the friend has the same safety number: they are verified',
    run: (state, argument) => {
      const who = (state.view.kind === 'page' ? state.view.subject : undefined) ?? state.current
      if (who === undefined) return needs('open', 'somebody')(state)
      const number = argument.replace(/[\s.-]/g, '')
      return ask(state, { call: 'verify', who, confirm: true, ...(number === '' ? {} : { number }) })
    },
  },
  trust: {
    takes: '[WHO]',
    summary: 'accept changed keys without comparing; /verify is safer',
    run: about('trust', (who) => ({ call: 'trust', who })),
  },
  rename: {
    takes: 'PETNAME',
    summary: 'call whoever is open by another name',
    run: (state, argument) => {
      const { current: who } = state
      if (who === undefined || argument === '') return needs('rename', 'an open conversation and a name')(state)
      return ask(state, { call: 'rename', who, petname: argument })
    },
  },
  block: {
    takes: 'WHO',
    summary: 'take nothing more from somebody',
    run: named('block', (who) => ({ call: 'block', who })),
  },
  unfriend: { takes: 'WHO', summary: 'end a friendship', run: named('unfriend', (who) => ({ call: 'unfriend', who })) },
  trace: {
    takes: '',
    summary: 'the way of the selected message, or of your last one',
    run: (state) => {
      const messageId = state.selected ?? lastSent(state)
      return messageId === undefined
        ? say(state, 'you have sent nothing here yet')
        : ask(state, { call: 'trace', messageId })
    },
  },
  search: {
    takes: 'TEXT',
    summary: 'search all conversations',
    run: (state, argument) =>
      argument === '' ? needs('search', 'a text')(state) : ask(state, { call: 'search', query: argument }),
  },
  retry: { takes: '', summary: 'send again what could not be sent', run: (state) => retryAll(state) },
  settings: { takes: '', summary: 'what is set, and change it', run: (state) => ask(state, { call: 'settings' }) },
  set: {
    takes: 'KEY [VALUE]',
    summary: 'change a setting; without a value its default holds again',
    run: (state, argument) => {
      const [key, rest] = firstWord(argument)
      if (key === '') return needs('set', 'a key')(state)
      return ask(state, { call: 'set', key, value: rest === '' ? null : rest })
    },
  },
  status: { takes: '', summary: 'how your node is connected', run: (state) => ask(state, { call: 'status' }) },
  quit: { takes: '', summary: 'leave', run: leaveChat },
}

/** All commands as lines of a help. */
export function commandLines(): string[] {
  return SLASH_NAMES.map((name) =>
    helpRow(`/${name} ${SLASH_COMMANDS[name].takes}`.trimEnd(), SLASH_COMMANDS[name].summary),
  )
}

/** What a line means: a command, or a text to be sent. */
export function readLine(line: string): { text: string } | { command: string; argument: string } {
  if (line.startsWith('//')) return { text: line.slice(1) }
  if (!line.startsWith('/')) return { text: line }
  const match = /^\/(\S*)\s*([\s\S]*)$/.exec(line)!
  return { command: match[1]!, argument: match[2]!.trim() }
}

/** Runs a line that begins with a slash. */
export function runCommand(state: ChatState, line: string): Step {
  const read = readLine(line)
  if (!('command' in read)) return still(state)
  const name = read.command.toLowerCase()
  if (Object.hasOwn(SLASH_COMMANDS, name)) return SLASH_COMMANDS[name as SlashName].run(state, read.argument)
  return say(state, `there is no /${read.command}; /help shows all, and // begins a text with a slash`, 'error')
}

/** @param argument a name, perhaps with spaces; or a name in one word or in quotes, and the ID of a message */
function openNamed(state: ChatState, argument: string): Step {
  const whole = peopleCalled(state, argument)
  if (whole.length === 1) return openConversation(state, whole[0]!.id)
  const [who, messageId] = firstWord(argument)
  const found = whole.length > 0 ? whole : peopleCalled(state, who)
  if (found.length === 0) return say(state, `nobody here is called ${argument}`, 'error')
  if (found.length > 1) return say(state, `${argument} may be ${found.map(nameOf).join(' or ')}`, 'error')
  const { id } = found[0]!
  const opened = openConversation(state, id)
  if (messageId === '') return opened
  return andThen(opened, (next) => step(next, { do: 'load', id, where: 'around', beside: messageId }))
}

function peopleCalled({ conversations }: ChatState, who: string): Conversation[] {
  const wanted = who.toLowerCase()
  const exact = conversations.filter((each) => each.id === who || nameOf(each).toLowerCase() === wanted)
  if (exact.length > 0) return exact
  return conversations.filter((each) => each.id.startsWith(who) || nameOf(each).toLowerCase().startsWith(wanted))
}

function lastSent(state: ChatState): string | undefined {
  return currentTimeline(state).messages.findLast((each) => each.direction === 'out' && !isLocal(each))?.messageId
}

function retryAll(state: ChatState): Step {
  const { id } = currentConversation(state) ?? {}
  const unsent = currentTimeline(state).messages.filter((each) => each.state === 'unsent')
  if (id === undefined || unsent.length === 0) return say(state, 'nothing here has to be sent again')
  const timeline = currentTimeline(state)
  const messages = timeline.messages.map((each) =>
    each.state === 'unsent' ? { ...each, state: 'sending' as const, reason: undefined } : each,
  )
  return step(
    { ...state, timelines: new Map(state.timelines).set(id, { ...timeline, messages }) },
    ...unsent.map(({ messageId: local, text }) => ({ do: 'send' as const, id, local, text })),
  )
}
