/** `chat`: the terminal chat, full screen or by lines; in an empty home it begins with a few questions. */
import type { Command } from 'commander'
import { type ChatSettings, chatSettings } from '../chat/chat-settings.ts'
import { Chat } from '../chat/chat.ts'
import { firstRun } from '../chat/first-run.ts'
import { createOutside } from '../chat/outside.ts'
import { runPlain } from '../chat/plain-chat.ts'
import { initialState } from '../chat/state.ts'
import { loadConfig } from '../configuration.ts'
import { type Context, homeOf, usage } from '../context.ts'
import { type ExitStatus, EXIT, InterruptedError } from '../exit-status.ts'
import { join, type NodeSession, withNode } from '../node-session.ts'
import type { Terminal } from '../output.ts'
import type { Runner } from './command.ts'

/** Lines that a face without a screen has, for what is laid out by lines. */
const PLAIN_ROWS = 24

export function addChatCommand(program: Command, runner: Runner, stdout: Terminal): void {
  program
    .command('chat')
    .description('talk with friends in the terminal')
    .argument('[who]', 'whom to begin with')
    .option('--plain', 'lines instead of a screen: for pipes, dumb terminals and screen readers')
    .action(
      runner.action((context: Context, who: string | undefined, options: { plain?: boolean }) =>
        chat(context, stdout, who, options.plain === true),
      ),
    )
}

async function chat(context: Context, stdout: Terminal, who: string | undefined, plain: boolean): Promise<ExitStatus> {
  if (context.options.json) throw usage('chat is for people', '`kith watch --json` and `kith send` are for programs')
  const known = await firstRun(context)
  const readSettings = async (): Promise<ChatSettings> =>
    chatSettings((await loadConfig(known, 'node')).values, known.env)
  const settings = await readSettings()
  if ((await isAlone(known)) && known.out.isTerminal) known.out.note('opening your node; this takes a moment')
  const isPlain = plain || !canDraw(known, stdout)
  try {
    await withNode(known, { network: true, settle: true }, async (session) => {
      const { rows = PLAIN_ROWS, columns = 80 } = stdout as Terminal & { rows?: number }
      const running = new Chat({
        state: initialState(settings, { rows, columns }),
        name: `chat-${process.pid}-${Date.now().toString(36)}`,
        outside: createOutside(stdout, () => performance.now()),
        settings: readSettings,
        rejoin: () => join(known, homeOf(known)),
      })
      await talk(known, running, session, { who, isPlain, stdout })
    })
  } catch (error) {
    if (error instanceof InterruptedError) return EXIT.interrupted
    throw error
  }
  return EXIT.done
}

async function talk(
  context: Context,
  running: Chat,
  session: NodeSession,
  { who, isPlain, stdout }: { who: string | undefined; isPlain: boolean; stdout: Terminal },
): Promise<void> {
  const { signal, stdin, out } = context
  const quit = (): void => running.quit()
  signal.addEventListener('abort', quit)
  const ended = running.run(session)
  if (who !== undefined) void running.ready().then(() => running.dispatch({ type: 'command', line: `/open ${who}` }))
  try {
    if (isPlain) await runPlain(running, { stdin, out }, ended)
    else await (await import('../chat/screen.ts')).showScreen(running, { stdin, stdout }, ended)
  } finally {
    quit()
    signal.removeEventListener('abort', quit)
    await ended
  }
}

/** Whether this command will have to be the node. */
async function isAlone(context: Context): Promise<boolean> {
  const session = await join(context, homeOf(context))
  session?.api.close()
  return session === undefined
}

function canDraw({ stdin, env }: Context, stdout: Terminal): boolean {
  return stdin.isTTY === true && stdout.isTTY === true && env.TERM !== 'dumb'
}
