/**
 * Says back what friends say: `KITH_URL=http://127.0.0.1:4380 KITH_TOKEN=kith_… node echo.ts`.
 * It goes on behind the last event that it acknowledged, and answers each message once, whatever is killed when.
 */
interface Event {
  cursor?: number
  detail?: { direction?: string; type?: string; from: string; text: string; messageId: string }
}

const { KITH_URL: url, KITH_TOKEN: token } = process.env
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }

async function call(method: string, params: object): Promise<void> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const response = await fetch(`${url}/rpc`, { method: 'POST', headers, body })
  const { error } = (await response.json()) as { error?: { message: string } }
  if (error !== undefined) throw new Error(`${method}: ${error.message}`)
}

async function* events(): AsyncGenerator<Event> {
  const response = await fetch(`${url}/events?consumer=echo-ts&kinds=message`, { headers })
  if (!response.ok) throw new Error(`/events: ${response.status}`)
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    for (const line of lines) if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length)) as Event
  }
}

for (;;) {
  try {
    for await (const { cursor, detail } of events()) {
      if (detail?.direction === 'in' && detail.type === 'text') {
        const { from, text, messageId } = detail
        await call('message.send', { who: from, text: `you said: ${text}`, idempotencyKey: `echo-ts ${messageId}` })
      }
      if (cursor !== undefined) await call('events.ack', { consumer: 'echo-ts', cursor })
    }
  } catch (error) {
    process.stderr.write(`${String(error)}\n`)
  }
  // The node has gone, or is not there yet.
  await new Promise((resolve) => setTimeout(resolve, 1000))
}
