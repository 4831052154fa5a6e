/** What the event logs of the people's nodes have told so far. */
import type { EventView } from '../../node/api/views.ts'
import type { LoggedMessage } from './metrics.ts'
import type { Name } from './schedule.ts'

export class EventMemory {
  /** By node, in the order of its log. */
  readonly logs = new Map<Name, LoggedMessage[]>()
  /** By node: who is a friend. */
  readonly friends = new Map<Name, Set<Name>>()
  /** By node: the IDs of who has asked. */
  readonly requests = new Map<Name, Set<string>>()
  /** Message IDs that a friend's node has shown, and of which the author knows it. */
  readonly arrived = new Set<string>()
  readonly acknowledged = new Set<string>()
  readonly #names = new Map<string, Name>()

  /** @param id `kith1…` of the node */
  add(name: Name, id: string): void {
    this.#names.set(id, name)
    this.logs.set(name, [])
    this.friends.set(name, new Set())
    this.requests.set(name, new Set())
  }

  nameOf(id: string): Name | undefined {
    return this.#names.get(id)
  }

  /** @param zero when the schedule began, in milliseconds of the epoch */
  hear(name: Name, { event, at, detail }: EventView, zero: number): void {
    const id = String(detail.id ?? '')
    if (event === 'request') this.requests.get(name)!.add(id)
    if (event === 'friend') this.friends.get(name)!.add(this.#names.get(id) ?? id)
    if (event !== 'message' && event !== 'state') return
    const messageId = String(detail.messageId)
    const row: LoggedMessage = { at: Date.parse(at) - zero, messageId, kind: kindOf(event, detail) }
    const friend = this.#names.get(String((row.kind === 'in' ? detail.from : detail.to) ?? ''))
    if (friend !== undefined) row.friend = friend
    this.logs.get(name)!.push(row)
    if (row.kind === 'in') this.arrived.add(messageId)
    if (row.kind === 'delivered') this.acknowledged.add(messageId)
  }
}

function kindOf(event: string, { direction, state }: EventView['detail']): LoggedMessage['kind'] {
  if (event === 'message') return direction === 'in' ? 'in' : 'out'
  return state === 'custody' || state === 'delivered' ? state : 'other'
}
