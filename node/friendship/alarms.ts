/**
 * Alarms about identities (PROTOCOL 2): two records of one place, a record of this identity that was not signed here, or one
 * of a friend's that the friend never signed. Each is kept with its proof, told once as an event, and stands until the root
 * key was rotated past it; what to do about it is the person's matter.
 */
import { concat, equal, toHex, u8, utf8 } from '../crypto/bytes.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import type { RecordAlarm } from '../directory/record-memory.ts'
import { describe } from '../errors.ts'
import { identityRecordKey } from '../identity/record-keys.ts'
import { idToText } from '../identity/root.ts'
import { MAX_FRIENDS, MAX_RECORD_BYTES } from '../limits.ts'
import { type Clock, type Logger, type Store, TABLE } from '../ports.ts'
import { hash32, type Head, head as headShape } from '../wire/records.ts'
import { bytesBetween, decode, encode, optional, struct, uint } from '../wire/schema.ts'

/**
 * By their number at rest. `unknown-head`: a friend says to have seen a record of this identity that was not signed here;
 * `not-theirs`: there is a record of a friend's that the friend, who wrote later, does not know of.
 */
const KINDS = ['equivocation', 'not-ours', 'unknown-head', 'not-theirs'] as const
export type AlarmKind = (typeof KINDS)[number]

export interface Alarm {
  kind: AlarmKind
  /** Whom it is about, or for `unknown-head` who told it; 32 bytes. */
  id: Uint8Array
  /** The record that should not be there. */
  head: Head
  /** The record itself, where it is at hand: it is signed, so it is the proof. */
  record?: Uint8Array
  /** Milliseconds. */
  at: number
}

export interface AlarmsInit {
  journal: Journal
  store: Store
  clock: Pick<Clock, 'now'>
  logger: Logger
  /** Own ID, 32 bytes. */
  self: Uint8Array
  /** The head of an identity that is believed now; undefined for whoever is no contact, and has no alarm. */
  believed: (id: Uint8Array) => Head | undefined
  /** IDs of this person and of every contact. */
  known: () => Uint8Array[]
}

const SCOPE = utf8('alarms')
const row = struct({
  kind: [1, uint(KINDS.length - 1)],
  id: [2, hash32],
  head: [3, headShape],
  record: [4, optional(bytesBetween(1, MAX_RECORD_BYTES))],
  at: [5, uint()],
})

export class Alarms {
  readonly #init: AlarmsInit
  /** By kind and ID: bounded by the contacts. */
  readonly #alarms = new Map<string, Alarm>()

  constructor(init: AlarmsInit) {
    this.#init = init
  }

  /** Reads the alarms of earlier runs. */
  async load(): Promise<void> {
    const limit = KINDS.length * MAX_FRIENDS
    for (const { value } of await this.#init.store.list({ table: TABLE.meta, scope: SCOPE, limit })) {
      const { kind, ...rest } = decode(row, value, MAX_RECORD_BYTES + 256)
      const alarm = { kind: KINDS[kind]!, ...rest }
      this.#alarms.set(nameOf(alarm.kind, alarm.id), alarm)
    }
  }

  /** What stands now, oldest first: not what a rotation of the root key has overruled, or is about nobody any more. */
  list(): Alarm[] {
    return [...this.#alarms.values()].filter((alarm) => this.#stands(alarm)).toSorted((a, b) => a.at - b.at)
  }

  /** A record showed it. Of strangers only the log is told. */
  record({ kind, key, offered, record }: RecordAlarm): void {
    const name = toHex(key)
    const id = this.#init.known().find((one) => toHex(identityRecordKey(one)) === name)
    if (id) this.raise(kind, id, { head: offered, record })
  }

  /** @param id whom it is about, or who told it */
  raise(kind: AlarmKind, id: Uint8Array, { head, record }: Pick<Alarm, 'head' | 'record'>): void {
    const { journal, logger, clock } = this.#init
    const name = nameOf(kind, id)
    const before = this.#alarms.get(name)
    if (before && this.#stands(before)) return
    const alarm: Alarm = { kind, id, head, ...(record && { record }), at: clock.now() }
    if (!this.#stands(alarm)) return
    this.#alarms.set(name, alarm)
    const tx = new Transaction()
    tx.put(TABLE.meta, SCOPE, this.#positionOf(alarm), encode(row, { ...alarm, kind: KINDS.indexOf(kind) }))
    // the place of one that stands no more is free
    for (const [other, old] of this.#alarms) {
      if (this.#stands(old)) continue
      this.#alarms.delete(other)
      tx.delete(TABLE.meta, SCOPE, this.#positionOf(old))
    }
    tx.event('alarm', { kind, id: idToText(id) })
    journal.commit(tx).catch((error: unknown) => {
      if (this.#alarms.get(name) === alarm) this.#alarms.delete(name)
      logger.warn('an alarm could not be written', { problem: describe(error) })
    })
  }

  /** A record of this identity that contradicts the one believed: who it belongs to has to know of it. */
  contradicting(id: Uint8Array): Head | undefined {
    const alarm = this.#alarms.get(nameOf('equivocation', id))
    return alarm && this.#stands(alarm) ? alarm.head : undefined
  }

  /** Whether a record, by its hash, is one that a friend never signed: nothing of it is used. */
  isDisowned(hash: Uint8Array): boolean {
    return this.list().some(({ kind, head }) => kind === 'not-theirs' && equal(head.hash, hash))
  }

  #positionOf({ kind, id }: Pick<Alarm, 'kind' | 'id'>): Uint8Array {
    return this.#init.store.blind(concat(u8(KINDS.indexOf(kind)), id))
  }

  #stands({ kind, id, head }: Alarm): boolean {
    const believed = this.#init.believed(kind === 'unknown-head' ? this.#init.self : id)
    return believed !== undefined && believed.events <= head.events
  }
}

function nameOf(kind: AlarmKind, id: Uint8Array): string {
  return `${kind} ${toHex(id)}`
}
