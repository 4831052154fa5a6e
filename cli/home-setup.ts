/** First run and unlocking of a home, as the page asks for them: what the page may do when, and the node that comes of it. */
import type { RunningNode } from '../node/api/runtime.ts'
import type { SetupHost, SetupState } from '../node/api/setup.ts'
import { resolveConfig } from '../node/config.ts'
import { UsageError } from '../node/errors.ts'
import { loadConfig } from './configuration.ts'
import { type Context, homeOf } from './context.ts'
import { alreadyRunning, openWhenFree } from './node-session.ts'

/** A command that is the node for a moment ends in this many times the usual wait. */
const PATIENCE = 4

export class HomeSetup implements SetupHost {
  readonly #context: Context
  /** Called when the node runs, before whoever started it is told. */
  readonly #onOpen: (running: RunningNode) => Promise<void>
  #state: SetupState['state'] = 'locked'
  /** Of an identity that was just made, until its words are kept. */
  #made: { name: string; passphrase: string } | undefined

  private constructor(context: Context, onOpen: (running: RunningNode) => Promise<void>) {
    this.#context = context
    this.#onOpen = onOpen
  }

  static async of(context: Context, onOpen: (running: RunningNode) => Promise<void>): Promise<HomeSetup> {
    const setup = new HomeSetup(context, onOpen)
    if (!(await context.runtime.hasIdentity(homeOf(context)))) setup.#state = 'new'
    return setup
  }

  async state(): Promise<SetupState> {
    const name = this.#made?.name
    return { state: this.#state, ...(name !== undefined && { name }) }
  }

  async create({
    name,
    passphrase,
    relays,
  }: Parameters<SetupHost['create']>[0]): Promise<{ id: string; words: string }> {
    this.#expect('new')
    const { values } = resolveConfig({ flags: { name, ...(relays.length > 0 && { relays }) }, env: {} })
    // Nobody makes a second one meanwhile.
    this.#state = 'starting'
    try {
      const { runtime } = this.#context
      const home = homeOf(this.#context)
      const made = await runtime.createIdentity({ home, name, passphrase, relays: values.relays, bootstrap: [] })
      this.#made = { name, passphrase }
      this.#state = 'locked'
      return made
    } catch (error) {
      this.#state = 'new'
      throw error
    }
  }

  async confirm(): Promise<void> {
    if (this.#made === undefined) throw new UsageError('WRONG_STATE', 'no identity was made here just now')
    await this.unlock(this.#made.passphrase)
  }

  async unlock(passphrase: string): Promise<void> {
    this.#expect('locked')
    this.#state = 'starting'
    try {
      await this.#onOpen(await this.#open(passphrase))
      this.#made = undefined
      this.#state = 'ready'
    } catch (error) {
      this.#state = 'locked'
      throw error
    }
  }

  async #open(passphrase: string): Promise<RunningNode> {
    const context = this.#context
    const home = homeOf(context)
    const { values: config } = await loadConfig(context, 'node')
    const wait = context.lockWaitMs * PATIENCE
    const opened = await openWhenFree(
      context,
      { home, role: 'node', passphrase, config },
      (holder) => (holder === undefined || holder.transient ? 'wait' : 'refuse'),
      wait,
    )
    if ('api' in opened) throw alreadyRunning(home)
    return opened
  }

  #expect(state: SetupState['state']): void {
    if (this.#state === state) return
    throw new UsageError('WRONG_STATE', `this home is ${this.#state}, not ${state}`, { hint: 'load the page again' })
  }
}
