/**
 * Alarms about identities (PROTOCOL 2): two records of one place, or a record of this identity that was not signed here.
 * Each is told once a run and contact, as an event that the faces show; what to do about it is the person's matter.
 */
import { toHex } from '../crypto/bytes.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import type { RecordAlarm } from '../directory/record-memory.ts'
import { describe } from '../errors.ts'
import { identityRecordKey } from '../identity/record-keys.ts'
import { idToText } from '../identity/root.ts'
import type { Logger } from '../ports.ts'

/** `unknown-head`: a friend says to have seen a record of this identity that was not signed here. */
export type AlarmKind = RecordAlarm['kind'] | 'unknown-head'

export interface AlarmsInit {
  journal: Journal
  logger: Logger
  /** IDs of this person and of every contact. */
  known: () => Uint8Array[]
}

export class Alarms {
  readonly #init: AlarmsInit
  /** Bounded by the contacts. */
  readonly #told = new Set<string>()

  constructor(init: AlarmsInit) {
    this.#init = init
  }

  /** A record showed it. Of strangers only the log is told. */
  record({ kind, key }: RecordAlarm): void {
    const name = toHex(key)
    const id = this.#init.known().find((one) => toHex(identityRecordKey(one)) === name)
    if (id) this.raise(kind, id)
  }

  /** @param id whom it is about, or who told it */
  raise(kind: AlarmKind, id: Uint8Array): void {
    const { journal, logger } = this.#init
    const name = `${kind} ${toHex(id)}`
    if (this.#told.has(name)) return
    this.#told.add(name)
    const tx = new Transaction()
    tx.event('alarm', { kind, id: idToText(id) })
    journal.commit(tx).catch((error: unknown) => {
      this.#told.delete(name)
      logger.warn('an alarm could not be written', { problem: describe(error) })
    })
  }
}
