/**
 * Real nodes in operating-system processes, driven by the real command line: for the demo, the end-to-end tests and the
 * benchmarks. Each node has a home of its own and a passphrase file outside of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const LAUNCHER = resolve(import.meta.dirname, '../../cli/kith.cjs')
const LISTEN = '/ip4/127.0.0.1/tcp/0'
/** A command or a start that takes longer is an error on any machine. */
const TIMEOUT_MS = 60_000

export type Json = Record<string, unknown>

export interface CommandResult {
  status: number
  /** The objects on standard output. */
  output: Json[]
  stderr: string
}

/** A folder in which nodes live. */
export class KithNodes {
  readonly directory: string
  readonly #nodes: KithProcess[] = []

  constructor(directory: string) {
    this.directory = directory
  }

  /** A node that is not started yet; `name` is the name of its folder. */
  node(name: string, role: 'up' | 'relay'): KithProcess {
    const node = new KithProcess(this.directory, name, role)
    this.#nodes.push(node)
    return node
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#nodes.map(async (node) => await node.stop()))
  }
}

export class KithProcess {
  readonly home: string
  readonly name: string
  readonly role: 'up' | 'relay'
  /** What the node said on standard output since its last start, the `ready` line first. */
  events: Json[] = []
  stderr = ''
  #child: ChildProcess | undefined
  readonly #passphraseFile: string
  readonly #waiting = new Set<() => void>()

  constructor(directory: string, name: string, role: 'up' | 'relay') {
    this.name = name
    this.role = role
    this.home = join(directory, name)
    this.#passphraseFile = join(directory, `${name}.passphrase`)
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** First address of the ready line. */
  get address(): string {
    return (this.events[0]?.addresses as string[])[0]!
  }

  /** Starts the node and waits for its ready line. */
  async start(...options: string[]): Promise<void> {
    this.events = []
    this.stderr = ''
    const child = await this.#spawn([this.role, '--listen', LISTEN, ...options])
    this.#child = child
    child.stderr!.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
    })
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.events.push(JSON.parse(line) as Json)
      for (const look of this.#waiting) look()
    })
    child.once('exit', () => {
      for (const look of this.#waiting) look()
    })
    await this.waitFor((event) => event.event === 'ready')
  }

  /** Ends the node; resolves when its process is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (!child || !this.isRunning) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** The first event since the last start that fits; waits for it. @throws Error when the node ends or time is over */
  async waitFor(fits: (event: Json) => boolean, timeoutMs = TIMEOUT_MS): Promise<Json> {
    return await new Promise<Json>((resolvePromise, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
      }
      const look = (): void => {
        const found = this.events.find(fits)
        if (found) {
          end()
          resolvePromise(found)
        } else if (!this.isRunning) {
          end()
          reject(new Error(`${this.name} ended: ${this.stderr}`))
        }
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`${this.name} did not say what was waited for: ${fits.toString()}`))
      }, timeoutMs)
      this.#waiting.add(look)
      look()
    })
  }

  /** Runs one command on this home with `--json`. */
  async run(...args: string[]): Promise<CommandResult> {
    const child = await this.#spawn(args)
    let stdout = ''
    let stderr = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr!.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    const lines = stdout.split('\n').filter((line) => line !== '')
    return { status: code ?? -1, output: lines.map((line) => JSON.parse(line) as Json), stderr }
  }

  /** Runs a command that has to succeed and gives its objects. @throws Error with what it said */
  async ask(...args: string[]): Promise<Json[]> {
    const { status, output, stderr } = await this.run(...args)
    if (status !== 0) throw new Error(`kith ${args[0]} at ${this.name}: exit status ${status}: ${stderr}`)
    return output
  }

  async #spawn(args: string[]): Promise<ChildProcess> {
    await mkdir(resolve(this.home, '..'), { recursive: true })
    await writeFile(this.#passphraseFile, `passphrase of ${this.name}\n`, { mode: 0o600 })
    const all = [LAUNCHER, '--home', this.home, '--json', '--passphrase-file', this.#passphraseFile, ...args]
    const environment = { ...process.env, KITH_HOME: undefined }
    return spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  }
}
