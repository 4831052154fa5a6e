/**
 * Tests over several seeds. A failure says how to replay it: `KITH_SEED=7 npx mocha --grep '…'`.
 * `KITH_SEED` runs one seed, `KITH_SEEDS=100` the seeds 1 to 100, otherwise each test runs the few it names.
 */

/** The seeds of a test that wants `count` of them. */
export function seedsFor(count: number): number[] {
  const one = process.env['KITH_SEED']
  if (one !== undefined) return [wholeNumber('KITH_SEED', one)]
  const many = process.env['KITH_SEEDS']
  const length = many === undefined ? count : wholeNumber('KITH_SEEDS', many)
  return Array.from({ length }, (_, index) => index + 1)
}

/** A mocha test that runs `body` once for each seed, one after another. */
export function seeded(title: string, count: number, body: (seed: number) => void | Promise<void>): void {
  const seeds = seedsFor(count)
  it(title, async function () {
    this.timeout(60_000 * Math.max(1, seeds.length / Math.max(1, count)))
    const fullTitle = this.test?.fullTitle() ?? title
    for (const seed of seeds) {
      try {
        await body(seed)
      } catch (error) {
        throw withReplay(error, seed, fullTitle)
      }
    }
  })
}

/** The same error with the line that replays it in its text. */
export function withReplay(error: unknown, seed: number, title: string): Error {
  const failed = error instanceof Error ? error : new Error(String(error))
  const pattern = title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("'", '.')
  const replay = `replay: KITH_SEED=${seed} npx mocha --grep '${pattern}'`
  const { message } = failed
  failed.message = `${message}\n  ${replay}`
  failed.stack = failed.stack?.replace(message, failed.message)
  return failed
}

function wholeNumber(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new RangeError(`expected ${name} to be a whole number, got ${value}`)
  return Number(value)
}
