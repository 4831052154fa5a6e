/** Slash commands that ask something of the node: what is called, and what of the answer is shown. */
import { renderUnicodeCompact } from 'uqr'
import type { ApiClient } from '../../node/api/client.ts'
import type { MethodResult } from '../../node/api/methods.ts'
import { block } from '../layout.ts'
import { localTime } from '../local-time.ts'
import { sanitiseLine } from '../sanitise.ts'
import type { Action, NodeCall } from './actions.ts'
import { type ChatState, type Choice, findConversation, nameOf } from './state.ts'

/** Messages that a search shows. */
const MOST_FOUND = 50
/** Of the text of each so many characters. */
const MOST_SHOWN = 300

/** Runs a call. @returns what is to be shown of its answer @throws the error of the node */
export async function runCall(api: ApiClient, call: NodeCall, state: ChatState): Promise<Action> {
  switch (call.call) {
    case 'add':
      return await add(api, call)
    case 'invite':
      return invitePage(await api.call('invite.create', {}), state.settings.ascii)
    case 'requests':
      return requestChoices(await api.call('request.list', {}))
    case 'accept':
      await api.call('request.accept', {
        who: call.who,
        ...(call.petname === undefined ? {} : { petname: call.petname }),
      })
      return said(`${call.petname ?? shortOf(state, call.who)} is accepted`)
    case 'decline':
      await api.call('request.decline', { who: call.who })
      return said('the request is dropped')
    case 'block':
      await api.call('friend.block', { who: call.who })
      return said(`nothing more is taken from ${shortOf(state, call.who)}`)
    case 'unfriend':
      await api.call('friend.remove', { who: call.who })
      return said(`${shortOf(state, call.who)} is no friend any more`)
    case 'trust':
      await api.call('friend.trust', { who: call.who })
      return said(`the keys of ${shortOf(state, call.who)} are accepted; nobody compared them`)
    case 'rename': {
      const { petname } = await api.call('friend.rename', { who: call.who, petname: call.petname })
      return said(`now called ${petname}`)
    }
    case 'verify':
      return await verify(api, call, state)
    case 'trace':
      return tracePage(await api.call('message.trace', { messageId: call.messageId }), state)
    case 'search':
      return foundChoices(await api.call('history.search', { query: call.query, limit: MOST_FOUND }), call.query, state)
    case 'settings':
      return settingChoices(await api.call('settings.list', {}))
    case 'set': {
      const { key, value, restart } = await api.call('settings.set', { key: call.key, value: call.value })
      const when = restart ? '; the node takes it at its next start' : ''
      return said(`${key} = ${value ?? 'its default'}${when}`)
    }
    default:
      return statusPage(await api.call('node.status', {}))
  }
}

function said(text: string): Action {
  return { type: 'notice', notice: { tone: 'info', text } }
}

function page(title: string, lines: string[], subject?: string): Action {
  return { type: 'view', view: { kind: 'page', title, lines, top: 0, ...(subject === undefined ? {} : { subject }) } }
}

function choices(title: string, rows: Choice[], keys: string): Action {
  return { type: 'view', view: { kind: 'choices', title, choices: rows, selected: 0, keys } }
}

function shortOf(state: ChatState, who: string): string {
  const conversation = findConversation(state, who)
  return conversation === undefined ? who.slice(0, 24) : nameOf(conversation)
}

async function add(api: ApiClient, { target, petname }: Extract<NodeCall, { call: 'add' }>): Promise<Action> {
  const { state, reason } = await api.call('friend.add', { target, ...(petname === undefined ? {} : { petname }) })
  if (state === 'friend') return said('you are friends')
  return said(reason === undefined ? 'asked; it waits for their answer' : `kept: ${reason}`)
}

function invitePage({ invite, expires }: MethodResult<'invite.create'>, ascii: boolean): Action {
  const code = ascii ? [] : ['', ...renderUnicodeCompact(invite).split('\n')]
  // The link alone on its lines, so that it can be copied whole.
  const link = invite.match(/.{1,60}/g) ?? []
  const until = `Give this link to one friend, until ${localTime(expires)}:`
  return page('An invite', [until, '', ...link, ...code])
}

function requestChoices(requests: MethodResult<'request.list'>): Action {
  const rows = requests.map(({ id, name, note, receivedAt }): Choice => {
    const commands = { enter: `/accept ${id}`, a: `/accept ${id} `, d: `/decline ${id}` }
    const claim = note === '' ? '' : `, they say: ${note}`
    return { label: `calls themselves ${name}`, detail: `${id}, ${localTime(receivedAt)}${claim}`, commands }
  })
  return choices('Who asks to be your friend', rows, 'Enter accept · a accept under a name you give · d decline')
}

async function verify(
  api: ApiClient,
  { who, confirm, number }: Extract<NodeCall, { call: 'verify' }>,
  state: ChatState,
): Promise<Action> {
  if (confirm) {
    await api.call('friend.verify', { who, confirm, ...(number === undefined ? {} : { number }) })
    return said(`${shortOf(state, who)} is verified`)
  }
  const { safetyNumber, code, verified } = await api.call('friend.verify', { who })
  const groups = safetyNumber.replaceAll(/\D/g, '').match(/.{1,5}/g) ?? []
  const rows = [0, 4, 8].map((start) => `  ${groups.slice(start, start + 4).join(' ')}`)
  const drawn = state.settings.ascii ? [] : ['', ...renderUnicodeCompact(code).split('\n')]
  const name = shortOf(state, who)
  const next = verified ? `${name} is verified.` : 'The same number there? /confirm marks them as verified.'
  return page(
    `Safety number with ${name}`,
    [`Compare it with ${name} over another way:`, '', ...rows, '', next, ...drawn],
    who,
  )
}

function tracePage({ steps, state: reached }: MethodResult<'message.trace'>, state: ChatState): Action {
  const lines = steps.flatMap(({ step, at, by, detail, until, storedAt }) => {
    const conversation = findConversation(state, by)
    const parts = [
      detail,
      storedAt === undefined ? '' : `signed in the hour of ${localTime(storedAt)}`,
      until === undefined ? '' : `until ${localTime(until)}`,
    ].filter((part) => part !== '')
    const who = conversation === undefined ? by : nameOf(conversation)
    const text = sanitiseLine(`${who}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`)
    return block(`${localTime(at)}  ${sanitiseLine(step).padEnd(9)}  `, [text], Math.max(30, state.columns - 30))
  })
  return page(`The way of a message: ${reached}`, lines)
}

function foundChoices({ messages }: MethodResult<'history.search'>, query: string, state: ChatState): Action {
  const rows = messages.map(({ messageId, id, direction, text, sentAt }): Choice => {
    const name = shortOf(state, id)
    const who = direction === 'out' ? `me to ${name}` : name
    return {
      label: `${localTime(sentAt)}  ${who}`,
      detail: text.slice(0, MOST_SHOWN),
      commands: { enter: `/open ${id} ${messageId}` },
    }
  })
  return choices(`Messages with “${query}”`, rows, 'Enter goes there')
}

function settingChoices(settings: MethodResult<'settings.list'>): Action {
  const rows = settings.map(({ key, value, origin, description, restart }): Choice => {
    const when = restart ? '; a change holds from the next start of the node' : ''
    return {
      label: `${key} = ${value ?? ''}`,
      detail: `${description} (${origin}${when})`,
      commands: { enter: `/set ${key} ` },
    }
  })
  return choices('Settings', rows, 'Enter changes it; without a value its default holds again')
}

function statusPage(status: MethodResult<'node.status'>): Action {
  const relays = status.relays.map(({ address, connected, problem, standIn }) => {
    const how = connected ? 'connected' : `not connected${problem === undefined ? '' : `: ${problem}`}`
    return `relay      ${how}${standIn === true ? ', stands in' : ''}  ${address}`
  })
  return page('Your node', [
    `you        ${status.name ?? ''}  ${status.id ?? ''}`,
    `peers      ${status.peers}`,
    `friends    ${status.friends}`,
    `requests   ${status.requests}`,
    `waiting    ${status.unacknowledged} not yet delivered`,
    ...relays,
    ...status.addresses.map((address) => `listening  ${address}`),
    ...status.problems.flatMap(({ message, hint }) => ['', `wrong: ${message}`, `       ${hint}`]),
  ])
}
