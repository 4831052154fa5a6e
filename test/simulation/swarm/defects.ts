/**
 * Planted defects: what a node would do whose program were wrong in one place. Each stands between a node and its ports, so
 * that no product code knows of them; a swarm that does not find one of them proves nothing about it.
 */
import { concat, toHex, u64 } from '../../../node/crypto/bytes.ts'
import { claimRow, readRow, slipRow } from '../../../node/custody/rows.ts'
import { laneRow } from '../../../node/delivery/channel.ts'
import { ENVELOPE_BYTES, MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { type Ports, type RowChange, type RowKey, type Store, TABLE } from '../../../node/ports.ts'
import { decodeMailboxes, encodeMailboxes } from '../../../node/mailbox/generations.ts'
import { MAX_PAYLOAD_BYTES, payload as payloadShape } from '../../../node/wire/payload.ts'
import * as wire from '../../../node/wire/commands.ts'
import { bytes, bytesBetween, decode, encode, optional, struct, uint } from '../../../node/wire/schema.ts'
import { SECOND } from '../engine.ts'
import type { Invariant } from './invariants.ts'
import type { Trait } from './plan.ts'
import {
  type Life,
  blindTo,
  calling,
  careless,
  early,
  isLane,
  isMailboxes,
  isOf,
  knowsByPlace,
  saying,
  serving,
  storing,
  unverified,
  verbOf,
  writing,
} from './wrong-ports.ts'

export interface Defect {
  name: string
  /** A seed that finds it, to be tried first where that saves time; what comes after it is tried like anywhere. @default 1 */
  first?: number
  /** Only seeds with this trait can find it. */
  needs?: Trait
  /** Invariants that may tell of it. */
  breaks: readonly Invariant[]
  /** What a person's node gets in place of its ports. */
  person?: (ports: Ports, life: Life) => Ports
  /** What a relay gets. */
  relay?: (ports: Ports, life: Life) => Ports
}

const { VERB, STATUS } = wire
/** As in `direct-delivery.ts`: when a message goes the other ways as well. */
const DIRECT_ALONE_MS = [2000, 10_000]
const RECEIPT_DELAY_MS = [SECOND, 5 * SECOND] as const
/** As in the history: the fields of a row. */
const historyRow = struct({
  messageId: [1, bytes(16)],
  direction: [2, uint(1)],
  payload: [3, bytesBetween(0, MAX_PAYLOAD_BYTES)],
  receivedAt: [4, uint()],
  via: [5, optional(uint(1))],
})

export const DEFECTS: readonly Defect[] = [
  { name: 'tells of a batch before it is on the disk', breaks: ['noLoss', 'keyOnce', 'truthfulStates'], person: early },
  {
    name: 'writes a batch in two pieces',
    breaks: ['noLoss', 'noDuplicate', 'keyOnce', 'causalOrder', 'truthfulStates', 'bounded'],
    person: storing((store) => ({
      write: async (changes) => {
        const half = changes.length >> 1
        if (half > 0) await store.write(changes.slice(0, half))
        await store.write(changes.slice(half))
      },
    })),
  },
  { name: 'does not know an envelope again', breaks: ['bounded', 'noLoss'], person: blindTo(TABLE.seen) },
  {
    name: 'writes what it knows of a message with the next one that it sends',
    first: 11,
    breaks: ['noDuplicate', 'noLoss', 'truthfulStates'],
    person: storing((store) => {
      const waiting = new Map<string, RowChange>()
      const nameOf = ({ table, position }: RowKey): string => `${table} ${toHex(position)}`
      const isMemory = ({ table }: RowKey): boolean => table === TABLE.seen || table === TABLE.historyIndex
      return {
        get: async (key) => waiting.get(nameOf(key))?.value ?? (await store.get(key)),
        write: async (changes) => {
          if (changes.some(({ key }) => key.table === TABLE.outbox)) {
            const all = [...waiting.values(), ...changes]
            waiting.clear()
            return await store.write(all)
          }
          for (const one of changes) if (isMemory(one.key)) waiting.set(nameOf(one.key), one)
          return await store.write(changes.filter((one) => !isLane(one) && !isMemory(one.key)))
        },
      }
    }),
  },
  {
    name: 'keeps the tag counter in memory alone',
    breaks: ['keyOnce'],
    person: writing((changes) =>
      changes.map((change) => {
        if (!isLane(change)) return change
        const row = decode(laneRow, change.value!, 1_100_000)
        return { ...change, value: encode(laneRow, { ...row, tagCounter: 10_000 }) }
      }),
    ),
  },
  {
    name: 'keeps the session in memory alone',
    // a node that notices that its home is an older one refuses to send
    breaks: ['keyOnce', 'noBug'],
    person: writing((changes) => changes.filter((one) => !isLane(one))),
  },
  { name: 'forgets at restart what it has not sent', breaks: ['noLoss'], person: blindTo(TABLE.outbox, 2) },
  {
    name: 'keeps the receipts that it owes in memory alone',
    first: 31,
    breaks: ['noLoss'],
    person: writing((changes) => changes.filter((one) => !isOf(TABLE.receiptDue)(one))),
  },
  {
    name: 'loses the wake-up for receipts after a crash',
    breaks: ['noLoss'],
    person: (ports, { life }) => {
      const { clock } = ports
      const [low, high] = RECEIPT_DELAY_MS
      const isLost = (ms: number): boolean => life > 1 && ms >= low && ms <= high
      return { ...ports, clock: { ...clock, after: (ms, run) => clock.after(ms, isLost(ms) ? () => undefined : run) } }
    },
  },
  {
    name: 'gives a relay up after one failure',
    breaks: ['noLoss', 'bounded'],
    person: (ports) => {
      const { network } = ports
      const failed = new Map<string, unknown>()
      const connect: typeof network.connect = async (server) => {
        if (failed.has(server)) throw failed.get(server)
        try {
          return await network.connect(server)
        } catch (error) {
          failed.set(server, error)
          throw error
        }
      }
      return { ...ports, network: { ...network, connect } }
    },
  },
  { name: 'takes a full disk for a good one', breaks: ['noLoss', 'keyOnce', 'truthfulStates'], person: careless },
  {
    name: 'writes nothing more after a full disk',
    first: 68,
    breaks: ['noLoss', 'bounded'],
    person: storing((store) => {
      let broken: unknown
      return {
        write: async (changes) => {
          if (broken !== undefined) throw broken
          await store.write(changes).catch((error: unknown) => {
            broken = error
            throw error
          })
        },
      }
    }),
  },
  {
    name: 'orders the history by the clock',
    breaks: ['causalOrder'],
    person: writing((changes) =>
      changes.map((change) => {
        const { key, value } = change
        if (key.table !== TABLE.history || value === undefined) return change
        const { payload } = decode(historyRow, value, 2 * MAX_PAYLOAD_BYTES)
        const { sentAt } = decode(payloadShape, payload, MAX_PAYLOAD_BYTES)
        return { key: { ...key, position: concat(u64(sentAt), key.position.subarray(8)) }, value }
      }),
    ),
  },
  { name: 'says custody with the first receipt', breaks: ['truthfulStates'], person: saying('sent', 'custody') },
  { name: "says delivered with the relays' word", breaks: ['truthfulStates'], person: saying('custody', 'delivered') },
  {
    name: 'never takes anything out of the outbox',
    breaks: ['bounded', 'noLoss', 'truthfulStates'],
    person: writing((changes) => changes.filter(({ key, value }) => key.table !== TABLE.outbox || value !== undefined)),
  },
  {
    name: 'loses mail between the relay and the inbox',
    breaks: ['noLoss', 'bounded'],
    person: calling((link) => ({
      call: async (frame, timeoutMs) => {
        const answer = await link.call(frame, timeoutMs)
        if (verbOf(frame) !== VERB.pull) return answer
        const said = decode(wire.answer, answer, MAX_FRAME_BYTES)
        if (said.status !== STATUS.ok) return answer
        const window = decode(wire.readAnswer, said.body, MAX_FRAME_BYTES)
        const items = window.items.filter(({ copy }) => copy[0]! % 4 > 0)
        return encode(wire.answer, { ...said, body: encode(wire.readAnswer, { ...window, items }) })
      },
    })),
  },
  {
    name: 'says the text on gossip',
    breaks: ['confidential'],
    person: (ports) => {
      const { network, store } = ports
      let said: Uint8Array = new Uint8Array(0)
      const write: Store['write'] = async (changes) => {
        said = changes.find(isOf(TABLE.history))?.value ?? said
        await store.write(changes)
      }
      const publish: typeof network.publish = async (topic, envelope) => {
        const leak = envelope.slice()
        if (said.length < ENVELOPE_BYTES[0] / 2) leak.set(said, 100)
        return await network.publish(topic, leak)
      }
      return { ...ports, store: { ...store, write }, network: { ...network, publish } }
    },
  },
  {
    name: 'adopts an older update of a mailbox last',
    needs: 'ages',
    breaks: ['generationsAgree', 'mailboxNotRefilled', 'noLoss', 'bounded'],
    person: writing((changes) =>
      changes.map((change) => {
        if (!isMailboxes(change)) return change
        const mailboxes = decodeMailboxes(change.value!)
        const { writing: newest, former } = mailboxes
        if (!newest || newest.replacement === 0 || former.length === 0) return change
        const older = { ...newest, secret: former.at(-1)! }
        return { ...change, value: encodeMailboxes({ ...mailboxes, writing: older }) }
      }),
    ),
  },
  {
    name: "has no other way when a friend's own node is slow",
    needs: 'direct',
    breaks: ['noLoss'],
    person: (ports) => {
      const { clock } = ports
      const after: typeof clock.after = (ms, run) =>
        clock.after(ms, DIRECT_ALONE_MS.includes(ms) ? () => undefined : run)
      return { ...ports, clock: { ...clock, after } }
    },
  },
  {
    name: 'does not write down that a friend remembers more',
    needs: 'restored',
    breaks: ['rollbackNoticed', 'keyOnce'],
    person: writing((changes) =>
      changes.map((change) => {
        if (!isLane(change)) return change
        const { behind: _, ...row } = decode(laneRow, change.value!, 1_100_000)
        return { ...change, value: encode(laneRow, row) }
      }),
    ),
  },
  {
    name: 'believes a delivered from before it was put back',
    needs: 'restored',
    breaks: ['truthfulStates'],
    person: (ports, { memory }) => ({ ...ports, store: { ...ports.store, write: knowsByPlace(ports, memory) } }),
  },
  {
    name: 'forgets who was verified when a session is replaced',
    needs: 'restored',
    breaks: ['healed'],
    person: storing((store) => ({
      write: async (changes) => await store.write(await Promise.all(changes.map(unverified))),
    })),
  },
  { name: 'relay: signs before the sync', breaks: ['truthfulStates'], relay: early },
  { name: 'relay: takes a full disk for a good one', first: 9, breaks: ['truthfulStates'], relay: careless },
  {
    name: 'relay: signs for copies that it does not keep',
    breaks: ['truthfulStates'],
    relay: writing((changes) => changes.filter((one) => !isOf(TABLE.copy)(one))),
  },
  {
    name: 'relay: forgets what was acknowledged',
    breaks: ['mailboxNotRefilled'],
    relay: writing((changes) =>
      changes.map((change) => {
        const { key, value } = change
        if (key.table !== TABLE.tombstone || value === undefined || key.scope.length === 0) return change
        return readRow(slipRow, value).proof ? { key, value: undefined } : change
      }),
    ),
  },
  {
    name: 'relay: forgets that a mailbox was released',
    first: 11,
    breaks: ['mailboxNotRefilled'],
    relay: writing((changes) =>
      changes.map((change) => {
        if (change.key.table !== TABLE.claim || change.value === undefined) return change
        return { ...change, value: encode(claimRow, { ...readRow(claimRow, change.value), release: undefined }) }
      }),
    ),
  },
  {
    name: 'relay: does not wake who waits for mail',
    breaks: ['noLoss', 'bounded'],
    relay: serving((server) => {
      let pulls = 0
      return {
        handle: async (frame) => {
          if (verbOf(frame) === VERB.pull && pulls++ > 0) return new Promise<Uint8Array>(() => {})
          return server.handle(frame)
        },
      }
    }),
  },
]
