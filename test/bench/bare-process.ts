/**
 * The processes that nodes are compared with: Node.js alone, a TCP or libp2p echo, and libp2p with all services of a node
 * and nothing of Kith. Says `{"event":"ready","address"?}` and ends with its standard input.
 *
 *     node test/bench/bare-process.ts idle | tcp-echo | unix-echo PATH | libp2p-echo | libp2p [peer's multiaddr]
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

const [kind, peer] = process.argv.slice(2)

async function start(): Promise<string | undefined> {
  // loaded only where needed: it is part of what is measured
  if (kind === 'tcp-echo') return await tcpEcho()
  if (kind === 'unix-echo') return await unixEcho()
  if (kind === 'libp2p-echo') return await libp2pEcho()
  if (kind === 'libp2p') return await libp2p()
  return undefined
}

async function tcpEcho(): Promise<string> {
  const { createServer } = await import('node:net')
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return String((server.address() as AddressInfo).port)
}

async function unixEcho(): Promise<string> {
  const { createServer } = await import('node:net')
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  server.listen(peer)
  await once(server, 'listening')
  return peer!
}

async function libp2pEcho(): Promise<string> {
  const { createEchoNode, ECHO_PROTOCOL } = await import('./echo-node.ts')
  const node = await createEchoNode(['/ip4/127.0.0.1/tcp/0'])
  await node.handle(ECHO_PROTOCOL, (stream) => {
    stream.addEventListener('message', (event) => void stream.send(event.data))
  })
  return node.getMultiaddrs()[0]!.toString()
}

async function libp2p(): Promise<string> {
  const { plainNode } = await import('../support/plain-libp2p.ts')
  const { multiaddr } = await import('@multiformats/multiaddr')
  const node = await plainNode()
  for (const topic of node.services.gossip.getTopics()) node.services.gossip.subscribe(topic)
  if (peer !== undefined) await node.dial(multiaddr(peer))
  return node.getMultiaddrs()[0]!.toString()
}

const address = await start()
process.stdout.write(`${JSON.stringify({ event: 'ready', ...(address !== undefined && { address }) })}\n`)
process.stdin.resume().once('end', () => process.exit(0))
