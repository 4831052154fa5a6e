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
 * `not-theirs`: there is a record of a friend's that the friend, who wrote later, does not know of. `copy`: there is a prekey
 * of this device that this home never made, so another home has its keys.
 */
const KINDS = ['equivocation', 'not-ours', 'unknown-head', 'not-theirs', 'copy'] as const
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
  /** Where the prekey record of this device lies, and the `seq` of the one that was made here last. */
  ownPrekey: () => { key: Uint8Array; seq: number }
  /** IDs of this person and of every contact. */
  known: () => Uint8Array[]
}

const SCOPE = utf8('alarms')
const NOTHING = new Uint8Array(0)
const row = struct({
  kind: [1, uint(KINDS.length - 1)],
  id: [2, hash32],
  head: [3, headShape],
  record: [4, optional(bytesBetween(1, MAX_RECORD_BYTES))],
  at: [5, uint()],
})

/** Records of one contact's that are disowned at once: the newest, for whatever lies below them is not used either. */
const MAX_DISOWNED = 8

interface Kept extends Alarm {
  /** Of its row. */
  position: Uint8Array
  isWritten: boolean
  /** It is the first of its kind and ID, so it is told as an event when it is written. */
  isNews: boolean
}

export class Alarms {
  readonly #init: AlarmsInit
  /** By kind and ID, and for `not-theirs` by record: bounded by the contacts. */
  readonly #alarms = new Map<string, Kept>()

  constructor(init: AlarmsInit) {
    this.#init = init
  }

  /** Reads the alarms of earlier runs. */
  async load(): Promise<void> {
    const limit = (KINDS.length + MAX_DISOWNED) * MAX_FRIENDS
    for (const { position, value } of await this.#init.store.list({ table: TABLE.meta, scope: SCOPE, limit })) {
      const { kind, ...rest } = decode(row, value, MAX_RECORD_BYTES + 256)
      const alarm = { kind: KINDS[kind]!, ...rest }
      this.#alarms.set(nameOf(alarm), { ...alarm, position, isWritten: true, isNews: false })
    }
  }

  /** What stands now, one of each kind and ID, oldest first: not what a rotation has overruled, or is about nobody any more. */
  list(): Alarm[] {
    const oldest = new Map<string, Alarm>()
    for (const kept of this.#standing().toSorted((a, b) => a.at - b.at)) {
      const about = `${kept.kind} ${toHex(kept.id)}`
      if (!oldest.has(about)) oldest.set(about, alarmOf(kept))
    }
    return [...oldest.values()]
  }

  /** A record showed it. Of strangers only the log is told. */
  record({ kind, key, offered, record }: RecordAlarm): void {
    const { self, ownPrekey } = this.#init
    const name = toHex(key)
    if (name === toHex(ownPrekey().key)) {
      this.raise('copy', self, { head: offered, record })
      return
    }
    const id = this.#init.known().find((one) => toHex(identityRecordKey(one)) === name)
    if (id) this.raise(kind, id, { head: offered, record })
  }

  /** @param id whom it is about, or who told it */
  raise(kind: AlarmKind, id: Uint8Array, { head, record }: Pick<Alarm, 'head' | 'record'>): void {
    const { clock, store, self, believed } = this.#init
    const rotations = believed(self)?.events ?? 0
    // what a friend says without a proof ends with the next rotation: if it goes on, the friend says so again
    const events =
      kind === 'unknown-head' ? Math.min(head.events, rotations) : kind === 'copy' ? rotations : head.events
    const alarm: Alarm = { kind, id, head: { ...head, events }, ...(record && { record }), at: clock.now() }
    const known = this.#alarms.get(nameOf(alarm))
    if (!this.#stands(alarm) || (known && this.#stands(known))) {
      this.write()
      return
    }
    const isNews = !this.#standing().some((one) => one.kind === kind && equal(one.id, id))
    const place = concat(u8(KINDS.indexOf(kind)), id, kind === 'not-theirs' ? head.hash : NOTHING)
    this.#alarms.set(nameOf(alarm), { ...alarm, position: store.blind(place), isWritten: false, isNews })
    const tx = new Transaction()
    this.#dropOldest(tx, id)
    this.#write(tx)
  }

  /** Writes what the disk could not take before. */
  write(): void {
    if ([...this.#alarms.values()].some(({ isWritten }) => !isWritten)) this.#write(new Transaction())
  }

  /** A friend names a record as their own: it is theirs after all, and was on its way when they wrote what spoke against it. */
  owned(id: Uint8Array, hash: Uint8Array): void {
    const gone = [...this.#alarms.values()].filter(
      (one) => one.kind === 'not-theirs' && equal(one.id, id) && equal(one.head.hash, hash),
    )
    if (gone.length === 0) return
    const tx = new Transaction()
    for (const one of gone) this.#drop(tx, one)
    this.#write(tx)
  }

  /** The friendship ended: what they said of this identity goes with it. */
  forget(tx: Transaction, id: Uint8Array): void {
    for (const one of this.#alarms.values()) {
      if (one.kind !== 'unknown-head' || !equal(one.id, id)) continue
      this.#delete(tx, one)
      tx.afterCommit(() => this.#alarms.delete(nameOf(one)))
    }
  }

  /** A record of this identity that contradicts the one believed: who it belongs to has to know of it. */
  contradicting(id: Uint8Array): Head | undefined {
    return this.#standing().find((one) => one.kind === 'equivocation' && equal(one.id, id))?.head
  }

  /** Whether a record, by its hash, is one that a friend never signed: nothing of it is used. */
  isDisowned(hash: Uint8Array): boolean {
    return this.#standing().some(({ kind, head }) => kind === 'not-theirs' && equal(head.hash, hash))
  }

  #standing(): Kept[] {
    return [...this.#alarms.values()].filter((alarm) => this.#stands(alarm))
  }

  #stands({ kind, id, head }: Alarm): boolean {
    const { believed, self, ownPrekey } = this.#init
    // a home that is put back meets what was made in it later, once: if another runs, it makes the next one too
    if (kind === 'copy' && head.seq < ownPrekey().seq) return false
    const about = believed(kind === 'unknown-head' ? self : id)
    return about !== undefined && about.events <= head.events && believed(id) !== undefined
  }

  #dropOldest(tx: Transaction, id: Uint8Array): void {
    const disowned = [...this.#alarms.values()].filter((one) => one.kind === 'not-theirs' && equal(one.id, id))
    const tooMany = disowned.toSorted((a, b) => b.at - a.at || b.head.seq - a.head.seq).slice(MAX_DISOWNED)
    // the place of one that stands no more is free
    for (const old of [...tooMany, ...[...this.#alarms.values()].filter((one) => !this.#stands(one))])
      this.#drop(tx, old)
  }

  #drop(tx: Transaction, alarm: Kept): void {
    this.#alarms.delete(nameOf(alarm))
    this.#delete(tx, alarm)
  }

  #delete(tx: Transaction, { position }: Kept): void {
    tx.delete(TABLE.meta, SCOPE, position)
  }

  #write(tx: Transaction): void {
    const { journal, logger } = this.#init
    const unwritten = [...this.#alarms.values()].filter(({ isWritten }) => !isWritten)
    for (const one of unwritten) {
      tx.put(TABLE.meta, SCOPE, one.position, encode(row, { ...alarmOf(one), kind: KINDS.indexOf(one.kind) }))
      if (one.isNews) tx.event('alarm', { kind: one.kind, id: idToText(one.id) })
      one.isWritten = true
    }
    journal.commit(tx).catch((error: unknown) => {
      for (const one of unwritten) one.isWritten = false
      logger.warn('an alarm could not be written', { problem: describe(error) })
    })
  }
}

function alarmOf({ kind, id, head, record, at }: Kept): Alarm {
  return { kind, id, head, ...(record && { record }), at }
}

function nameOf({ kind, id, head }: Alarm): string {
  return `${kind} ${toHex(id)}${kind === 'not-theirs' ? ` ${toHex(head.hash)}` : ''}`
}
