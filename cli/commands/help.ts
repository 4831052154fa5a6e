/** `help`, with the topic that no command has: the exit statuses. */
import type { Command } from 'commander'
import { type Context, usage } from '../context.ts'
import { EXIT_MEANINGS } from '../exit-status.ts'
import { table } from '../layout.ts'
import type { Runner } from './command.ts'

export function addHelpCommand(program: Command, runner: Runner): void {
  program.helpCommand(false)
  program
    .command('help')
    .description('help for a command, or `help exit-codes`')
    .argument('[topic...]')
    .action(runner.action((context: Context, topic: string[]) => help(context, program, topic)))
}

async function help({ out }: Context, program: Command, topic: string[]): Promise<void> {
  if (topic.length === 1 && topic[0] === 'exit-codes') {
    if (out.json) return out.object({ exitCodes: Object.fromEntries(EXIT_MEANINGS) })
    return out.lines(table(EXIT_MEANINGS.map(([status, meaning]) => [String(status).padStart(3), meaning])))
  }
  let command = program
  for (const name of topic) {
    const next = command.commands.find((each) => each.name() === name || each.aliases().includes(name))
    if (next === undefined) throw usage(`no help about ${JSON.stringify(topic.join(' '))}`, '`kith help` lists all')
    command = next
  }
  return out.lines([command.helpInformation().trimEnd()])
}
