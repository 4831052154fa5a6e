/**
 * A bot as a process of its own: answers each message of a friend once, whatever is killed and started again. It goes on
 * behind what it acknowledged, and what it does not know whether it sent it asks to send again under the same key.
 *
 *     node test/support/echo-bot.ts HOME
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, KithError, type KithClient } from '../../node/api/create-client.ts'

const CONSUMER = 'echo'
const GONE = new Set(['NODE_GONE', 'NO_NODE', 'NODE_UNREACHABLE', 'HOME_IN_USE'])
const AGAIN_MS = 50

async function serve(client: KithClient): Promise<void> {
  for await (const told of client.events({ consumer: CONSUMER, kinds: ['message'] })) {
    if ('lagged' in told) throw new Error('the log dropped events that the bot had not seen')
    const { cursor, detail } = told
    if (detail.direction === 'in') {
      const idempotencyKey = `echo-${String(detail.messageId)}`
      const text = `echo of ${String(detail.text)}`
      await client.call('message.send', { who: String(detail.from), text, idempotencyKey })
      process.stdout.write(`${JSON.stringify({ event: 'echoed', text })}\n`)
    }
    await client.call('events.ack', { consumer: CONSUMER, cursor })
  }
}

for (;;) {
  try {
    const client = await createClient({ home: process.argv[2]! })
    await client.call('events.since', { consumer: CONSUMER, limit: 1 })
    process.stdout.write(`${JSON.stringify({ event: 'ready' })}\n`)
    await serve(client)
  } catch (error) {
    if (!(error instanceof KithError) || !GONE.has(error.code)) throw error
    // the node is started again by somebody else
    await sleep(AGAIN_MS)
  }
}
