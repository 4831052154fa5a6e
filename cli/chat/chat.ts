/**
 * The chat that runs: holds the state, moves it by `reduce`, and does what that wants done, by the API of the node. Events
 * of the node come in order; a node that goes away is said and waited for. Faces dispatch actions and watch the state.
 */
import type { ApiClient, Told } from '../../node/api/client.ts'
import { KithError } from '../../node/errors.ts'
import type { NodeSession } from '../node-session.ts'
import type { ChatSettings } from './chat-settings.ts'
import type { Action, Effect, PageEnd } from './actions.ts'
import { runCall } from './node-calls.ts'
import { actionOf, conversationRow, messageRow, nodeFacts } from './node-rows.ts'
import { reduce } from './reduce.ts'
import type { ChatState } from './state.ts'

/** What the chat does outside of node and terminal. */
export interface ChatOutside {
  /** Somebody wrote who is not before the person's eyes. */
  alert(how: 'bell' | 'desktop', who: string): void
  /** Into the clipboard. */
  copy(text: string): void
  /** Hands a link to the system. @throws when it cannot */
  browse(url: string): Promise<void>
}

export interface ChatInit {
  state: ChatState
  /** No other chat has it: at most 40 printable ASCII characters. */
  name: string
  outside: ChatOutside
  /** What is set now. */
  settings(): Promise<ChatSettings>
  /** A node again, after it has gone; undefined when there is none yet. */
  rejoin(): Promise<NodeSession | undefined>
}

/** Whether a change was made by the person, who waits for it to be shown. */
export type Listener = (byPerson: boolean) => void

const HISTORY_PAGE = 100
const REJOIN_MS = 500
const STATUS_MS = 5000
/** Events of a burst lead to one refresh, and messages that were read to one call. */
const GATHER_MS = 100
const BY_PERSON: ReadonlySet<Action['type']> = new Set([
  'chord',
  'typed',
  'pasted',
  'command',
  'line',
  'resized',
  'open',
])

export class Chat {
  readonly #init: ChatInit
  readonly #listeners = new Set<Listener>()
  readonly #end = new AbortController()
  readonly #seen = new Map<string, string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #state: ChatState
  #api: ApiClient | undefined
  #refreshing: 'no' | 'gathering' | 'running' | 'again' = 'no'
  #writes: Promise<void> = Promise.resolve()
  #asking = 0
  /** Who there is to talk with has been read. */
  #isRead = false
  readonly #idle = new Set<() => void>()

  constructor(init: ChatInit) {
    this.#init = init
    this.#state = init.state
  }

  get state(): ChatState {
    return this.#state
  }

  dispatch(action: Action): void {
    const { state, effects } = reduce(this.#state, action)
    this.#state = state
    for (const effect of effects) this.#run(effect)
    for (const listener of this.#listeners) listener(BY_PERSON.has(action.type))
  }

  /** @returns what ends the watching */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves once it is known who there is to talk with, or the chat has ended. */
  async ready(): Promise<void> {
    await this.#until(() => this.#isRead)
  }

  /** Resolves once everything that was asked of the node is answered, or the chat has ended. */
  async settled(): Promise<void> {
    await this.#until(() => this.#isRead && this.#asking === 0 && this.#refreshing === 'no')
  }

  /** Ends `run`, after what is being written has reached the node. */
  quit(): void {
    this.#tellSeen()
    this.#end.abort()
    this.#look()
  }

  /** Until `quit`; a connection that this makes is closed at its end. @param session the connection to begin with */
  async run(session: NodeSession): Promise<void> {
    const timer = setInterval(() => this.#refresh(), STATUS_MS)
    let own: ApiClient | undefined
    try {
      let now: NodeSession | undefined = session
      let cursor: number | undefined
      while (!this.#end.signal.aborted) {
        if (now === undefined) {
          await this.#pause(REJOIN_MS)
          if (this.#end.signal.aborted) break
          now = await this.#init.rejoin().catch(() => undefined)
          own = now?.api
          continue
        }
        cursor = await this.#follow(now, cursor)
        now = undefined
      }
      await this.#writes
    } finally {
      clearInterval(timer)
      for (const each of this.#timers) clearTimeout(each)
      own?.close()
    }
  }

  /** Follows the events of one connection. @returns the last cursor, to go on after */
  async #follow({ api, transient }: NodeSession, since: number | undefined): Promise<number | undefined> {
    let cursor = since
    const events = api.events(since, this.#end.signal)
    // The subscription is asked for before anything is read: what happens between is told twice rather than never.
    let next = events.next()
    next.catch(() => undefined)
    try {
      this.#api = api
      const { id = '', name = '' } = await api.call('node.status', {})
      this.dispatch({ type: 'connected', node: { id, name, ours: transient } })
      for (;;) {
        const { done, value } = await next
        if (done === true) return cursor
        if ('cursor' in value) cursor = value.cursor
        this.#tell(value)
        next = events.next()
      }
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      return cursor
    } finally {
      this.#api = undefined
      if (!this.#end.signal.aborted) this.dispatch({ type: 'disconnected' })
    }
  }

  #tell(told: Told): void {
    if ('lagged' in told) return this.dispatch({ type: 'forgotten' })
    const action = actionOf(told)
    if (action === undefined) this.#refresh()
    else this.dispatch(action)
  }

  #run(effect: Effect): void {
    switch (effect.do) {
      case 'refresh':
        return this.#refresh()
      case 'load':
        return this.#ask(
          () => this.#load(effect.id, effect.where, effect.beside),
          () => this.dispatch({ type: 'page-failed', id: effect.id }),
        )
      case 'send':
        return this.#send(effect)
      case 'seen':
        return this.#markSeen(effect.id, effect.upTo)
      case 'draft':
        return this.#write((api) => api.call('draft.set', { who: effect.id, text: effect.text }))
      case 'call':
        return this.#ask(async (api) => {
          this.dispatch(await runCall(api, effect.call, this.#state))
          if (effect.call.call === 'set') this.dispatch({ type: 'settings', settings: await this.#init.settings() })
          this.#refresh()
        })
      case 'alert': {
        const { notify } = this.#state.settings
        return notify === 'off' ? undefined : this.#init.outside.alert(notify, effect.who)
      }
      case 'copy':
        return this.#init.outside.copy(effect.text)
      case 'browse':
        return void this.#init.outside.browse(effect.url).catch((error: unknown) => this.#say(error))
      case 'quit':
        return this.quit()
    }
  }

  /** Asks the node; what goes wrong is said. */
  #ask(question: (api: ApiClient) => Promise<void>, onFailure: () => void = ignore): void {
    const api = this.#api
    if (api === undefined) {
      onFailure()
      return
    }
    this.#asking += 1
    question(api)
      .catch((error: unknown) => {
        onFailure()
        this.#say(error)
      })
      .finally(() => {
        this.#asking -= 1
        this.#look()
      })
      .catch(ignore)
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#end.signal.aborted) await new Promise<void>((resolve) => this.#idle.add(resolve))
  }

  #look(): void {
    for (const resolve of this.#idle) resolve()
    this.#idle.clear()
  }

  #say(error: unknown): void {
    if (error instanceof KithError && error.code === 'NODE_GONE') return
    const text = error instanceof Error ? error.message : String(error)
    this.dispatch({ type: 'notice', notice: { tone: 'error', text } })
  }

  /** Something that has to reach the node before the chat ends. */
  #write(call: (api: ApiClient) => Promise<unknown>): void {
    this.#ask((api) => {
      const written = call(api)
      this.#writes = Promise.all([this.#writes, written]).then(ignore, ignore)
      return written.then(ignore)
    })
  }

  #send({ id, local, text }: Extract<Effect, { do: 'send' }>): void {
    this.#write(async (api) => {
      try {
        // After an answer that was lost with the connection, the same key does not send twice.
        const idempotencyKey = `${this.#init.name}-${local}`
        const { messageId, state } = await api.call('message.send', { who: id, text, idempotencyKey })
        // The node's own time comes with the event.
        const sentAt = new Date().toISOString()
        this.dispatch({ type: 'accepted', id, local, messageId, state, sentAt })
      } catch (error) {
        if (!(error instanceof KithError)) throw error
        // It is sent again once the node is back.
        if (error.code === 'NODE_GONE') return
        this.dispatch({ type: 'refused', id, local, reason: error.message })
      }
    })
  }

  async #load(id: string, where: PageEnd, beside: string | undefined): Promise<void> {
    const api = this.#api!
    const read = async (at: { before?: string; after?: string }) => {
      const { messages, more } = await api.call('history.list', { who: id, limit: HISTORY_PAGE, ...at })
      return { messages: messages.map(messageRow), more }
    }
    if (where !== 'around' || beside === undefined) {
      const at = where === 'older' ? { before: beside } : where === 'newer' ? { after: beside } : {}
      const { messages, more } = await read(at)
      return this.dispatch({ type: 'page', id, page: { messages, where, older: more, newer: more } })
    }
    const after = await read({ after: beside })
    const first = after.messages[0]?.messageId
    const upTo = await read(first === undefined ? {} : { before: first })
    const messages = [...upTo.messages, ...after.messages]
    this.dispatch({ type: 'page', id, page: { messages, where, older: upTo.more, newer: after.more }, at: beside })
  }

  #refresh(): void {
    if (this.#refreshing === 'running') this.#refreshing = 'again'
    if (this.#refreshing !== 'no' || this.#api === undefined) return
    this.#refreshing = 'gathering'
    this.#later(() => {
      this.#refreshing = 'running'
      const done = (): void => {
        const isAgain = this.#refreshing === 'again'
        this.#refreshing = 'no'
        if (isAgain) this.#refresh()
      }
      this.#ask(async (api) => {
        const [{ conversations }, contacts, status] = await Promise.all([
          api.call('conversation.list', {}),
          api.call('friend.list', {}),
          api.call('node.status', {}),
        ])
        const reasons = new Map(contacts.flatMap(({ id, reason }) => (reason === undefined ? [] : [[id, reason]])))
        const rows = conversations.map((row) => conversationRow(row, reasons))
        this.#isRead = true
        this.dispatch({ type: 'refreshed', conversations: rows, node: nodeFacts(status) })
        done()
      }, done)
    })
  }

  #markSeen(id: string, upTo: string): void {
    const isWaiting = this.#seen.size > 0
    this.#seen.set(id, upTo)
    if (isWaiting) return
    this.#later(() => this.#tellSeen())
  }

  #tellSeen(): void {
    const all = [...this.#seen]
    this.#seen.clear()
    for (const [who, upTo] of all) this.#write((api) => api.call('conversation.read', { who, upTo }))
  }

  #later(work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, GATHER_MS)
    this.#timers.add(timer)
  }

  async #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#end
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

function ignore(): void {}
