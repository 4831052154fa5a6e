/**
 * `doctor`: what is wrong with a home and its node, and what to do about it. Beside a running node it asks that node; without
 * one it looks into the vault and the database, and then is the node for a moment to try the relays. `--repair` saves what
 * can be read of a damaged database, `--only-copy` vouches for a home that was found copied or changed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { ApiClient } from '../../node/api/client.ts'
import type { MethodResult } from '../../node/api/methods.ts'
import type { HomeCheck, HomeToExamine, NodeRole } from '../../node/api/runtime.ts'
import { resolveConfig } from '../../node/config.ts'
import { KithError, UsageError } from '../../node/errors.ts'
import { configPath, readConfigFile } from '../configuration.ts'
import { type Context, homeOf, usage } from '../context.ts'
import { EXIT, type ExitStatus } from '../exit-status.ts'
import { block } from '../layout.ts'
import { join, withNode } from '../node-session.ts'
import { readPassphrase } from '../passphrase.ts'
import { sanitiseLine } from '../sanitise.ts'
import type { Runner } from './command.ts'

interface DoctorOptions {
  repair?: boolean
  onlyCopy?: boolean
  yes?: boolean
}

/** What a node that has just started gets to reach its relays and to publish: this many times the usual wait. */
const PATIENCE = 2
const LOOK_AGAIN_MS = 200
/** A machine whose clock is off by more is told so; the node corrects it for itself. */
const TOLERATED_CLOCK_SECONDS = 120
const COLOUR = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const

export function addDoctorCommand(program: Command, runner: Runner): void {
  program
    .command('doctor')
    .description('say what is wrong with your home and node, and what to do')
    .option('--repair', 'save what can be read of a damaged database; a copy of it is kept')
    .option('--only-copy', 'this home was moved: no other copy of it is used, and none is newer')
    .option('--yes', 'do not ask before --repair and --only-copy')
    .action(
      runner.action(async (context: Context, options: DoctorOptions) => {
        if (options.repair === true && options.onlyCopy === true)
          throw usage('--repair and --only-copy exclude each other')
        if (options.repair === true) return await repair(context, options)
        if (options.onlyCopy === true) return await vouch(context, options)
        return await examine(context)
      }),
    )
}

async function examine(context: Context): Promise<ExitStatus> {
  const { out, runtime } = context
  const home = homeOf(context)
  const role = await runtime.homeRole(home)
  const checks = [...(await runtime.checkDirectory(home)), await checkConfig(context, role)]
  const session = await join(context, home)
  if (session !== undefined) {
    try {
      checks.push(...statusChecks(await session.api.call('node.status', {})))
    } finally {
      session.api.close()
    }
  } else if (role !== undefined) {
    checks.push(...(await contentChecks(context, home)))
    if (role === 'node' && checks.every(({ state }) => state === 'ok' || state === 'warning')) {
      checks.push(...(await networkChecks(context)))
    }
  }
  const isWell = checks.every(({ state }) => state !== 'failed')
  if (out.json) await out.object({ ok: isWell, running: session !== undefined, checks })
  else await out.lines(checks.flatMap((check) => checkLines(context, check)))
  return isWell ? EXIT.done : EXIT.refused
}

function checkLines({ out }: Context, { name, state, detail, hint }: HomeCheck): string[] {
  const head = `${name}  `
  const lines = hint === undefined ? [] : block('        ', [sanitiseLine(hint)], undefined)
  return [...block(head, [`${out.style(COLOUR[state], state)}: ${sanitiseLine(detail)}`], undefined), ...lines]
}

async function checkConfig(context: Context, role: NodeRole = 'node'): Promise<HomeCheck> {
  try {
    const file = await readConfigFile(configPath(homeOf(context)), false)
    const { values, warnings } = resolveConfig({ role, env: context.env, ...(file === undefined ? {} : { file }) })
    if (warnings.length > 0) return { name: 'config', state: 'warning', detail: warnings.join('; ') }
    if (role === 'node' && values.relays.length === 0) {
      const hint = '`kith config set relays ADDRESS`, then start again'
      return { name: 'config', state: 'warning', detail: 'no relay keeps mail for you', hint }
    }
    return { name: 'config', state: 'ok', detail: file === undefined ? 'defaults hold' : file.path }
  } catch (error) {
    return failed('config', error)
  }
}

async function contentChecks(context: Context, home: string): Promise<HomeCheck[]> {
  try {
    return await context.runtime.checkContents(await toExamine(context, home, false))
  } catch (error) {
    return [failed('database', error)]
  }
}

/** @param needed without a passphrase, whether that is an error */
async function toExamine(context: Context, home: string, needed: boolean): Promise<HomeToExamine> {
  const credentialsDirectory = context.env.CREDENTIALS_DIRECTORY
  const base = { home, ...(credentialsDirectory !== undefined && { credentialsDirectory }) }
  if ((await context.runtime.homeRole(home)) === 'relay') return base
  try {
    return { ...base, passphrase: await readPassphrase(context) }
  } catch (error) {
    if (!needed && error instanceof KithError && error.code === 'PASSPHRASE_NEEDED') return base
    throw error
  }
}

/** Is the node for a moment, and waits until the relays answered and the records lie somewhere. */
async function networkChecks(context: Context): Promise<HomeCheck[]> {
  try {
    return await withNode(context, { network: true }, async ({ api }) =>
      statusChecks(await reached(api, PATIENCE * context.lockWaitMs)),
    )
  } catch (error) {
    return [failed('node', error)]
  }
}

async function reached(api: ApiClient, withinMs: number): Promise<MethodResult<'node.status'>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const status = await api.call('node.status', {})
    const isThere = status.relays.every(({ connected }) => connected) && (status.recordsTaken ?? 0) > 0
    if (isThere || performance.now() > deadline) return status
    await sleep(LOOK_AGAIN_MS)
  }
}

function statusChecks(status: MethodResult<'node.status'>): HomeCheck[] {
  const problems = status.problems.map(({ code, message, hint }): HomeCheck => {
    return { name: code, state: 'failed', detail: message, hint }
  })
  if (status.role === 'relay') return problems
  return [...problems, ...status.relays.map(relayCheck), clockCheck(status.clockCorrection), recordsCheck(status)]
}

function relayCheck({ address, connected, problem }: MethodResult<'node.status'>['relays'][number]): HomeCheck {
  if (connected) return { name: 'relay', state: 'ok', detail: `${address} answers` }
  const detail = `${address} is not connected${problem === undefined ? '' : `: ${problem}`}`
  return {
    name: 'relay',
    state: 'failed',
    detail,
    hint: 'mail waits here until it is; ask who runs it, or add another',
  }
}

function clockCheck(correction: number | undefined): HomeCheck {
  if (correction === undefined) {
    return { name: 'clock', state: 'skipped', detail: 'it takes two relays to tell whether this clock is right' }
  }
  if (Math.abs(correction) <= TOLERATED_CLOCK_SECONDS)
    return { name: 'clock', state: 'ok', detail: 'agrees with the relays' }
  const detail = `${Math.abs(correction)} s ${correction > 0 ? 'behind' : 'ahead of'} the relays’ time`
  return { name: 'clock', state: 'warning', detail, hint: 'set the clock of this machine' }
}

function recordsCheck({ recordsTaken }: MethodResult<'node.status'>): HomeCheck {
  if (recordsTaken === undefined) return { name: 'records', state: 'skipped', detail: 'still being published' }
  if (recordsTaken > 0) return { name: 'records', state: 'ok', detail: `published at ${recordsTaken} places or more` }
  const hint = 'nobody can find you; it is tried again by itself'
  return { name: 'records', state: 'failed', detail: 'nobody holds your records', hint }
}

async function repair(context: Context, { yes }: DoctorOptions): Promise<ExitStatus> {
  const { out, runtime } = context
  const home = homeOf(context)
  const question = 'Rows that cannot be read are taken out; a copy of the database is kept. Type yes to go on:'
  await agree(context, yes, question)
  const { copy, isRebuilt, kept, lost } = await runtime.repair(await toExamine(context, home, true))
  const isEmpty = Object.keys(kept).length === 0
  if (out.json) await out.object({ copy, rebuilt: isRebuilt, kept, lost })
  else {
    await out.lines([
      `kept: ${counts(kept)}`,
      `lost: ${counts(lost)}${isRebuilt ? ', and what lay in files that cannot be read' : ''}`,
      `the damaged database is in ${sanitiseLine(copy)}`,
    ])
  }
  if (isEmpty) out.hint('nothing was left: put a copy of the home back')
  else if ((await runtime.homeRole(home)) === 'node') {
    out.hint('sessions may have been set back: sending stays stopped; `kith doctor` beside a running node says more')
  }
  return isEmpty ? EXIT.refused : EXIT.done
}

function counts(rows: Record<string, number>): string {
  const told = Object.entries(rows).map(([table, count]) => `${count} ${table}`)
  return told.length === 0 ? 'nothing' : told.join(', ')
}

async function vouch(context: Context, { yes }: DoctorOptions): Promise<ExitStatus> {
  const question =
    'A second copy that runs, or an older one, would write with used keys. Is this the only one? Type yes:'
  await agree(context, yes, question)
  await withNode(context, { network: false }, ({ api }) => api.call('node.trust', {}))
  if (context.out.json) await context.out.object({ trusted: true })
  else await context.out.lines(['this home may send again'])
  return EXIT.done
}

async function agree({ asker }: Context, yes: boolean | undefined, question: string): Promise<void> {
  if (yes === true) return
  if (asker === undefined) throw usage('this needs your word', 'add --yes, or run it in a terminal')
  if ((await asker.line(question)).toLowerCase() !== 'yes') throw new UsageError('REFUSED', 'nothing was changed')
}

function failed(name: string, error: unknown): HomeCheck {
  if (!(error instanceof KithError)) throw error
  return { name, state: 'failed', detail: error.message, ...(error.hint !== undefined && { hint: error.hint }) }
}
