/**
 * What this node has seen of each record (PROTOCOL 2): the best version by the order of heads, so that nobody can roll
 * it back. Records of strangers are remembered up to a bound; pinned ones (own, and contacts') never leave and lie in the
 * store. Two records for one place in the order are an alarm: a pin stays and follows only a higher one, for strangers
 * the lower hash stays, as in every store. Checking records is `identity/`'s work, asking for them `directory.ts`'s.
 */
import { equal, fromHex, toHex } from '../crypto/bytes.ts'
import { RECORD_KEY_BYTES, validateRecordAt } from '../identity/record-keys.ts'
import { compareHeads, equivocates, type IdentityView, type PrekeyView } from '../identity/records.ts'
import { UsageError } from '../errors.ts'
import { MAX_PINNED_RECORDS, MAX_RECORD_BYTES, MAX_REMEMBERED_RECORDS } from '../limits.ts'
import { type Logger, type Row, type RowChange, type Store, TABLE } from '../ports.ts'
import { type Head, head } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, optional, struct, uint } from '../wire/schema.ts'

export type RecordView = IdentityView | PrekeyView

/** What an offered record was, against the best seen before. */
export type Offer = 'newer' | 'same' | 'older' | 'equivocation'

/** Why a person should look: two records for one place, or a record of ours that this device never made. */
export interface RecordAlarm {
  kind: 'equivocation' | 'not-ours'
  /** DHT key. */
  key: Uint8Array
  known: Head
  offered: Head
  /** The record that showed it: it is signed, so it is the proof. */
  record: Uint8Array
}

export interface RecordMemoryInit {
  store: Store
  logger: Logger
  /** Called once for each offending record. */
  onAlarm: (alarm: RecordAlarm) => void
}

const ROLE = { seen: 0, contact: 1, own: 2 } as const
type Role = (typeof ROLE)[keyof typeof ROLE]

interface Entry {
  key: Uint8Array
  role: Role
  head: Head
  /** Absent while only the head is known: a pin from an invite or a message. */
  record?: Uint8Array
  view?: RecordView
}

const STORAGE_VERSION = 1
const row = struct({
  version: [1, uint(255)],
  key: [2, bytes(RECORD_KEY_BYTES)],
  role: [3, uint(2)],
  head: [4, head],
  record: [5, optional(bytesBetween(1, MAX_RECORD_BYTES))],
})
const MAX_ROW_BYTES = MAX_RECORD_BYTES + 256
const SCOPE = new Uint8Array(0)
const PAGE = 500
/** Offenders that were told of already; a lookup meets the same one again and again. */
const MAX_TOLD = 256

export class RecordMemory {
  readonly #init: RecordMemoryInit
  /** Strangers' records, least recently used first. */
  readonly #seen = new Map<string, Entry>()
  readonly #pinned = new Map<string, Entry>()
  readonly #told = new Set<string>()
  readonly #dirty = new Set<string>()
  #writing: Promise<void> | undefined

  constructor(init: RecordMemoryInit) {
    this.#init = init
  }

  /** Reads the pinned records of earlier runs; what was pinned meanwhile stays when it is higher. */
  async load(): Promise<void> {
    const { store, logger } = this.#init
    let from: Uint8Array | undefined
    for (;;) {
      const rows: Row[] = await store.list({ table: TABLE.record, scope: SCOPE, from, limit: PAGE })
      for (const { value } of rows) {
        try {
          this.#restore(value)
        } catch {
          logger.warn('a remembered record has another form and is left out')
        }
      }
      if (rows.length < PAGE) return
      from = after(rows.at(-1)!.position)
    }
  }

  /** Strangers' and pinned records held now. */
  get size(): number {
    return this.#seen.size + this.#pinned.size
  }

  /** The best record seen at a key; undefined when none was, or only its head is pinned. */
  get(key: Uint8Array): RecordView | undefined {
    const entry = this.#find(toHex(key))
    if (entry?.record) entry.view ??= validateRecordAt(entry.key, entry.record)
    return entry?.view
  }

  /** Head of the best record seen or pinned at a key. */
  headOf(key: Uint8Array): Head | undefined {
    return this.#find(toHex(key))?.head
  }

  isPinned(key: Uint8Array): boolean {
    return this.#pinned.has(toHex(key))
  }

  isOwn(key: Uint8Array): boolean {
    return this.#pinned.get(toHex(key))?.role === ROLE.own
  }

  /** Compares a checked record with the best one and keeps the winner. Own records are replaced by `own` alone. */
  offer(key: Uint8Array, view: RecordView): Offer {
    const name = toHex(key)
    const entry = this.#find(name)
    if (!entry) {
      this.#remember(name, { key, role: ROLE.seen, head: view.head, record: view.bytes, view })
      return 'newer'
    }
    if (equal(entry.head.hash, view.head.hash)) {
      if (!entry.record) this.#replace(name, entry, view)
      return 'same'
    }
    const order = compareHeads(view.head, entry.head)
    if (equivocates(view.head, entry.head)) {
      this.#alarm('equivocation', entry, view)
      if (entry.role === ROLE.seen && order > 0) this.#replace(name, entry, view)
      return 'equivocation'
    }
    if (order < 0) return 'older'
    if (entry.role === ROLE.own) this.#alarm('not-ours', entry, view)
    else this.#replace(name, entry, view)
    return 'newer'
  }

  /**
   * Pins a contact's record: from now on nothing below this head is believed, across restarts.
   * @throws UsageError `TOO_MANY` when the pins are full
   */
  pin(key: Uint8Array, pinned: Head): void {
    const name = toHex(key)
    const known = this.#find(name)
    if (known?.role === ROLE.own) return
    // what is already pinned is only followed upwards; a stranger's entry of the same place gives way to the pin
    const keep = known !== undefined && (equal(known.head.hash, pinned.hash) || above(known.head, pinned))
    if (keep && known.role === ROLE.contact) return
    if (!keep && known?.role === ROLE.contact && !above(pinned, known.head)) return
    this.#pin(name, keep ? { ...known, role: ROLE.contact } : { key: key.slice(), role: ROLE.contact, head: pinned })
  }

  /** Sets an own record. @returns false when a higher one, or another of the same place, is known: this one must not go out */
  own(key: Uint8Array, view: RecordView): boolean {
    const name = toHex(key)
    const known = this.#find(name)
    if (known && !equal(known.head.hash, view.head.hash) && !above(view.head, known.head)) return false
    this.#pin(name, { key: key.slice(), role: ROLE.own, head: view.head, record: view.bytes, view })
    return true
  }

  /** Forgets a contact's pin and its row; own records stay. */
  unpin(key: Uint8Array): void {
    const name = toHex(key)
    if (this.#pinned.get(name)?.role !== ROLE.contact) return
    this.#pinned.delete(name)
    this.#persist(name)
  }

  /** Resolves when all that was pinned until now is on the disk, or could not be written (which is logged). */
  async flush(): Promise<void> {
    await this.#writing
  }

  #find(name: string): Entry | undefined {
    const pinned = this.#pinned.get(name)
    if (pinned) return pinned
    const seen = this.#seen.get(name)
    if (seen) {
      this.#seen.delete(name)
      this.#seen.set(name, seen)
    }
    return seen
  }

  #replace(name: string, entry: Entry, view: RecordView): void {
    const next: Entry = { ...entry, head: view.head, record: view.bytes, view }
    if (entry.role === ROLE.seen) this.#remember(name, next)
    else this.#pin(name, next)
  }

  #remember(name: string, entry: Entry): void {
    this.#seen.delete(name)
    if (this.#seen.size >= MAX_REMEMBERED_RECORDS) this.#seen.delete(this.#seen.keys().next().value!)
    this.#seen.set(name, entry)
  }

  #pin(name: string, entry: Entry): void {
    if (!this.#pinned.has(name) && this.#pinned.size >= MAX_PINNED_RECORDS) {
      throw new UsageError('TOO_MANY', `expected at most ${MAX_PINNED_RECORDS} pinned records`)
    }
    this.#seen.delete(name)
    this.#pinned.set(name, entry)
    this.#persist(name)
  }

  #restore(value: Uint8Array): void {
    const { version, ...stored } = decode(row, value, MAX_ROW_BYTES)
    if (version !== STORAGE_VERSION) throw new RangeError(`expected version ${STORAGE_VERSION}, got ${version}`)
    const name = toHex(stored.key)
    const known = this.#pinned.get(name)
    if (known && !above(stored.head, known.head)) return
    this.#seen.delete(name)
    this.#pinned.set(name, { ...stored, role: stored.role as Role })
  }

  #alarm(kind: RecordAlarm['kind'], entry: Entry, view: RecordView): void {
    const name = toHex(view.hash)
    if (this.#told.has(name)) return
    if (this.#told.size >= MAX_TOLD) this.#told.delete(this.#told.keys().next().value!)
    this.#told.add(name)
    this.#init.onAlarm({ kind, key: entry.key, known: entry.head, offered: view.head, record: view.bytes })
  }

  #persist(name: string): void {
    this.#dirty.add(name)
    this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    const { store, logger } = this.#init
    await Promise.resolve() // what changes together is written together
    while (this.#dirty.size > 0) {
      const names = [...this.#dirty]
      this.#dirty.clear()
      try {
        await store.write(names.map((name) => this.#rowOf(name)))
      } catch {
        logger.warn('remembered records could not be written', { records: names.length })
        for (const name of names) this.#dirty.add(name) // with the next change
        break
      }
    }
    this.#writing = undefined
  }

  #rowOf(name: string): RowChange {
    const key = fromHex(name)
    const place = { table: TABLE.record, scope: SCOPE, position: this.#init.store.blind(key) }
    const entry = this.#pinned.get(name)
    if (!entry) return { key: place, value: undefined }
    const { role, head: stored, record } = entry
    return { key: place, value: encode(row, { version: STORAGE_VERSION, key, role, head: stored, record }) }
  }
}

/** Whether `a` stands at a higher place than `b`, whatever their hashes. */
export function above(a: Head, b: Head): boolean {
  return compareHeads(a, b) > 0 && !equivocates(a, b)
}

function after(position: Uint8Array): Uint8Array {
  const next = new Uint8Array(position.length + 1)
  next.set(position)
  return next
}
