/** Events of a node as data and as lines for people, in which IDs have the names that this person gave. */
import type { ApiClient, Told } from '../node/api/client.ts'
import type { EventView } from '../node/api/views.ts'
import { block } from './layout.ts'
import { localTime } from './local-time.ts'
import type { Output } from './output.ts'
import { sanitiseLine, sanitiseLines } from './sanitise.ts'

/** What every line has; a field of an event never takes its place. */
const OWN_FIELDS = new Set(['v', 'cursor', 'event', 'at'])
/** Events after which a name may have changed. */
const RENAMING = new Set(['friend', 'contact', 'request'])
/** IDs are long; where a name is unknown this much tells them apart. */
const SHORT_ID = 16
const SHORT_MESSAGE_ID = 8

/** The end of a peer ID tells relays apart. */
const RELAY_NAME = 8
const RELAY_NEWS: Record<string, string> = {
  caught: 'it dropped mail that it had signed for, and is left out from now on',
  lost: 'it was away for a week, others take its place',
  back: 'it is back',
  leaving: 'it announced its end: others take its place, configure another one',
}

function relayNews(state: string): string {
  return RELAY_NEWS[state] ?? state
}

/** Prints the events of one node, one after the other. */
export class EventTeller {
  readonly #out: Output
  readonly #api: ApiClient
  /** Petnames by ID; read when they are needed. */
  #names: Map<string, string> | undefined

  constructor(out: Output, api: ApiClient) {
    this.#out = out
    this.#api = api
  }

  /** `{cursor, event, at, …}` with the event's fields beside them, or lines. */
  async tell(told: Told): Promise<void> {
    const out = this.#out
    if ('lagged' in told) {
      const { from, to } = told.lagged
      if (out.json) await out.object({ event: 'lagged', from, to })
      else out.note(`events ${from} to ${to} are gone from the log`)
      return
    }
    const { cursor, event, at, detail } = told
    if (out.json) {
      const fields = Object.entries(detail).filter(([key]) => !OWN_FIELDS.has(key))
      await out.object({ cursor, event, at, ...Object.fromEntries(fields) })
      return
    }
    if (RENAMING.has(event)) this.#names = undefined
    await out.lines(await this.#lines(told))
  }

  async #lines({ event, at, detail }: EventView): Promise<string[]> {
    const field = (key: string): string => String(detail[key] ?? '')
    const head = `${localTime(at)}  `
    if (event === 'message') {
      const incoming = detail.direction === 'in'
      const who = incoming ? await this.#name(field('from')) : `me to ${await this.#name(field('to'))}`
      const lines = field('type') === 'unsupported' ? ['(this version cannot show it)'] : sanitiseLines(field('text'))
      return block(`${head}${who}: `, lines, this.#out.columns)
    }
    if (event === 'request') {
      const who = `${head}request of ${sanitiseLine(field('name'))} (${sanitiseLine(field('id').slice(0, SHORT_ID))}): `
      return block(who, sanitiseLines(field('note')), this.#out.columns)
    }
    // petnames may have changed with it
    if (event === 'friend' || event === 'contact') this.#names = undefined
    // what a face did to this node; programs may want it, people did it
    if (event === 'read' || event === 'draft') return []
    if (event === 'friend') return [`${head}${await this.#name(field('id'))} is a friend now`]
    if (event === 'contact') {
      const reason = detail.reason === undefined ? '' : `, ${sanitiseLine(field('reason'))}`
      const fresh = detail.freshness === undefined ? '' : `, freshness ${sanitiseLine(field('freshness'))}`
      const news = keyNews(detail) ?? renamed(detail)
      const line = `${head}${await this.#name(field('id'))}: ${news ?? sanitiseLine(field('state'))}${reason}${fresh}`
      return [keyNews(detail) === undefined ? line : this.#out.style('red', line)]
    }
    if (event === 'relay') {
      return [
        `${head}relay ${sanitiseLine(field('peerId').slice(-RELAY_NAME))}: ${sanitiseLine(relayNews(field('state')))}`,
      ]
    }
    if (event === 'identity') return [`${head}your root key and this device were replaced`]
    if (event === 'state') return [`${head}${this.#out.style('dim', `message ${stateText(detail)}`)}`]
    if (event === 'alarm') return [`${head}${this.#out.style('red', await this.#alarm(detail))}`]
    if (event === 'behind')
      return [`${head}${await this.#name(field('id'))}: this home is an older one, sending has stopped`]
    if (event === 'healing') return [`${head}${await this.#name(field('id'))}: ${healingText(detail)}`]
    const fields = Object.entries(detail).map(([key, value]) => `${sanitiseLine(key)}=${sanitiseLine(String(value))}`)
    return [`${head}${sanitiseLine(event)}  ${this.#out.style('dim', fields.join(' '))}`.trimEnd()]
  }

  async #alarm(detail: EventView['detail']): Promise<string> {
    const who = await this.#name(String(detail.id ?? ''))
    if (detail.kind === 'not-ours')
      return `ALARM: a record of your own identity was signed elsewhere; \`kith identity rotate\` overrules it`
    if (detail.kind === 'unknown-head') return `ALARM: ${who} saw a record of your identity that was not signed here`
    if (detail.kind === 'not-theirs') return `ALARM: somebody signed a record of ${who} that is not theirs`
    if (detail.kind === 'copy')
      return 'ALARM: this home seems to run twice: keys of this device were made that are not from here'
    if (detail.kind === 'session')
      return `ALARM: keys of ${who} contradict those of before: a home, theirs or this one, was copied or put back`
    return `ALARM: two records of ${who} contradict each other; compare the safety number`
  }

  async #name(id: string): Promise<string> {
    if (this.#names === undefined) {
      const friends = await this.#api.call('friend.list', {})
      const named = friends.filter((friend) => friend.petname !== '')
      this.#names = new Map(named.map((friend) => [friend.id, friend.petname]))
    }
    return sanitiseLine(this.#names.get(id) ?? id.slice(0, SHORT_ID))
  }
}

/** What a contact's record says of their keys that is new; undefined when it is something else that changed. */
function keyNews({
  keyChanged,
  newDevice,
  deviceRevoked,
  wasVerified,
  accepted,
}: EventView['detail']): string | undefined {
  if (accepted === true) return 'their keys were accepted'
  const news = [
    ...(keyChanged === true ? ['another root key speaks for them, the safety number changed'] : []),
    ...(wasVerified === true ? ['they are not verified any more'] : []),
    ...(newDevice === true ? ['they have a new device'] : []),
    ...(deviceRevoked === true ? ['a device of theirs is revoked'] : []),
  ]
  return news.length === 0 ? undefined : news.join('; ')
}

function renamed({ petname }: EventView['detail']): string | undefined {
  return petname === undefined ? undefined : 'this is what you call them now'
}

/** What a rekey has come to. */
function healingText({ state, reason }: EventView['detail']): string {
  if (state === 'healed') return 'a new session is there, what waited goes on'
  const why = reason === undefined ? 'they asked for it' : sanitiseLine(String(reason))
  return `a new session is being made: ${why}`
}

/** `4dd10653: delivered`, with the reason where there is one. */
function stateText({ messageId, state, reason }: EventView['detail']): string {
  const told = `${String(messageId ?? '').slice(0, SHORT_MESSAGE_ID)}: ${String(state ?? '')}`
  return sanitiseLine(reason === undefined ? told : `${told} (${String(reason)})`)
}
