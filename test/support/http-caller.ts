/** Calls over HTTP as anybody may make them: any header, any body, answers as they come. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'

export interface HttpAnswer {
  status: number
  headers: IncomingMessage['headers']
  text: string
  /** The code of the error, when it is one. */
  code?: string
  body: Record<string, unknown>
}

export interface HttpCall {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
}

/** An event of a stream, as its fields stand there. */
export interface SentEvent {
  id?: string
  event?: string
  data?: string
}

export class HttpCaller {
  readonly port: number
  /** Sent with each call unless it says otherwise. */
  readonly token: string | undefined

  constructor(origin: string, token?: string) {
    this.port = Number(new URL(origin).port)
    this.token = token
  }

  async open(path: string, { method = 'GET', headers = {}, body }: HttpCall = {}): Promise<IncomingMessage> {
    const authorization = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }
    const sent = request({
      host: '127.0.0.1',
      port: this.port,
      path,
      method,
      headers: { ...authorization, ...headers },
      agent: false,
    })
    sent.end(body)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    return answer
  }

  async call(path: string, call: HttpCall = {}): Promise<HttpAnswer> {
    const answer = await this.open(path, call)
    let text = ''
    for await (const chunk of answer.setEncoding('utf8')) text += chunk
    const isJson = answer.headers['content-type']?.startsWith('application/json') === true
    const body = (isJson ? JSON.parse(text) : {}) as HttpAnswer['body']
    const { error } = body as { error?: { data?: { code: string } } }
    const code = error?.data?.code
    return { status: answer.statusCode!, headers: answer.headers, text, body, ...(code !== undefined && { code }) }
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  }

  /** One call of the API. */
  rpc(method: string, params: unknown = {}, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.post('/rpc', { jsonrpc: '2.0', id: 1, method, params }, headers)
  }

  /** The events of a stream; a comment and what only sets the identifier are left out. */
  async *events(path: string, headers: Record<string, string> = {}): AsyncGenerator<SentEvent, void> {
    const answer = await this.open(path, { headers })
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
    let text = ''
    try {
      for await (const chunk of answer.setEncoding('utf8')) {
        text += chunk
        const blocks = text.split('\n\n')
        text = blocks.pop()!
        for (const block of blocks) {
          const event = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2))) as SentEvent
          if (event.data !== undefined) yield event
        }
      }
    } finally {
      answer.destroy()
    }
  }

  /** A bare connection. */
  async socket(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1')
    socket.on('error', () => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
}
