/** The process `kith`: wires streams, signals and the real node to one run of the command line. */
import type { NodeRuntime } from '../node/api/runtime.ts'
import { EXIT } from './exit-status.ts'
import { runCli } from './run.ts'

/** A launcher forwards what the terminal has sent to both already: a second signal this soon is the first. */
const SAME_SIGNAL_MS = 500

/** The node is loaded when a command has to be one: most commands only talk to the node that runs, and are quick. */
async function load(): Promise<NodeRuntime> {
  return (await import('../node/index.ts')).runtime
}

const runtime: NodeRuntime = {
  hasIdentity: async (home) => await (await load()).hasIdentity(home),
  createIdentity: async (options) => await (await load()).createIdentity(options),
  homeRole: async (home) => await (await load()).homeRole(home),
  checkDirectory: async (home) => await (await load()).checkDirectory(home),
  checkContents: async (options) => await (await load()).checkContents(options),
  repair: async (options) => await (await load()).repair(options),
  openNode: async (options) => await (await load()).openNode(options),
  changePassphrase: async (options) => await (await load()).changePassphrase(options),
}

const interruption = new AbortController()
let since = 0

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const now = performance.now()
    if (!interruption.signal.aborted) {
      since = now
      interruption.abort(signal)
    } else if (now - since > SAME_SIGNAL_MS) {
      // Whoever asks twice does not want to wait for an orderly end; the next start recovers.
      process.exit(EXIT.interrupted)
    }
  })
}

if (process.env.KITH_LAUNCHED !== undefined && process.channel !== undefined && process.channel !== null) {
  delete process.env.KITH_LAUNCHED
  // A launcher that was killed cannot forward anything any more; a node without it would go on unseen.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}

process.exit(
  await runCli(process.argv.slice(2), {
    runtime,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: interruption.signal,
  }),
)
