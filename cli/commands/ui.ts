/**
 * `ui`: the page in a browser. The node that runs on the home serves it; when none runs, this command becomes the node, and
 * the page asks for what is missing: an identity, or the passphrase.
 */
import type { Command } from 'commander'
import { HttpServer, PAGE_ADDRESSES } from '../../node/api/http/http-server.ts'
import type { RunningNode } from '../../node/api/runtime.ts'
import { ApiServer } from '../../node/api/server.ts'
import { LockedNode } from '../../node/api/setup.ts'
import { UsageError } from '../../node/errors.ts'
import { openBrowser, openerOf } from '../browser.ts'
import { configPath, loadConfig, roleOfHome } from '../configuration.ts'
import { type Context, homeOf } from '../context.ts'
import { EXIT, type ExitStatus } from '../exit-status.ts'
import { HomeSettings } from '../home-settings.ts'
import { HomeSetup } from '../home-setup.ts'
import { join } from '../node-session.ts'
import { ensurePage } from '../page-folder.ts'
import { givenPassphrase } from '../passphrase.ts'
import type { Runner } from './command.ts'
import { aborted, diskLost, STOP_GRACE_MS, tellReady } from './run-node.ts'

interface UiOptions {
  open: boolean
}

export function addUiCommand(program: Command, runner: Runner): void {
  program
    .command('ui')
    .description('open the page in your browser; runs your node when it does not run yet')
    .option('--no-open', 'print the address and open nothing')
    .action(runner.action(ui))
}

async function ui(context: Context, options: UiOptions): Promise<ExitStatus> {
  const home = homeOf(context)
  if ((await roleOfHome(context)) === 'relay') {
    throw new UsageError('WRONG_ROLE', `${home} is a relay's, which has no page`)
  }
  await ensurePage(context)
  const holder = await join(context, home)
  if (holder !== undefined && !holder.transient) {
    try {
      const { url } = await holder.api.call('ui.open', { sameUser: willOpen(context, options) })
      await show(context, url, options)
      return EXIT.done
    } finally {
      holder.api.close()
    }
  }
  holder?.api.close()
  await beNode(context, options)
  return context.signal.reason === 'SIGINT' ? EXIT.interrupted : EXIT.done
}

/** Serves the page and, once it is unlocked, the node, until a signal. */
async function beNode(context: Context, options: UiOptions): Promise<void> {
  const home = homeOf(context)
  const { values, warnings } = await loadConfig(context, 'node')
  for (const warning of warnings) context.out.note(`warning: ${warning}`)
  const opened = Promise.withResolvers<RunningNode>()
  const settings = new HomeSettings({ path: configPath(home), role: 'node', env: context.env })
  let node: { running: RunningNode; server: ApiServer } | undefined
  const setup = await HomeSetup.of(context, async (running) => {
    const server = new ApiServer({ service: running.service, role: 'node', settings, page: context.pageFolder })
    node = { running, server }
    try {
      await server.listen(home, context.env)
      await locked.handOver(running.service)
    } catch (error) {
      node = undefined
      await running.stop()
      throw error
    }
    server.takeHttp(http)
    opened.resolve(running)
  })
  const locked = new LockedNode(setup)
  const http = new HttpServer({ dispatcher: locked.dispatcher, page: context.pageFolder })
  try {
    await http.listenAtOneOf(values.http === 'off' ? PAGE_ADDRESSES : [values.http])
    const passphrase = (await setup.state()).state === 'locked' ? await givenPassphrase(context) : undefined
    if (passphrase !== undefined) await setup.unlock(passphrase)
    await show(context, await http.openPage(willOpen(context, options)), options)
    const running = await Promise.race([opened.promise, aborted(context.signal).then(() => undefined)])
    if (running === undefined) return
    await tellReady(context, running.ready, http.origin)
    await Promise.race([aborted(context.signal), diskLost(running)])
  } finally {
    await http.close(STOP_GRACE_MS)
    await node?.server.close(STOP_GRACE_MS)
    await node?.running.stop()
  }
}

/** What opens a browser is told the address as an argument, which every user of the machine can read. */
function willOpen({ env }: Context, { open }: UiOptions): boolean {
  return open && openerOf(env) !== undefined
}

async function show({ out, env }: Context, url: string, { open }: UiOptions): Promise<void> {
  const opened = open && (await openBrowser(url, env))
  if (out.json) return out.object({ event: 'page', url, opened })
  await out.lines([url])
  if (opened) out.note('the page opens in your browser; the address is good once, for a minute')
  else out.note('open this address in your browser; it is good once, for a minute')
}
