/**
 * States of sessions and handshakes that were overwritten leave the files of the database too (PROTOCOL 9): once a day while
 * the node runs, and when it ends. A day is what a key that was used may lie there for who has disk and passphrase.
 */
import { describe } from '../errors.ts'
import { type Ports, TABLE, type Table, type Timer } from '../ports.ts'

/** A command that does one thing is over by then; a run that ended without a word left rows behind. */
const FIRST_MS = 600_000
const DAY_MS = 86_400_000
/** Where keys lie that are used once: sessions, and the one-time keys of handshakes. */
const TABLES: readonly Table[] = [TABLE.session, TABLE.contact]

export class OldRows {
  readonly #ports: Pick<Ports, 'clock' | 'store' | 'logger'>
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(ports: Pick<Ports, 'clock' | 'store' | 'logger'>) {
    this.#ports = ports
  }

  start(): void {
    if (this.#ports.store.shredTable) this.#next(FIRST_MS)
  }

  /** Resolves when nothing of what was overwritten until now is left. Never throws. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    await this.#shred()
  }

  #next(ms: number): void {
    this.#timer = this.#ports.clock.after(ms, () => {
      this.#next(DAY_MS)
      void this.#shred()
    })
  }

  async #shred(): Promise<void> {
    const { store, logger } = this.#ports
    this.#running = this.#running.then(async () => {
      try {
        for (const table of TABLES) await store.shredTable?.(table)
      } catch (error) {
        logger.warn('states that were overwritten are still in the files', { problem: describe(error) })
      }
    })
    await this.#running
  }
}
