/** What the API offers of messages that are sent: writing one, where it is, and the way it took. */
import type { DeliveryState, MessageTrace, NodeService } from '../api/service.ts'
import { toHex } from '../crypto/bytes.ts'
import { tellTrail } from '../delivery/trail.ts'
import { UsageError } from '../errors.ts'
import type { Contact } from '../friendship/contact.ts'
import { idToText } from '../identity/root.ts'
import type { Clock } from '../ports.ts'
import { parseMessageId } from './conversation-service.ts'
import type { Parts } from './parts.ts'

export interface MessageServiceInit {
  clock: Clock
  parts: Pick<Parts, 'self' | 'friendship' | 'conversations' | 'delivery' | 'journal'>
}

const FINAL: readonly DeliveryState[] = ['delivered', 'read', 'expired', 'failed']
const RANK: Record<DeliveryState, number> = {
  queued: 0,
  sent: 1,
  custody: 2,
  delivered: 3,
  read: 4,
  expired: 5,
  failed: 5,
}

export class MessageService implements Pick<NodeService, 'send' | 'waitForState' | 'trace' | 'correspondent'> {
  readonly #clock: Clock
  readonly #parts: MessageServiceInit['parts']

  constructor({ clock, parts }: MessageServiceInit) {
    this.#clock = clock
    this.#parts = parts
  }

  async send(who: string, text: string, key?: string): Promise<{ messageId: string; state: DeliveryState }> {
    const { friendship, conversations, delivery } = this.#parts
    const contact = friendship.resolve(who)
    const check = (): void => this.#checkMaySend(contact)
    if (key === undefined) check()
    const messageId =
      key === undefined
        ? await conversations.sendText(contact.id, text)
        : await conversations.sendTextOnce(contact.id, text, key, check)
    const state = delivery.status.stateOf(contact.id, messageId)
    return {
      messageId: toHex(messageId),
      state: state ?? (await conversations.history.settledState(messageId))?.state ?? 'queued',
    }
  }

  #checkMaySend(contact: Contact): void {
    if (contact.state !== 'friend' && contact.state !== 'accepted') {
      throw new UsageError('NOT_A_FRIEND', `this contact is ${contact.state}, not a friend`, {
        hint: contact.state === 'outgoing' ? 'wait until they accept' : 'ask them first: `kith add INVITE`',
      })
    }
    this.#parts.friendship.keys.checkAccepted(contact)
  }

  async waitForState(messageId: string, state: DeliveryState, timeoutMs: number): Promise<DeliveryState> {
    const id = parseMessageId(messageId)
    return await new Promise<DeliveryState>((resolve, reject) => {
      const look = (last: boolean): void => {
        this.#stateOf(id).then((reached) => {
          if (reached === undefined) {
            end()
            reject(new UsageError('UNKNOWN_MESSAGE', 'no message of this node has this ID'))
          } else if (last || RANK[reached] >= RANK[state] || FINAL.includes(reached)) {
            end()
            resolve(reached)
          }
        }, reject)
      }
      const timer = this.#clock.after(timeoutMs, () => look(true))
      const unlisten = this.#parts.journal.onEvent(({ event, detail }) => {
        if (event === 'state' && detail.messageId === messageId) look(false)
      })
      const end = (): void => {
        timer.cancel()
        unlisten()
      }
      look(false)
    })
  }

  async correspondent(messageId: string): Promise<string | undefined> {
    const friend = await this.#recipientOf(parseMessageId(messageId))
    return friend && idToText(friend.id)
  }

  async trace(messageId: string): Promise<MessageTrace> {
    const { conversations, delivery } = this.#parts
    const id = parseMessageId(messageId)
    const state = await this.#stateOf(id)
    const friend = await this.#recipientOf(id)
    if (!state || !friend) {
      throw new UsageError('UNKNOWN_MESSAGE', 'no message that was sent from here has this ID', {
        hint: '`kith history WHO --json` shows the IDs',
      })
    }
    const onItsWay = delivery.status.trace(friend.id, id)
    const rows = onItsWay?.rows ?? (await conversations.history.trail(id)) ?? []
    const nameOf = (server: Uint8Array): string => delivery.status.nameOfServer(server)
    const told = tellTrail(rows, { friend: idToText(friend.id), nameOf })
    return { messageId: toHex(id), state, steps: [...told, ...(onItsWay?.waiting ?? [])] }
  }

  /** Shows a part of a conversation, and marks all of it as read. */
  async #stateOf(id: Uint8Array): Promise<DeliveryState | undefined> {
    const { friendship, conversations, delivery } = this.#parts
    for (const contact of friendship.all()) {
      const state = delivery.status.stateOf(contact.id, id)
      if (state) return state
    }
    return (await conversations.history.settledState(id))?.state
  }

  async #recipientOf(id: Uint8Array): Promise<Contact | undefined> {
    const { friendship, conversations, delivery } = this.#parts
    const contacts = friendship.all()
    const conversation = await conversations.history.conversationOf(id)
    return contacts.find(
      (contact) =>
        delivery.status.stateOf(contact.id, id) !== undefined ||
        (conversation && toHex(conversations.conversationWith(contact.id)) === toHex(conversation)),
    )
  }
}
