/**
 * Keys by which a program says that a message is the same as one that it asked to send before: written in the batch of the
 * message itself, so that whoever does not know whether they were heard can ask again. Kept for a week at least.
 */
import { equal, readUint, u64, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import { MAX_SEND_KEYS, SEND_KEY_DAYS } from '../limits.ts'
import { type Clock, type Store, TABLE } from '../ports.ts'
import { messageId } from '../wire/payload.ts'
import { bytes, decode, encode, struct, text, uint } from '../wire/schema.ts'

const NO_SCOPE = new Uint8Array(0)
const ORDER = utf8('order')
/** Characters of a key. */
const MAX_SEND_KEY_LENGTH = 64
const LIFE_MS = SEND_KEY_DAYS * 86_400_000
/** Old keys that go for each new one at most. */
const SWEPT = 4

const keyRow = struct({
  key: [1, text(MAX_SEND_KEY_LENGTH)],
  /** SHA-256 over recipient and text. */
  digest: [2, bytes(32)],
  messageId: [3, messageId],
})
const orderRow = struct({ key: [1, text(MAX_SEND_KEY_LENGTH)], at: [2, uint()] })
const MAX_ROW_BYTES = 256
/** No key is empty. */
const SWEEPING = ''

export class SendKeys {
  readonly #store: Store
  readonly #clock: Clock
  readonly #max: number
  readonly #queue = new KeyedQueue()
  /** Numbers of the oldest and of the next; undefined before they were read. */
  #first: number | undefined
  #next = 0

  /** @param init `max` keys at once. @default MAX_SEND_KEYS */
  constructor({ store, clock, max = MAX_SEND_KEYS }: { store: Store; clock: Clock; max?: number }) {
    this.#store = store
    this.#clock = clock
    this.#max = max
  }

  /** Read when the first key comes: rows that are damaged stop nobody else. */
  async #load(): Promise<void> {
    if (this.#first !== undefined) return
    const range = { table: TABLE.sendKey, scope: ORDER, limit: 1 }
    const [first] = await this.#store.list(range)
    const [last] = await this.#store.list({ ...range, reverse: true })
    this.#next = last ? readUint(last.position, 0, 8) + 1 : 0
    this.#first = first ? readUint(first.position, 0, 8) : 0
  }

  /**
   * Sends once for each key.
   * @param friend 32 bytes
   * @param send writes the message; `remember` belongs into its transaction
   * @returns the ID of the message, that of the first call when the key was used before
   * @throws UsageError `IDEMPOTENCY_CONFLICT` when it was used for another text or friend, `TOO_MANY`
   */
  async once(
    { key, friend, content }: { key: string; friend: Uint8Array; content: string },
    send: (remember: (tx: Transaction, message: Uint8Array) => void) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const digest = sha256(friend, utf8(content))
    await this.#sweep()
    return await this.#queue.run(key, async () => {
      const place = this.#placeOf(key)
      const row = await this.#store.get({ table: TABLE.sendKey, scope: NO_SCOPE, position: place })
      const known = row && decode(keyRow, row, MAX_ROW_BYTES)
      if (known?.key === key) {
        if (equal(known.digest, digest)) return known.messageId
        throw new UsageError('IDEMPOTENCY_CONFLICT', 'this key was used for another message', {
          hint: 'take a new key for each message',
        })
      }
      if (this.#next - this.#first! >= this.#max) {
        throw new UsageError('TOO_MANY', `there are ${this.#max} keys of the last ${SEND_KEY_DAYS} days already`, {
          hint: 'send without a key, or wait',
        })
      }
      return await send((tx, message) => {
        const position = u64(this.#next++)
        tx.put(TABLE.sendKey, NO_SCOPE, place, encode(keyRow, { key, digest, messageId: message }))
        tx.put(TABLE.sendKey, ORDER, position, encode(orderRow, { key, at: Math.floor(this.#clock.now()) }))
      })
    })
  }

  #placeOf(key: string): Uint8Array {
    return this.#store.blind(utf8(key))
  }

  /** Takes away a few of the oldest whose week is over, each while nobody asks for it. */
  async #sweep(): Promise<void> {
    await this.#queue.run(SWEEPING, async () => {
      await this.#load()
      for (const { position, value } of await this.#store.list({ table: TABLE.sendKey, scope: ORDER, limit: SWEPT })) {
        const { key, at } = decode(orderRow, value, MAX_ROW_BYTES)
        if (at + LIFE_MS > this.#clock.now()) return
        await this.#queue.run(key, async () => {
          await this.#store.write([
            { key: { table: TABLE.sendKey, scope: ORDER, position }, value: undefined },
            { key: { table: TABLE.sendKey, scope: NO_SCOPE, position: this.#placeOf(key) }, value: undefined },
          ])
        })
        this.#first = readUint(position, 0, 8) + 1
      }
    })
  }
}
