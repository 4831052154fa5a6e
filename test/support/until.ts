/** Waits for a condition of the real world by asking again and again: for tests on sockets, where no event tells. */

const PERIOD_MS = 20

/**
 * Resolves with the first truthy value of `condition`.
 * @param timeoutMs milliseconds until it gives up; @default 10 seconds
 * @throws Error when the condition was never met
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  timeoutMs = 10_000,
): Promise<Exclude<T, false | undefined | 0>> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value as Exclude<T, false | undefined | 0>
    if (performance.now() > end) throw new Error(`not met within ${timeoutMs} ms: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS))
  }
}
