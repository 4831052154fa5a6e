/** Waiting for what happens in a swarm: conditions that are looked at whenever something happened, until one thing fails. */
import { InternalError, KithError } from '../../node/errors.ts'

export class Waiting {
  readonly #looks = new Set<() => void>()
  readonly #working = new Set<Promise<unknown>>()
  #failure: KithError | undefined

  /** The first failure, which ends every wait. */
  get failure(): KithError | undefined {
    return this.#failure
  }

  /** Something happened. */
  tell(): void {
    for (const look of this.#looks) look()
  }

  fail(error: KithError): void {
    this.#failure ??= error
    this.tell()
  }

  /**
   * What `look` finds.
   * @returns undefined when the time is over
   * @throws KithError the failure of the swarm
   */
  async until<T>(look: () => T | undefined, timeoutMs?: number): Promise<T | undefined> {
    return await new Promise<T | undefined>((done, reject) => {
      const end = (finish: () => void): void => {
        clearTimeout(timer)
        this.#looks.delete(again)
        finish()
      }
      const again = (): void => {
        if (this.#failure !== undefined) return end(() => reject(this.#failure!))
        const found = look()
        if (found !== undefined) end(() => done(found))
      }
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(() => done(undefined)), timeoutMs)
      this.#looks.add(again)
      again()
    })
  }

  /** The end of work, or the first failure of anything, whichever is first. @throws KithError */
  async unlessFailed(work: Promise<unknown>): Promise<void> {
    let isDone = false
    const working = work
      .catch((error: unknown) => {
        // the others stop at the first failure
        this.fail(error instanceof KithError ? error : new InternalError('SWARM', String(error), { cause: error }))
      })
      .then(() => {
        isDone = true
        this.#working.delete(working)
        this.tell()
      })
    this.#working.add(working)
    await this.until(() => isDone || undefined)
  }

  /** Resolves when no work goes on, failed or not. */
  async idle(): Promise<void> {
    await Promise.all(this.#working)
  }
}
