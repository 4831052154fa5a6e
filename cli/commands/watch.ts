/** `watch`: every event of the node as it comes, from a cursor on when one is given. */
import type { Command } from 'commander'
import { KithError, NetworkError } from '../../node/errors.ts'
import type { Context } from '../context.ts'
import { EventTeller } from '../event-lines.ts'
import { EXIT, type ExitStatus, InterruptedError } from '../exit-status.ts'
import { withNode } from '../node-session.ts'
import { type Runner, wholeNumber } from './command.ts'

export function addWatchCommand(program: Command, runner: Runner): void {
  program
    .command('watch')
    .description('follow what happens')
    .option('--since <cursor>', 'from this event on (0: all that are kept)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .action(runner.action(watch))
}

async function watch(context: Context, options: { since?: number }): Promise<ExitStatus> {
  let cursor = options.since
  await withNode(context, { network: true }, async ({ api }) => {
    const teller = new EventTeller(context.out, api)
    try {
      for await (const told of api.events(cursor, context.signal)) {
        if ('cursor' in told) cursor = told.cursor
        await teller.tell(told)
      }
    } catch (error) {
      if (error instanceof KithError && error.code === 'NODE_GONE') throw nodeGone(cursor)
      throw error
    }
  }).catch((error: unknown) => {
    // Whoever watches ends it so; there is nothing to tell.
    if (!(error instanceof InterruptedError)) throw error
  })
  return EXIT.interrupted
}

function nodeGone(cursor: number | undefined): NetworkError {
  const again = cursor === undefined ? '' : `; \`kith watch --since ${cursor}\` goes on where this ended`
  return new NetworkError('NODE_GONE', 'the node has gone', { hint: `start it with \`kith up\`${again}` })
}
