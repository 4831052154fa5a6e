/**
 * One run of `kith`: arguments in, exit status out, everything of the world handed in. Nothing here ends the process,
 * so that tests run commands beside one another.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { UsageError } from '../node/errors.ts'
import { addChatCommand } from './commands/chat.ts'
import type { Runner } from './commands/command.ts'
import { addBotCommands } from './commands/bots.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addFriendCommands } from './commands/friends.ts'
import { addHelpCommand } from './commands/help.ts'
import { addIdentityCommands } from './commands/identity.ts'
import { addInviteCommands } from './commands/invites.ts'
import { addMessageCommands } from './commands/messages.ts'
import { addRpcCommand } from './commands/rpc.ts'
import { addRunCommands } from './commands/run-node.ts'
import { addSettingsCommands } from './commands/settings.ts'
import { addSwarmCommand } from './commands/swarm.ts'
import { addUiCommand } from './commands/ui.ts'
import { addWatchCommand } from './commands/watch.ts'
import type { CliInit, Context, GlobalOptions } from './context.ts'
import { EXIT, type ExitStatus, exitStatusOf, OutputClosedError } from './exit-status.ts'
import { Output } from './output.ts'
import { pageFolder } from './page-folder.ts'
import { createAsker } from './prompt.ts'
import { version } from './version.ts'

const LOCK_WAIT_MS = 5000

/**
 * Runs one command.
 * @param argv arguments without interpreter and program
 * @returns the exit status; every error has been told
 */
export async function runCli(argv: readonly string[], init: CliInit): Promise<ExitStatus> {
  // A reader that goes away is noticed by the write that fails; without a listener the event would end the process.
  init.stdout.on('error', ignore)
  init.stderr.on('error', ignore)
  const out = earlyOutput(argv, init)
  const outcome: Outcome = { status: EXIT.done, printed: '' }
  try {
    await createProgram(init, outcome).parseAsync([...argv], { from: 'user' })
    return outcome.status
  } catch (error) {
    return await tellError(error, argv, out, outcome)
  } finally {
    init.stdout.off('error', ignore)
    init.stderr.off('error', ignore)
  }
}

interface Outcome {
  status: ExitStatus
  /** Help that commander wrote. */
  printed: string
}

function ignore(): void {}

/** The output before the options are known: what commander refuses is told in the form that was asked for. */
function earlyOutput(argv: readonly string[], { stdout, stderr }: CliInit): Output {
  const [json, quiet] = [hasFlag(argv, '--json'), hasFlag(argv, '-q', '--quiet')]
  return new Output({ stdout, stderr, json, quiet })
}

function hasFlag(argv: readonly string[], ...names: string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).some((argument) => names.includes(argument))
}

async function tellError(error: unknown, argv: readonly string[], out: Output, outcome: Outcome): Promise<ExitStatus> {
  try {
    if (error instanceof CommanderError && error.exitCode === 0) {
      await out.lines([outcome.printed.trimEnd()])
      return EXIT.done
    }
    if (error instanceof OutputClosedError) return EXIT.done
    const told = error instanceof CommanderError ? usageError(error) : error
    await out.error(told, hasFlag(argv, '-v', '--verbose'))
    return exitStatusOf(told)
  } catch (broken) {
    if (broken instanceof OutputClosedError) return exitStatusOf(error)
    throw broken
  }
}

/** What commander says, in the form of our errors. */
function usageError(error: CommanderError): UsageError {
  if (error.code === 'commander.help') {
    return new UsageError('USAGE', 'a command is missing', { hint: '`kith help` lists all' })
  }
  const text = error.message.replace(/^error: /, '').trim()
  const suggestion = /\n?\(Did you mean (one of )?(.+?)\?\)$/s.exec(text)
  const [message, ...rest] = text.slice(0, suggestion?.index).split(/(?<= is invalid)\. /)
  const said = suggestion === null ? rest.join(' ') : `did you mean ${suggestion[2]}?`
  const hint = said === '' ? hintFor(error.code) : said.replace(/\.$/, '')
  return new UsageError('USAGE', message!.trim().replace(/\.$/, ''), { hint })
}

function hintFor(code: string): string {
  if (code === 'commander.excessArguments') return 'put a text of several words in quotes; `kith help COMMAND`'
  return '`kith help COMMAND` shows what it takes'
}

function createProgram(init: CliInit, outcome: Outcome): Command {
  const program = new Command('kith')
    .description('Chat with friends, without servers.')
    .option('--home <dir>', 'data directory (or KITH_HOME)')
    .option('--json', 'print JSON, one object a line', false)
    .option('--passphrase-file <file>', 'first line is the passphrase')
    .option('--passphrase-fd <number>', 'read the passphrase from this descriptor', descriptor)
    .option('-q, --quiet', 'no notes and hints', false)
    .option('-v, --verbose', 'say where an error came from', false)
    .version(version(), '--version')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => (outcome.printed += text),
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    .exitOverride()
  const runner: Runner = {
    action:
      (run) =>
      async (...args) => {
        outcome.status = (await run(createContext(init, program.opts<GlobalOptions>()), ...args)) ?? EXIT.done
      },
  }
  addIdentityCommands(program, runner)
  addDoctorCommand(program, runner)
  addRunCommands(program, runner)
  addInviteCommands(program, runner)
  addFriendCommands(program, runner)
  addMessageCommands(program, runner)
  addWatchCommand(program, runner)
  addChatCommand(program, runner, init.stdout)
  addRpcCommand(program, runner)
  addBotCommands(program, runner)
  addUiCommand(program, runner)
  addSettingsCommands(program, runner)
  addSwarmCommand(program, runner)
  addHelpCommand(program, runner)
  return program
}

function createContext(init: CliInit, options: GlobalOptions): Context {
  const { runtime, stdin, stdout, stderr, env } = init
  const signal = init.signal ?? new AbortController().signal
  return {
    runtime,
    stdin,
    env,
    signal,
    asker: init.asker ?? createAsker(stdin, stderr, signal),
    lockWaitMs: init.lockWaitMs ?? LOCK_WAIT_MS,
    pageFolder: init.pageFolder ?? pageFolder(),
    options,
    out: new Output({ stdout, stderr, json: options.json, quiet: options.quiet }),
  }
}

function descriptor(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError('expected the number of an open descriptor')
  return Number(text)
}
