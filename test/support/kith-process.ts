/**
 * Real nodes in operating-system processes, driven by the real command line and the real socket: for the demo, the
 * end-to-end tests and the benchmarks. Each node has a home of its own and a passphrase file outside of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type ApiClient, connectToNode } from '../../node/api/client.ts'
import type { MethodName, MethodParams, MethodResult } from '../../node/api/methods.ts'
import type { EventView } from '../../node/api/views.ts'
import { NetworkError } from '../../node/errors.ts'

const CHECKOUT = resolve(import.meta.dirname, '../..')
const LAUNCHER = join(CHECKOUT, 'cli/kith.cjs')
/** Compiled code of the program, so that each of its many starts is quicker. */
const COMPILE_CACHE = join(CHECKOUT, 'node_modules/.cache/kith-tests')
/** A command or a start that takes longer is an error on any machine. */
const TIMEOUT_MS = 60_000
/** Below the range from which systems take ports for outgoing connections. */
const PORTS = { from: 20_000, to: 30_000 }

export type Json = Record<string, unknown>

export interface CommandResult {
  status: number
  /** The objects on standard output. */
  output: Json[]
  stderr: string
}

export interface TextResult {
  status: number
  stdout: string
  stderr: string
}

/** How a command is run; by default on the node's home, with its passphrase and `--json`. */
export interface CommandOptions {
  /** Empty: none is named. */
  passphraseFile?: string
  /** Standard input. */
  input?: string
  env?: Record<string, string>
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
    await Promise.all(this.#nodes.map(async (node) => await node.stopAll()))
  }
}

/** A process that prints lines and goes on: a node, or a command such as `watch`. */
export class LineProcess {
  readonly title: string
  /** A JSON object each; without `--json` a line is `{ text }`. */
  readonly lines: Json[] = []
  stderr = ''
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()

  constructor(title: string, child: ChildProcess, onLine: (line: Json) => void = () => undefined, isJson = true) {
    this.title = title
    this.#child = child
    child.stderr!.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
    })
    createInterface({ input: child.stdout! }).on('line', (text) => {
      const line = isJson ? (JSON.parse(text) as Json) : { text }
      this.lines.push(line)
      onLine(line)
      for (const look of this.#waiting) look()
    })
    child.once('close', () => {
      for (const look of this.#waiting) look()
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Ends the process; resolves with its exit status when it is gone, undefined when a signal took it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | undefined> {
    if (this.isRunning) this.#child.kill(signal)
    return await this.ended()
  }

  async ended(): Promise<number | undefined> {
    if (this.isRunning) await once(this.#child, 'close')
    return this.#child.exitCode ?? undefined
  }

  /** The first line that fits; waits for it. @throws Error when the process ends or time is over */
  async waitFor(fits: (line: Json) => boolean, timeoutMs = TIMEOUT_MS): Promise<Json> {
    const found = await this.waitUntil(() => this.lines.find(fits), timeoutMs, fits.toString())
    return found
  }

  /** What `look` finds; it is asked again after each line. @throws Error when the process ends or time is over */
  async waitUntil<T>(look: () => T | undefined, timeoutMs = TIMEOUT_MS, what = look.toString()): Promise<T> {
    return await new Promise<T>((resolvePromise, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(again)
      }
      const again = (): void => {
        const found = look()
        if (found !== undefined) {
          end()
          resolvePromise(found)
        } else if (!this.isRunning) {
          end()
          reject(new Error(`${this.title} ended: ${this.stderr}`))
        }
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`${this.title} did not say what was waited for: ${what}`))
      }, timeoutMs)
      this.#waiting.add(again)
      again()
    })
  }
}

export class KithProcess {
  readonly home: string
  readonly name: string
  readonly role: 'up' | 'relay'
  readonly passphraseFile: string
  /** What the node said on standard output in all of its lives. */
  readonly told: Json[] = []
  /** Where it listens; a relay keeps the port of its first start. */
  listen: string | undefined
  readonly #directory: string
  readonly #others: LineProcess[] = []
  #process: LineProcess | undefined
  #client: ApiClient | undefined

  constructor(directory: string, name: string, role: 'up' | 'relay') {
    this.name = name
    this.role = role
    this.home = join(directory, name)
    this.passphraseFile = join(directory, `${name}.passphrase`)
    this.#directory = directory
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false
  }

  /** What the node said since its last start, the `ready` line first. */
  get events(): Json[] {
    return this.#process?.lines ?? []
  }

  get stderr(): string {
    return this.#process?.stderr ?? ''
  }

  /** First address of the ready line. */
  get address(): string {
    return (this.events[0]!.addresses as string[])[0]!
  }

  /** Starts the node and waits for its ready line. */
  async start(...options: string[]): Promise<void> {
    this.listen ??= `/ip4/127.0.0.1/tcp/${this.role === 'relay' ? await freePort() : 0}`
    const child = await this.#spawn(['--json', this.role, '--listen', this.listen, ...options])
    this.#process = new LineProcess(this.name, child, (line) => this.told.push(line))
    await this.waitFor((event) => event.event === 'ready')
  }

  /** Ends the node; resolves when its process is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#process?.stop(signal)
    this.#client = undefined
  }

  /** Ends the node at once, as a crash does. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL')
  }

  /** Ends the node and every command of it that goes on. */
  async stopAll(): Promise<void> {
    this.#client?.close()
    await Promise.all([this.stop(), ...this.#others.map(async (other) => await other.stop())])
  }

  /** The first event since the last start that fits; waits for it. @throws Error when the node ends or time is over */
  async waitFor(fits: (event: Json) => boolean, timeoutMs = TIMEOUT_MS): Promise<Json> {
    return await this.#process!.waitFor(fits, timeoutMs)
  }

  /** Calls the running node over its socket. @throws KithError as the node says, `NODE_GONE` when it ends or none runs */
  async call<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    const client = await this.#connect()
    return await client.call(method, params)
  }

  /** The first event of the log, over all lives of this home, that fits; waits for it. @throws Error when time is over */
  async logged(fits: (event: Json) => boolean, timeoutMs = TIMEOUT_MS): Promise<Json> {
    const client = await this.#connect()
    const signal = AbortSignal.timeout(timeoutMs)
    for await (const told of client.events(0, signal)) {
      if ('lagged' in told) continue
      const event = flat(told)
      if (fits(event)) return event
    }
    throw new Error(`the log of ${this.name} does not hold what was waited for: ${fits.toString()}`)
  }

  /** All events of this home after a cursor. */
  async log(since = 0): Promise<Json[]> {
    const all: Json[] = []
    for (let cursor = since; ; ) {
      const page = await this.call('events.since', { since: cursor, limit: 500 })
      if (page.events.length === 0) return all
      all.push(...page.events.map(flat))
      cursor = page.cursor
    }
  }

  /** Runs one command on this home with `--json`. */
  async run(...args: string[]): Promise<CommandResult> {
    return await this.runWith({}, ...args)
  }

  async runWith(options: CommandOptions, ...args: string[]): Promise<CommandResult> {
    const { status, stdout, stderr } = await this.text(options, '--json', ...args)
    const lines = stdout.split('\n').filter((line) => line !== '')
    return { status, output: lines.map((line) => JSON.parse(line) as Json), stderr }
  }

  /** Runs one command on this home and gives what it prints as it is: without `--json`, what people see. */
  async text(options: CommandOptions, ...args: string[]): Promise<TextResult> {
    const child = await this.#spawn(args, options)
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
    return { status: code ?? -1, stdout, stderr }
  }

  /** Runs a command that has to succeed and gives its objects. @throws Error with what it said */
  async ask(...args: string[]): Promise<Json[]> {
    const { status, output, stderr } = await this.run(...args)
    if (status !== 0) throw new Error(`kith ${args[0]} at ${this.name}: exit status ${status}: ${stderr}`)
    return output
  }

  /** Starts a command that goes on, with `--json`. */
  async follow(...args: string[]): Promise<LineProcess> {
    return await this.#follow(['--json', ...args], true)
  }

  /** Starts a command that goes on, with lines for people. */
  async followText(...args: string[]): Promise<LineProcess> {
    return await this.#follow(args, false)
  }

  async #follow(args: string[], isJson: boolean): Promise<LineProcess> {
    const title = `kith ${args.join(' ')} at ${this.name}`
    const followed = new LineProcess(title, await this.#spawn(args), undefined, isJson)
    this.#others.push(followed)
    return followed
  }

  async #connect(): Promise<ApiClient> {
    this.#client ??= await connectToNode(this.home, this.#environment({}))
    if (!this.#client) throw new NetworkError('NODE_GONE', `no node runs on ${this.home}`)
    return this.#client
  }

  async #spawn(args: string[], options: CommandOptions = {}): Promise<ChildProcess> {
    await mkdir(this.#directory, { recursive: true })
    await writeFile(this.passphraseFile, `passphrase of ${this.name}\n`, { mode: 0o600, flag: 'wx' }).catch(
      ignoreExists,
    )
    const passphraseFile = options.passphraseFile ?? this.passphraseFile
    const all = [
      LAUNCHER,
      '--home',
      this.home,
      ...(passphraseFile === '' ? [] : ['--passphrase-file', passphraseFile]),
      ...args,
    ]
    const child = spawn(process.execPath, all, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: this.#environment(options.env ?? {}),
    })
    child.stdin?.end(options.input)
    return child
  }

  /** Of the tester's own settings for kith nothing is handed on; the sockets lie beside the homes. */
  #environment(more: Record<string, string>): Record<string, string | undefined> {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KITH_'))
    return {
      ...Object.fromEntries(inherited),
      XDG_RUNTIME_DIR: join(this.#directory, 'run'),
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...more,
    }
  }
}

/** An event as the command line prints it. */
function flat({ cursor, event, at, detail }: EventView): Json {
  return { ...detail, cursor, event, at }
}

/** A port of the loopback interface on which nobody listens. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from))
    const server = createServer()
    const free = await new Promise<boolean>((resolvePromise) => {
      server.once('error', () => resolvePromise(false))
      server.listen(port, '127.0.0.1', () => resolvePromise(true))
    })
    if (free) {
      await new Promise((resolvePromise) => server.close(resolvePromise))
      return port
    }
  }
}

function ignoreExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
