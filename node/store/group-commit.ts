/**
 * Synced batches with group commit: while one batch is on its way to the disk the calls that come meanwhile queue up and
 * go as one. Each call stays all or nothing and resolves after its own bytes are synced (PROTOCOL 9: one batch an event).
 */
import type { KithError } from '../errors.ts'
import { MAX_GROUP_COMMIT_BYTES } from '../limits.ts'
import { type ByteLevel, type ByteOperation, toStoreError } from './byte-level.ts'

interface Waiting {
  operations: ByteOperation[]
  bytes: number
  settle: PromiseWithResolvers<void>
}

/** The queue holds what its callers wait for; it is as long as they are many. */
export class GroupCommit {
  readonly #level: ByteLevel
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #failure: KithError | undefined
  readonly #failed = Promise.withResolvers<KithError>()

  constructor(level: ByteLevel) {
    this.#level = level
  }

  /**
   * Writes `operations` in the order of the calls.
   * @throws StoreError `STORE_FULL`, `STORE_READ_ONLY`, `STORE_GONE`, `STORE_FAILED`, `STORE_CLOSED`; after the first failure every call fails the same way
   */
  async write(operations: ByteOperation[]): Promise<void> {
    // After a failed write the tail of LevelDB's log is unknown: a later write could be acknowledged behind a torn one
    // and lost when the log is read again. Opening again repairs that, writing on does not.
    if (this.#failure !== undefined) throw this.#failure
    const settle = Promise.withResolvers<void>()
    this.#waiting.push({ operations, bytes: sizeOf(operations), settle })
    this.#running ??= this.#run()
    return settle.promise
  }

  /** Why nothing is written any more. */
  get failure(): KithError | undefined {
    return this.#failure
  }

  /** Resolves when writing has failed, with why. */
  get failed(): Promise<KithError> {
    return this.#failed.promise
  }

  /** Resolves when nothing is on its way any more. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup()
      try {
        await this.#level.batch(
          group.flatMap(({ operations }) => operations),
          { sync: true },
        )
        // files that were deleted take writes as before, for nobody
        await this.#level.checkPlace?.()
        for (const { settle } of group) settle.resolve()
      } catch (cause) {
        this.#failure = toStoreError(cause)
        this.#failed.resolve(this.#failure)
        for (const { settle } of [...group, ...this.#waiting.splice(0)]) settle.reject(this.#failure)
      }
    }
    this.#running = undefined
  }

  #takeGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const next of this.#waiting) {
      bytes += next.bytes
      if (count > 0 && bytes > MAX_GROUP_COMMIT_BYTES) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}

function sizeOf(operations: ByteOperation[]): number {
  let bytes = 0
  for (const operation of operations) bytes += operation.type === 'put' ? operation.value.length : 0
  return bytes
}
