/**
 * A node as somebody sees it who is limited to one conversation: the friend, the messages exchanged with them, and the
 * events of both. Whatever is not named here is refused, so that a new call of the node is closed until it is opened here.
 */
import { UsageError } from '../errors.ts'
import type { NodeEvent, NodeService } from './service.ts'

/** Rows of the event log that are looked through at once. */
const LOG_PAGE = 500

type Open =
  | 'friends'
  | 'send'
  | 'trace'
  | 'waitForState'
  | 'history'
  | 'conversations'
  | 'markRead'
  | 'setDraft'
  | 'eventsSince'
  | 'lastCursor'

/** Whether an event is of the conversation with `friend` (an ID as text). */
export function isEventOf(friend: string, { detail }: NodeEvent): boolean {
  return detail.id === friend || detail.from === friend || detail.to === friend
}

/** @param friend ID of the friend, as text */
export function limitedService(service: NodeService, friend: string): NodeService {
  const open: Pick<NodeService, Open> = {
    friends: async () => (await service.friends()).filter(({ id }) => id === friend),
    send: async (who, ...rest) => service.send(await named(who), ...rest),
    trace: async (messageId) => {
      await checkMessage(messageId)
      return service.trace(messageId)
    },
    waitForState: async (messageId, ...rest) => {
      await checkMessage(messageId)
      return service.waitForState(messageId, ...rest)
    },
    history: async (options) => service.history({ ...options, who: await named(options.who) }),
    conversations: async () => (await service.conversations()).filter(({ id }) => id === friend),
    markRead: async (who, ...rest) => service.markRead(await named(who), ...rest),
    setDraft: async (who, ...rest) => service.setDraft(await named(who), ...rest),
    async eventsSince(since, limit) {
      const found: NodeEvent[] = []
      for (let cursor = since; ; ) {
        const page = await service.eventsSince(cursor, LOG_PAGE)
        found.push(...page.filter((event) => isEventOf(friend, event)))
        if (page.length < LOG_PAGE || found.length >= limit) return found.slice(0, limit)
        cursor = page.at(-1)!.cursor
      }
    },
    lastCursor: () => service.lastCursor(),
  }

  /** The friend, if that is who is meant. */
  async function named(who: string): Promise<string> {
    const [contact] = await open.friends()
    if (who === friend || who === contact?.petname || friend.startsWith(who)) return friend
    throw refusal()
  }

  async function checkMessage(messageId: string): Promise<void> {
    if ((await service.correspondent(messageId)) !== friend) throw refusal()
  }

  return new Proxy(service, {
    get: (_, name) => (Object.hasOwn(open, name) ? open[name as Open] : () => Promise.reject(refusal())),
  })
}

function refusal(): UsageError {
  return new UsageError('FORBIDDEN', 'this caller is limited to one other conversation')
}
