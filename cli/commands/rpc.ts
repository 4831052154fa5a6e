/**
 * `rpc`: the API by hand. One call and its result, or with `--stdio` the protocol itself on standard input and output, for
 * programs that would rather start a process than find a socket.
 */
import type { Duplex, Readable } from 'node:stream'
import type { Command } from 'commander'
import { LineSplitter } from '../../node/api/line-splitter.ts'
import { findMethod } from '../../node/api/methods.ts'
import { NetworkError } from '../../node/errors.ts'
import { MAX_API_ANSWER_BYTES, MAX_API_REQUEST_BYTES } from '../../node/limits.ts'
import { type Context, usage } from '../context.ts'
import { EXIT, type ExitStatus } from '../exit-status.ts'
import { withNode, withNodeStream } from '../node-session.ts'
import type { Runner } from './command.ts'

export function addRpcCommand(program: Command, runner: Runner): void {
  program
    .command('rpc')
    .description('call the API by hand, or let a program speak to it')
    .argument('[method]', 'for example friend.list; `kith rpc rpc.discover` lists all')
    .argument('[params]', 'parameters as a JSON object, or - to read them from standard input')
    .option('--stdio', 'JSON-RPC 2.0 on standard input and output, one object a line')
    .action(runner.action(rpc))
}

async function rpc(
  context: Context,
  method: string | undefined,
  params: string | undefined,
  options: { stdio?: boolean },
): Promise<ExitStatus> {
  if (options.stdio === true) {
    if (method !== undefined) throw usage('--stdio reads methods from standard input', 'kith rpc --stdio')
    return await bridge(context)
  }
  if (method === undefined) throw usage('a method is missing', 'kith rpc METHOD [JSON], or kith rpc --stdio')
  if (method.startsWith('events.') && method.endsWith('subscribe')) {
    throw usage('a subscription ends with its connection', '`kith watch`, `kith rpc --stdio`, or events.since')
  }
  const given = await readParams(context, params)
  const scope = findMethod(method)?.scope
  const network = scope !== undefined && scope !== 'read' && scope !== 'none'
  const result = await withNode(context, { network, settle: network }, ({ api }) => api.callByName(method, given))
  if (context.out.json) await context.out.object({ result })
  else await context.out.document(result)
  return EXIT.done
}

async function readParams({ stdin }: Context, text: string | undefined): Promise<Record<string, unknown>> {
  const source = text === '-' ? await readAll(stdin) : (text ?? '{}')
  try {
    const params: unknown = JSON.parse(source)
    if (typeof params === 'object' && params !== null && !Array.isArray(params))
      return params as Record<string, unknown>
  } catch {
    // said below
  }
  throw usage('the parameters are no JSON object', `kith rpc friend.verify '{"who":"bob"}'`)
}

async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    if (length > MAX_API_REQUEST_BYTES) throw usage(`parameters have at most ${MAX_API_REQUEST_BYTES} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Carries lines both ways until the caller has closed its side and everything is answered. */
async function bridge(context: Context): Promise<ExitStatus> {
  return await withNodeStream(context, async (stream) => {
    const { stdin } = context
    let inputEnded = false
    stdin.once('end', () => (inputEnded = true))
    stdin.pipe(stream)
    const stop = (): void => void stream.destroy()
    context.signal.addEventListener('abort', stop)
    try {
      await tellLines(context, stream)
    } finally {
      context.signal.removeEventListener('abort', stop)
      stdin.unpipe(stream)
      stream.destroy()
    }
    if (context.signal.aborted) return EXIT.interrupted
    if (!inputEnded) throw new NetworkError('NODE_GONE', 'the node has gone', { hint: 'start it with `kith up`' })
    return EXIT.done
  })
}

async function tellLines({ out }: Context, stream: Duplex): Promise<void> {
  const splitter = new LineSplitter(MAX_API_ANSWER_BYTES)
  stream.on('error', () => stream.destroy())
  try {
    for await (const chunk of stream) {
      for (const line of splitter.push(chunk as Buffer)) await out.jsonLine(line)
    }
  } catch (error) {
    if (!stream.destroyed) throw error
  }
}
