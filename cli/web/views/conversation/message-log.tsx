/**
 * The messages of a conversation, as many as the thread's window holds. Scrolling to an edge asks for more; what somebody
 * looks at stays where it is while messages come and go around it; at the end, the end stays in sight.
 */
import { Component, createRef } from 'preact'
import { Icon } from '../../parts/icon.tsx'
import { dialog, isPaging } from '../../state/page.ts'
import { messageRows } from '../../state/rows.ts'
import { loadNewer, loadNewest, loadOlder, markSeen } from '../../state/talk.ts'
import type { Thread } from '../../state/thread.ts'
import { MessageItem } from './message-row.tsx'

interface Props {
  thread: Thread
  name: string
}

interface State {
  /** Key of the message that Tab reaches; the last one while undefined. */
  reachable?: string
  isAtEnd: boolean
}

/** What stays where it is: the end, or a message and how far it lay below the top. */
type Anchor = 'end' | { key: string; top: number } | undefined

/** So close to the end is at the end. */
const END_PX = 48
/** More is asked for when an edge comes so close. */
const AHEAD = '900px 0px'

export class MessageLog extends Component<Props, State> {
  override state: State = { isAtEnd: true }
  readonly #log = createRef<HTMLDivElement>()
  readonly #list = createRef<HTMLOListElement>()
  readonly #older = createRef<HTMLDivElement>()
  readonly #newer = createRef<HTMLDivElement>()
  #edges: IntersectionObserver | undefined
  #sizes: ResizeObserver | undefined
  /** The first page was placed. */
  #isPlaced = false

  override componentDidMount(): void {
    const log = this.#log.current!
    this.#edges = new IntersectionObserver(this.#onEdge, { root: log, rootMargin: AHEAD })
    this.#sizes = new ResizeObserver(() => {
      if (this.state.isAtEnd && this.#isPlaced && !this.props.thread.hasNewer) this.#toEnd()
    })
    this.#sizes.observe(log)
    this.#sizes.observe(this.#list.current!)
    window.addEventListener('focus', this.#look)
    document.addEventListener('visibilitychange', this.#look)
    this.#place()
  }

  override componentWillUnmount(): void {
    this.#edges?.disconnect()
    this.#sizes?.disconnect()
    window.removeEventListener('focus', this.#look)
    document.removeEventListener('visibilitychange', this.#look)
  }

  override getSnapshotBeforeUpdate(before: Props): Anchor {
    if (this.state.isAtEnd && !before.thread.hasNewer) return 'end'
    const log = this.#log.current!
    const edge = log.getBoundingClientRect().top
    for (const item of log.querySelectorAll<HTMLElement>('li[data-key]')) {
      const { top, bottom } = item.getBoundingClientRect()
      if (bottom > edge) return { key: item.dataset.key!, top }
    }
    return undefined
  }

  override componentDidUpdate(before: Props, _: State, anchor: Anchor): void {
    if (!this.#isPlaced) this.#place()
    else if (before.thread !== this.props.thread) this.#keep(anchor)
    this.#look()
    this.#watchEdges()
  }

  render({ thread, name }: Props, { reachable, isAtEnd }: State) {
    const rows = messageRows(thread)
    const last = rows.at(-1)?.message.key
    const stop = rows.some(({ message }) => message.key === reachable) ? reachable : last
    const isFar = !isAtEnd || thread.hasNewer
    return (
      <div class="log-place">
        <div class="log" ref={this.#log} onScroll={this.#onScroll}>
          <div ref={this.#older} class="edge">
            {thread.hasOlder && <span class="edge-text">{isPaging.value ? 'Fetching older messages …' : ''}</span>}
            {!thread.hasOlder && rows.length === 0 && !isPaging.value && <p class="empty">No messages yet.</p>}
          </div>
          <ol ref={this.#list} class="messages" aria-label="Messages" onKeyDown={this.#onKey} onFocusIn={this.#onFocus}>
            {rows.map((row) => (
              <MessageItem key={row.message.key} row={row} name={name} isReachable={row.message.key === stop} />
            ))}
          </ol>
          <div ref={this.#newer} class="edge" />
        </div>
        {isFar && (
          <button type="button" class="to-end" onClick={() => void this.#goToEnd()}>
            <Icon name="down" size={16} /> Newest
          </button>
        )}
      </div>
    )
  }

  /** The first page: at the first unread message when there is one, else at the end. */
  #place(): void {
    if (this.props.thread.messages.length === 0) return
    this.#isPlaced = true
    const wanted = this.props.thread.found
    const unread = this.#list.current!.querySelector('.unread-line')
    const found = wanted === undefined ? undefined : this.#item(wanted)
    if (found !== undefined) {
      found.scrollIntoView({ block: 'center' })
      found.focus({ preventScroll: true })
    } else if (unread === null) this.#toEnd()
    else unread.scrollIntoView({ block: 'start' })
    this.#onScroll()
    this.#watchEdges()
  }

  #keep(anchor: Anchor): void {
    if (anchor === 'end') this.#toEnd()
    else if (anchor !== undefined) {
      const item = this.#item(anchor.key)
      if (item !== undefined) this.#log.current!.scrollTop += item.getBoundingClientRect().top - anchor.top
    }
  }

  #item(key: string): HTMLElement | undefined {
    return this.#items().find((item) => item.dataset.key === key)
  }

  #items(): HTMLElement[] {
    return [...this.#list.current!.querySelectorAll<HTMLElement>('li[data-key]')]
  }

  #toEnd(): void {
    const log = this.#log.current!
    log.scrollTop = log.scrollHeight
  }

  /** An observer speaks when something changes: it is asked anew after each page, as the edge may still be near. */
  #watchEdges(): void {
    if (!this.#isPlaced) return
    this.#edges!.disconnect()
    this.#edges!.observe(this.#older.current!)
    this.#edges!.observe(this.#newer.current!)
  }

  readonly #onEdge = (entries: IntersectionObserverEntry[]): void => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue
      if (target === this.#older.current) void loadOlder()
      else void loadNewer()
    }
  }

  readonly #onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = this.#log.current!
    const isAtEnd = scrollHeight - scrollTop - clientHeight < END_PX
    if (isAtEnd !== this.state.isAtEnd) this.setState({ isAtEnd })
    this.#look()
  }

  /** Messages are read when somebody looks at them: the page has the focus, and its end is in sight. */
  readonly #look = (): void => {
    if (!this.#isPlaced || !this.state.isAtEnd) return
    if (document.visibilityState === 'visible' && document.hasFocus()) void markSeen()
  }

  async #goToEnd(): Promise<void> {
    if (this.props.thread.hasNewer) await loadNewest()
    this.setState({ isAtEnd: true }, () => this.#toEnd())
    document.querySelector<HTMLElement>('.composer textarea')?.focus()
  }

  readonly #onFocus = (event: FocusEvent): void => {
    const item = (event.target as HTMLElement).closest<HTMLElement>('li[data-key]')
    if (item !== null && item.dataset.key !== this.state.reachable) this.setState({ reachable: item.dataset.key })
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    const items = this.#items()
    const at = items.indexOf(event.target as HTMLElement)
    if (at === -1 || event.altKey || event.ctrlKey || event.metaKey) return
    const to: Record<string, number> = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: items.length - 1 }
    const next = to[event.key]
    if (next !== undefined) {
      event.preventDefault()
      if (next >= items.length) document.querySelector<HTMLElement>('.composer textarea')?.focus()
      else items[Math.max(next, 0)]?.focus()
    } else if (event.key === 'Enter') this.#openTrace(items[at]!.dataset.key!)
  }

  #openTrace(key: string): void {
    const message = this.props.thread.messages.find((shown) => shown.key === key)
    if (message?.messageId !== undefined && message.direction === 'out') dialog.value = { kind: 'trace', message }
  }
}
