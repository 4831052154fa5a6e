/**
 * One node or relay of a swarm: a process of the real command line with a home of its own. It is asked through its
 * socket, its event log is followed over all of its lives, and it ends when the swarm ends, whatever ends that.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ApiClient, connectToNode } from '../../node/api/client.ts'
import type { MethodName, MethodParams, MethodResult } from '../../node/api/methods.ts'
import type { EventView } from '../../node/api/views.ts'
import { KithError, NetworkError } from '../../node/errors.ts'
import type { Usage } from './metrics.ts'
import { LAUNCHER } from './running-swarm.ts'
import type { Name } from './schedule.ts'

/** A start that takes longer is an error on any machine. */
const START_TIMEOUT_MS = 120_000
/** An orderly end that takes longer becomes a kill. */
const STOP_TIMEOUT_MS = 15_000
const MAX_STDERR = 4000
const PAGE = 500
/** USER_HZ, which Linux shows to programs on every machine. */
const TICK_MS = 10

const isSource = import.meta.url.endsWith('.ts')
const EGRESS = new URL(isSource ? './egress.ts' : './egress.js', import.meta.url).href

export interface SwarmProcessInit {
  name: Name
  /** 127.S.n.1, see loopback.ts. */
  address: string
  home: string
  /** Arguments of `kith`. */
  args: string[]
  environment: Record<string, string | undefined>
  /** Called when the process ends although nobody asked it to. */
  onDeath: (error: KithError) => void
  /** Called with each event, once over all lives. */
  onEvent: (event: EventView) => void
}

export class SwarmProcess {
  readonly name: Name
  readonly home: string
  readonly usage: Usage = { memoryMaxBytes: 0, cpuMs: 0, starts: 0 }
  /** First address of the ready line. */
  address = ''
  /** Of a person. */
  id = ''
  readonly #init: SwarmProcessInit
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #isWanted = false
  #isClosed = false
  #client: ApiClient | undefined
  #cursor = 0
  #following: Promise<void> = Promise.resolve()
  #cpuOfLife = 0
  #stderr = ''

  constructor(init: SwarmProcessInit) {
    this.#init = init
    this.name = init.name
    this.home = init.home
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** It answers. */
  get isUp(): boolean {
    return this.#client !== undefined
  }

  /** Starts it; resolves when it answers. @throws KithError `NODE_DIED` when it ends instead */
  async start(): Promise<void> {
    await this.#ended
    if (this.#isClosed) throw new NetworkError('NODE_GONE', `${this.name} is not started any more`)
    this.#isWanted = true
    this.#stderr = ''
    this.#cpuOfLife = 0
    this.usage.starts += 1
    const child = this.#spawn()
    const ready = await this.#ready(child)
    if (!this.#isWanted) return
    this.address = ready.addresses[0] ?? ''
    this.id = ready.id ?? ''
    const client = await connectToNode(this.home, this.#init.environment)
    if (client === undefined) {
      if (!this.#isWanted) return
      throw new KithError('NODE_DIED', `${this.name} is ready, but does not answer`)
    }
    this.#client = client
    if (this.#init.name.startsWith('n')) this.#following = this.#follow(client)
  }

  /** Has the code that it compiled written now for those that start after it: a process that is killed writes none. */
  keepCode(): void {
    this.#child?.send('keep code')
  }

  /** Ends it; resolves when the process is gone. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#isWanted = false
    await this.sample()
    const child = this.#child
    const client = this.#client
    this.#client = undefined
    if (child === undefined) return
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
    client?.close()
    await this.#following
  }

  /** Ends it at once, for good. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.stop('SIGKILL')
  }

  /** @throws KithError as the node says; NetworkError `NODE_GONE` when it is not up, or ends meanwhile */
  async call<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    if (this.#client === undefined) throw new NetworkError('NODE_GONE', `${this.name} is not up`)
    return await this.#client.call(method, params)
  }

  /** Tells what the log holds and the subscription has not told yet. */
  async catchUp(): Promise<void> {
    for (;;) {
      const { events } = await this.call('events.since', { since: this.#cursor, limit: PAGE })
      if (events.length === 0) return
      for (const event of events) this.#tell(event)
    }
  }

  /** Reads what it uses; the greatest memory and the sum of processor time are kept. */
  async sample(): Promise<void> {
    const pid = this.#child?.pid
    if (pid === undefined) return
    try {
      const [stat, status] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'utf8'),
        readFile(`/proc/${pid}/status`, 'utf8'),
      ])
      // the name of the program stands in brackets and may hold anything: fields count from behind it
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const cpu = (Number(fields[11]) + Number(fields[12])) * TICK_MS
      this.usage.cpuMs += cpu - this.#cpuOfLife
      this.#cpuOfLife = cpu
      const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
      this.usage.memoryMaxBytes = Math.max(this.usage.memoryMaxBytes, peak)
    } catch (error) {
      // it has just ended
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, ['--import', EGRESS, LAUNCHER, '--home', this.home, ...this.#init.args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // a group of its own: Ctrl-C is the swarm's to hear, which ends them in order
      detached: true,
      // with KITH_LAUNCHED a process ends as soon as the channel to the swarm does
      env: { ...this.#init.environment, SWARM_ADDRESS: this.#init.address, KITH_LAUNCHED: '1' },
    })
    this.#child = child
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-MAX_STDERR)
    })
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        if (this.#child !== child) return
        this.#child = undefined
        this.#client = undefined
        if (this.#isWanted) this.#init.onDeath(this.#death(child))
        resolve()
      }
      child.once('close', end)
      child.once('error', end)
    })
    return child
  }

  #death(child: ChildProcess): KithError {
    const how = child.signalCode ?? `status ${child.exitCode ?? 'unknown'}`
    const said = this.#stderr.trim().split('\n').slice(0, 3).join(' / ')
    return new KithError('NODE_DIED', `${this.name} ended by itself (${how})${said === '' ? '' : `: ${said}`}`, {
      hint: 'its home and its log are kept with --keep DIR',
    })
  }

  async #ready(child: ChildProcess): Promise<{ addresses: string[]; id?: string }> {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new KithError('NODE_DIED', `${this.name} was not ready within ${START_TIMEOUT_MS / 1000} s`))
        child.kill('SIGKILL')
      }, START_TIMEOUT_MS)
      const lines = createInterface({ input: child.stdout! })
      lines.once('line', (line) => {
        clearTimeout(timer)
        lines.close()
        // the events that follow are read over the socket
        child.stdout!.resume()
        resolve(JSON.parse(line) as { addresses: string[]; id?: string })
      })
      child.once('close', () => {
        clearTimeout(timer)
        if (this.#isWanted) reject(this.#death(child))
        else resolve({ addresses: [] })
      })
    })
  }

  #tell(event: EventView): void {
    if (event.cursor <= this.#cursor) return
    this.#cursor = event.cursor
    this.#init.onEvent(event)
  }

  async #follow(client: ApiClient): Promise<void> {
    try {
      for await (const told of client.events(this.#cursor)) {
        if (!('lagged' in told)) this.#tell(told)
      }
    } catch (error) {
      if (!(error instanceof KithError && error.code === 'NODE_GONE')) throw error
    }
  }
}

/** The environment of every process of a swarm: nothing of the tester's own settings for kith. */
export function swarmEnvironment(directory: string, codeCache: string): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KITH_') && name !== 'NODE_OPTIONS')
  return {
    ...Object.fromEntries(inherited),
    // what keeps strangers away from a relay is most of what friends cost it here
    KITH_RELAY_CLAIM_BITS: '4',
    XDG_RUNTIME_DIR: join(directory, 'run'),
    NODE_COMPILE_CACHE: codeCache,
  }
}
