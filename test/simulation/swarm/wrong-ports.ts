/** Ways in which a program may be wrong, as ports that stand between a node and its own: what `defects.ts` makes defects of. */
import { toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { loadEntries } from '../../../node/delivery/outbox.ts'
import { loadContacts, putContact } from '../../../node/friendship/contact.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { type Link, type LinkServer, type Ports, type RowChange, type Store, TABLE } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode } from '../../../node/wire/schema.ts'
import { outboxIn } from './person-watch.ts'

/** One life of the node that is to be wrong. */
export interface Life {
  /** 1 for the first. */
  life: number
  /** What the defect remembers over all lives of the node. */
  memory: Map<string, string>
}

const LANE = utf8('l')[0]!
const MAILBOXES = utf8('b')[0]!

export function storing(change: (store: Store, life: Life) => Partial<Store>) {
  return (ports: Ports, life: Life): Ports => ({ ...ports, store: { ...ports.store, ...change(ports.store, life) } })
}

/** What is written is something else. */
export function writing(change: (changes: readonly RowChange[]) => readonly RowChange[]) {
  return storing((store) => ({ write: (changes) => store.write(change(changes)) }))
}

/** Reads of one table find nothing. */
export function blindTo(table: number, from = 1) {
  return storing((store, { life }) => ({
    get: async (key) => (key.table === table && life >= from ? undefined : store.get(key)),
    list: async (range) => (range.table === table && life >= from ? [] : store.list(range)),
  }))
}

/** Links of a person, whose calls go another way. */
export function calling(change: (link: Link) => Partial<Link>) {
  return (ports: Ports): Ports => {
    const { network } = ports
    return {
      ...ports,
      network: {
        ...network,
        connect: async (server) => {
          const link = await network.connect(server)
          return { ...link, ...change(link) }
        },
      },
    }
  }
}

/** Streams of a relay, which are served another way. */
export function serving(change: (server: LinkServer) => Partial<LinkServer>) {
  return (ports: Ports): Ports => {
    const { network } = ports
    return {
      ...ports,
      network: {
        ...network,
        start: async (inbound) =>
          network.start({
            ...inbound,
            serve: (source) => {
              const server = inbound.serve(source)
              return (
                server && {
                  ...server,
                  handle: (frame) => server.handle(frame),
                  close: () => server.close(),
                  ...change(server),
                }
              )
            },
          }),
      },
    }
  }
}

interface EventRow {
  event: string
  detail: Record<string, unknown>
}

/** What the log says of a state is another one. */
function told(changes: readonly RowChange[], from: string, to: string): RowChange[] {
  return changes.map((change) => {
    if (change.key.table !== TABLE.event || change.value === undefined) return change
    const row = JSON.parse(Buffer.from(change.value).toString()) as EventRow
    if (row.detail['state'] !== from) return change
    row.detail['state'] = to
    return { ...change, value: utf8(JSON.stringify(row)) }
  })
}

export const saying = (from: string, to: string) => writing((changes) => told(changes, from, to))

export const isLane = ({ key, value }: RowChange): boolean =>
  key.table === TABLE.session && key.position[0] === LANE && value !== undefined
export const isOf = (table: number) => (change: RowChange) => change.key.table === table && change.value !== undefined

/** Writes that are said to be done before they are. */
export const early = storing((store) => ({
  write: async (changes) => {
    store.write(changes).catch(() => undefined)
  },
}))

export const careless = storing((store) => ({ write: (changes) => store.write(changes).catch(() => undefined) }))

export function verbOf(frame: Uint8Array): number | undefined {
  try {
    return decode(wire.request, frame, MAX_FRAME_BYTES).verb
  } catch {
    return undefined
  }
}

/** A contact with whom a session was replaced is verified no more. */
export async function unverified(change: RowChange): Promise<RowChange> {
  const { key, value } = change
  if (key.table !== TABLE.contact || value === undefined) return change
  const store = { list: async () => [{ position: key.position, value }], blind: () => key.position }
  const [contact] = await loadContacts(store as unknown as Store)
  if (!contact?.rekeying) return change
  const tx = new Transaction()
  putContact(tx, store as unknown as Store, { ...contact, verified: false })
  return { key, value: tx.changes[0]!.value }
}

export const isMailboxes = ({ key, value }: RowChange): boolean =>
  key.table === TABLE.session && key.position[0] === MAILBOXES && value !== undefined

/** States that a batch tells of. */
function statesIn(changes: readonly RowChange[]): { messageId: string; state: string }[] {
  return changes.filter(isOf(TABLE.event)).flatMap(({ value }) => {
    const { event, detail } = JSON.parse(Buffer.from(value!).toString()) as EventRow
    return event === 'state' ? [{ messageId: String(detail['messageId']), state: String(detail['state']) }] : []
  })
}

/** A message is known by its place in the ratchet: what was once acknowledged there counts for whatever stands there. */
export function knowsByPlace({ store }: Ports, memory: Map<string, string>): Store['write'] {
  return async (changes) => {
    for (const scope of new Set(changes.filter(isOf(TABLE.outbox)).map(({ key }) => key.scope))) {
      for (const { messageId, lane, chain, count } of await loadEntries(outboxIn(changes, scope), scope)) {
        if (lane) memory.set(toHex(messageId), `${toHex(lane)}/${chain}/${count}`)
      }
    }
    let said = changes
    for (const { messageId, state } of statesIn(changes)) {
      const place = memory.get(messageId) ?? messageId
      if (state === 'delivered') memory.set(`delivered ${place}`, messageId)
      else if (memory.has(`delivered ${place}`)) said = told(said, state, 'delivered')
    }
    await store.write(said)
  }
}
