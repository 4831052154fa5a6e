/** Starts processes that nodes are compared with, and measures round trips with those that echo. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import { LineProcess } from '../support/kith-process.ts'
import type { Bench } from './bench.ts'
import { createEchoNode, ECHO_PROTOCOL } from './echo-node.ts'
import { timesOf } from './measure.ts'

export type BareKind = 'idle' | 'tcp-echo' | 'unix-echo' | 'libp2p-echo' | 'libp2p'

const PROGRAM = join(import.meta.dirname, 'bare-process.ts')

/** A process that is ready; it is ended with the group. */
export async function startBare(
  bench: Bench,
  kind: BareKind,
  ...more: string[]
): Promise<{ process: LineProcess; address: string }> {
  const child = spawn(process.execPath, [PROGRAM, kind, ...more], { stdio: ['pipe', 'pipe', 'pipe'] })
  const bare = new LineProcess(kind, child)
  bench.atEnd(async () => void (await bare.stop()))
  const ready = await bare.waitFor((line) => line.event === 'ready')
  return { process: bare, address: String(ready.address) }
}

/** One kept connection to an echo in another process. */
export interface Echo {
  /** Of the process that echoes. */
  pid: number | undefined
  /** Milliseconds of each of `count` round trips, one after another. */
  roundTrips(count: number): Promise<number[]>
}

interface Wire {
  send(bytes: Uint8Array): void
  onBytes(listener: (count: number) => void): void
}

/** An echo over a raw TCP socket. @param size bytes that go each way */
export async function tcpEcho(bench: Bench, size: number): Promise<Echo> {
  const { process: peer, address } = await startBare(bench, 'tcp-echo')
  const socket = connect(Number(address), '127.0.0.1')
  socket.setNoDelay(true)
  bench.atEnd(async () => void socket.destroy())
  await once(socket, 'connect')
  return pingPong(peer.pid, size, {
    send: (bytes) => void socket.write(bytes),
    onBytes: (listener) => void socket.on('data', (chunk: Buffer) => listener(chunk.length)),
  })
}

/** An echo over one stream of plain libp2p. @param size bytes that go each way */
export async function libp2pEcho(bench: Bench, size: number): Promise<Echo> {
  const { process: peer, address } = await startBare(bench, 'libp2p-echo')
  const node = await createEchoNode([])
  bench.atEnd(async () => await node.stop())
  const stream = await node.dialProtocol(multiaddr(address), ECHO_PROTOCOL)
  return pingPong(peer.pid, size, {
    send: (bytes) => void stream.send(bytes),
    onBytes: (listener) => stream.addEventListener('message', (event) => listener(event.data.byteLength)),
  })
}

function pingPong(pid: number | undefined, size: number, wire: Wire): Echo {
  const bytes = new Uint8Array(size).fill(7)
  let missing = 0
  let done: (() => void) | undefined
  wire.onBytes((count) => {
    missing -= count
    if (missing === 0) done?.()
  })
  const trip = async (): Promise<void> => {
    missing = size
    const back = new Promise<void>((resolve) => (done = resolve))
    wire.send(bytes)
    await back
  }
  return { pid, roundTrips: (count) => timesOf(count, trip) }
}
