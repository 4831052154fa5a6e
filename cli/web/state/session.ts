/**
 * The page's life with its node: the key of the address, first run and unlocking, the stream of events, and what is asked
 * again when the node comes back.
 */
import { call, openSession, PageError } from '../api/client.ts'
import { type EventFollower, followEvents } from '../api/events.ts'
import type { EventView, SetupState } from '../api/table.ts'
import { withUnread } from './conversation-list.ts'
import { tellFailure } from './failure.ts'
import { conversations, isGone, phase, requests, route, setup, status, thread } from './page.ts'
import { keyOf, parseRoute } from './route.ts'
import { loadNewest, openThread, takeTalk } from './talk.ts'

/** Events after which the lists are asked for again. */
const CHANGES_LISTS = new Set(['friend', 'contact', 'request', 'behind', 'healing', 'alarm', 'identity', 'draft'])
/** Events after which the state of the node is asked for again. */
const CHANGES_STATUS = new Set(['relay', 'ready', 'alarm', 'identity'])
const STATUS_EVERY_MS = 10_000
const SETUP_EVERY_MS = 400

/** Begins: takes the key out of the address, looks what the node is, and follows it. */
export async function start(): Promise<void> {
  const key = keyOf(location.hash)
  if (key !== undefined) history.replaceState(undefined, '', '#/')
  followRoute()
  window.addEventListener('hashchange', followRoute)
  try {
    if (key !== undefined) await openSession(key)
    await lookAtSetup()
  } catch (error) {
    if (error instanceof PageError && error.code === 'NO_SESSION') phase.value = 'refused'
    else {
      isGone.value = true
      setTimeout(() => void start(), 1500)
    }
  }
}

/** Asks how far the home is; goes on to the node when it serves. */
export async function lookAtSetup(): Promise<void> {
  const found = await setupState()
  setup.value = found
  isGone.value = false
  if (found.state === 'ready') return enter()
  phase.value = 'setup'
  if (found.state === 'starting') setTimeout(() => void lookAtSetup().catch(tellFailure), SETUP_EVERY_MS)
}

async function setupState(): Promise<SetupState> {
  try {
    return await call('setup.state', {})
  } catch (error) {
    // a node that serves has no such method
    if (error instanceof PageError && !['NODE_GONE', 'NO_SESSION'].includes(error.code)) return { state: 'ready' }
    throw error
  }
}

let following: AbortController | undefined

function enter(): void {
  phase.value = 'ready'
  following?.abort()
  following = new AbortController()
  void followEvents(follower, following.signal)
  setInterval(() => void refreshStatus().catch(() => undefined), STATUS_EVERY_MS)
}

const follower: EventFollower = {
  onOpen: () => {
    isGone.value = false
    void refreshAll()
  },
  onEvent: takeEvent,
  onLagged: () => void refreshAll(),
  onGone: () => {
    isGone.value = true
  },
  onRefused: () => {
    phase.value = 'refused'
  },
}

/** Everything that is shown, as the node knows it now. */
async function refreshAll(): Promise<void> {
  try {
    await Promise.all([refreshStatus(), refreshLists()])
    if (thread.value !== undefined) await loadNewest()
    else followRoute()
  } catch (error) {
    tellFailure(error)
  }
}

export async function refreshStatus(): Promise<void> {
  status.value = await call('node.status', {})
}

/** One question at a time: what changed meanwhile is asked for once more. */
let listing: Promise<void> | undefined
let isStale = false

export async function refreshLists(): Promise<void> {
  isStale = true
  listing ??= askLists().finally(() => {
    listing = undefined
  })
  await listing
}

async function askLists(): Promise<void> {
  while (isStale) {
    isStale = false
    const [list, asking] = await Promise.all([call('conversation.list', {}), call('request.list', {})])
    conversations.value = list.conversations
    requests.value = asking
  }
}

function takeEvent(event: EventView): void {
  const isTalk = event.event === 'message' || event.event === 'state'
  if (event.event === 'read') {
    const { id, unread } = event.detail
    conversations.value = conversations.value && withUnread(conversations.value, String(id), Number(unread))
  }
  const isUnknown = isTalk && !takeTalk(event)
  if (isUnknown || CHANGES_LISTS.has(event.event)) void refreshLists().catch(tellFailure)
  if (CHANGES_STATUS.has(event.event)) void refreshStatus().catch(() => undefined)
}

function followRoute(): void {
  route.value = parseRoute(location.hash)
  if (phase.value !== 'ready' || conversations.value === undefined) return
  if (route.value.view === 'conversation') void openThread(route.value.id)
  else thread.value = undefined
}
