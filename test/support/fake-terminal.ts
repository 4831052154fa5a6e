/** A terminal without a screen, for what draws on one: keys go in, what was written can be waited for. */
import { PassThrough, Writable } from 'node:stream'

export class FakeTerminal {
  readonly stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: () => undefined,
    ref: () => undefined,
    unref: () => undefined,
  })
  readonly stdout: Writable & { isTTY: true; columns: number; rows: number }
  #written = ''
  readonly #waiting = new Set<() => void>()

  constructor({ columns = 80, rows = 24 } = {}) {
    const write = (chunk: Buffer | string, _encoding: unknown, done: () => void): void => {
      this.#written += chunk.toString()
      for (const look of this.#waiting) look()
      done()
    }
    this.stdout = Object.assign(new Writable({ write, decodeStrings: false }), { isTTY: true as const, columns, rows })
  }

  /** Everything since `forget`. */
  get written(): string {
    return this.#written
  }

  forget(): void {
    this.#written = ''
  }

  press(bytes: string): void {
    this.stdin.write(bytes)
  }

  /** Resolves once a text was written. */
  async shows(text: string): Promise<void> {
    if (this.#written.includes(text)) return
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!this.#written.includes(text)) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  resize(columns: number, rows: number): void {
    Object.assign(this.stdout, { columns, rows })
    this.stdout.emit('resize')
  }
}
