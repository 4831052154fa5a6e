/**
 * A node as somebody sees it who is limited to one conversation: the friend, the messages exchanged with them, and the
 * events of both. Whatever is not named here is refused, so that a new call of the node is closed until it is opened here.
 */
import { UsageError } from '../errors.ts'
import type { NodeEvent, NodeService } from './service.ts'

type Open =
  | 'friends'
  | 'send'
  | 'trace'
  | 'waitForState'
  | 'history'
  | 'search'
  | 'conversations'
  | 'markRead'
  | 'setDraft'
  | 'openConsumer'
  | 'acknowledge'
  | 'consumers'
  | 'forgetConsumer'
  | 'lastCursor'

/** Whether an event is of the conversation with `friend` (an ID as text). */
export function isEventOf(friend: string, { detail }: NodeEvent): boolean {
  return detail.id === friend || detail.from === friend || detail.to === friend
}

/** @param friend ID of the friend, as text */
export function limitedService(service: NodeService, friend: string): NodeService {
  // consumers of others are not seen and not moved
  const own = `${friend}/`
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
    search: async ({ who = friend, ...rest }) => service.search({ ...rest, who: await named(who) }),
    conversations: async () => (await service.conversations()).filter(({ id }) => id === friend),
    markRead: async (who, ...rest) => service.markRead(await named(who), ...rest),
    setDraft: async (who, ...rest) => service.setDraft(await named(who), ...rest),
    openConsumer: async (name, from) => service.openConsumer(own + name, from),
    acknowledge: async (name, cursor) => service.acknowledge(own + name, cursor),
    consumers: async () =>
      (await service.consumers())
        .filter(({ consumer }) => consumer.startsWith(own))
        .map((view) => ({ ...view, consumer: view.consumer.slice(own.length) })),
    forgetConsumer: async (name) => service.forgetConsumer(own + name),
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
