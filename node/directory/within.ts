/** Waiting no longer than a time for somebody who may fail or hang. */
import type { Clock } from '../ports.ts'

/** The result of `run`, or `otherwise` when it fails or is not there in time. */
export async function within<T>(
  clock: Pick<Clock, 'after'>,
  milliseconds: number,
  run: () => Promise<T>,
  otherwise: T,
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>()
  const timer = clock.after(milliseconds, () => resolve(otherwise))
  run().then(resolve, () => resolve(otherwise))
  const result = await promise
  timer.cancel()
  return result
}
