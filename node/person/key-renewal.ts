/**
 * The own keys and records over time (PROTOCOL 2): renewed every six hours, and whenever the relays' time shows that the
 * clock was wrong; what is new is published. A record that a wrong clock dates into the future is believed by nobody, for
 * as long: the relays' time comes first.
 */
import { describe } from '../errors.ts'
import type { Ports, Timer } from '../ports.ts'
import type { Parts } from './parts.ts'

export interface KeyRenewalInit {
  ports: Pick<Ports, 'clock' | 'random' | 'store' | 'logger'>
  parts: Pick<Parts, 'self' | 'journal' | 'time' | 'directory' | 'friendship'>
  /** How many relays may tell the time. */
  relays: number
  isRunning: () => boolean
  /** Called after each round but those that a corrected clock began. */
  onRound: () => void
}

const RENEW_MS = 6 * 3_600_000
/** When the relays have not told the time by then, the own clock has to do. */
const FIRST_RENEW_MS = 60_000
/** Relays below which the time that they tell is not waited for: one alone corrects no clock. */
const ENOUGH_RELAYS = 2

export class KeyRenewal {
  readonly #init: KeyRenewalInit
  #timer: Timer | undefined
  #renewing: Promise<void> = Promise.resolve()
  #isShredded = false
  /** Before, the relays may not have told the time. */
  #hasBegun = false
  /** Whether relays have told the time. */
  #hasTime = false

  constructor(init: KeyRenewalInit) {
    this.#init = init
  }

  start(): void {
    this.#publish()
    if (this.#init.relays < ENOUGH_RELAYS) this.#renew()
    else this.#timer = this.#init.ports.clock.after(FIRST_RENEW_MS, () => this.#renew())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** A relay told the time. */
  hearTime(source: string, seconds: number): void {
    const { time } = this.#init.parts
    const before = time.correction()
    const isFirst = !this.#hasTime
    time.observe(source, seconds)
    this.#hasTime = time.isAgreed()
    if ((isFirst && this.#hasTime) || time.correction() !== before) this.#renew()
  }

  /**
   * Reveals the next root key, publishes what names it, and tells friends.
   * @param entropy what the words stand for, 32 bytes
   * @throws UsageError `WRONG_WORDS`, `TOO_MANY`
   */
  async rotate(entropy: Uint8Array): Promise<void> {
    const { friendship } = this.#init.parts
    const rotation = this.#renewing.then(async () => {
      await friendship.keys.rotate(entropy)
      await this.#shred()
    })
    // who renews next begins with the keys that are there then
    this.#renewing = rotation.catch(() => undefined)
    await rotation
    if (this.#init.isRunning()) this.#publish()
  }

  /** What the record says of this node may be another thing now. */
  look(): void {
    if (this.#hasBegun) this.#renew()
  }

  #renew(): void {
    const { ports, parts, isRunning, onRound } = this.#init
    const { clock, random, logger } = ports
    const { self, journal, time, directory, friendship } = parts
    if (!isRunning()) return
    this.#hasBegun = true
    this.#timer?.cancel()
    this.#timer = clock.after(RENEW_MS, () => {
      this.#renew()
      // a record of this identity that was signed elsewhere is an alarm, which nobody else may tell of
      void directory.lookup(self.id)
      onRound()
    })
    friendship.sweep().catch((error: unknown) => logger.warn('sweeping failed', { problem: describe(error) }))
    // one after the other: each begins with the keys that the one before left
    this.#renewing = this.#renewing
      .then(async () => {
        const { box } = friendship
        const changed = await self.renew({ journal, random, now: Math.floor(time.now()) }, box.terms())
        if (changed) this.#publish()
        await box.settle()
        // a run that ended between the two steps left it to this one
        if (changed || !this.#isShredded) await this.#shred()
      })
      .catch((error: unknown) => logger.warn('renewing keys failed', { problem: describe(error) }))
  }

  /** Takes the keys that were destroyed out of the files, too. */
  async #shred(): Promise<void> {
    const { ports, parts } = this.#init
    try {
      await parts.self.shred(ports.store)
      this.#isShredded = true
    } catch (error) {
      ports.logger.warn('old keys are still in the files', { problem: describe(error) })
    }
  }

  #publish(): void {
    const { parts, ports } = this.#init
    const { record, prekeyRecord } = parts.self
    parts.directory
      .publishOwn({ identity: record.bytes, prekeys: [prekeyRecord] })
      .catch((error: unknown) => ports.logger.warn('publishing failed', { problem: describe(error) }))
  }
}
