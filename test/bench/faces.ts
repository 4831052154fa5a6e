/**
 * What programs get of a node over its socket: calls a second, beside a bare echo over a unix socket in a process of its own,
 * and events a second from the store to a subscriber. Calls of one connection go side by side.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { LineSplitter } from '../../node/api/line-splitter.ts'
import { friendsOnline } from '../support/befriended.ts'
import type { KithProcess } from '../support/kith-process.ts'
import { startBare } from './bare-peer.ts'
import type { Bench } from './bench.ts'
import { byTurns, type Case, timed } from './measure.ts'
import { Group } from './report.ts'

/** Calls of one connection that wait for their answers. */
const AT_ONCE = 32
const REQUEST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'rpc.hello', params: {} })
const LINE_BYTES = 1024 * 1024

export async function benchFaces(bench: Bench): Promise<Group> {
  const group = new Group('What programs get over the socket')
  const { nodes, alice: node } = await friendsOnline(await bench.directory())
  bench.atEnd(() => nodes.stopAll())
  const echo = await echoOf(bench)
  const cases = {
    echo: perLine(echo),
    hello: callsOf(() => node.call('rpc.hello', {})),
    status: callsOf(() => node.call('node.status', {})),
  }
  const turns = { rounds: bench.amount(9, 2), count: bench.amount(4000, 100) }
  const rates = await byTurns(cases, turns)
  const total = turns.rounds * turns.count
  const base = group.rate('a line there and back, bare echo over a unix socket', total, rates.echo)
  group.rate('rpc.hello', total, rates.hello, base)
  group.rate('node.status', total, rates.status, base)
  await benchEvents(bench, group, node)
  group.note(`${AT_ONCE} calls of one connection are under way at once; caller and node are two processes`)
  return group
}

/** Fills the log with drafts for a friend, then tells it whole to one subscriber after the other. */
async function benchEvents(bench: Bench, group: Group, alice: KithProcess): Promise<void> {
  const count = bench.amount(1000, 100)
  const { id } = (await alice.call('friend.list', {}))[0]!
  const write: Case = (amount) => {
    let number = 0
    return callsOf(() => alice.call('draft.set', { who: id, text: `draft ${(number += 1)} of ${amount}` }))(amount)
  }
  const written = (1000 * count) / (await write(count))
  group.rate('draft.set: a synced batch with its event', count, [written])
  const end = (await alice.log()).length
  const rates: number[] = []
  for (let round = 0; round < bench.amount(5, 2); round++) {
    const { ms } = await timed(() => alice.logged(({ cursor }) => cursor === end))
    rates.push((1000 * end) / ms)
  }
  group.rate('events from the store to a subscriber', end * rates.length, rates)
}

async function echoOf(bench: Bench): Promise<Socket> {
  const { address } = await startBare(bench, 'unix-echo', join(await bench.directory(), 'echo.sock'))
  const socket = connect(address)
  bench.atEnd(async () => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Lines to an echo and back, so many at once. */
function perLine(socket: Socket): Case {
  return async (count) => {
    const splitter = new LineSplitter(LINE_BYTES)
    const begin = performance.now()
    let [sent, back] = [0, 0]
    const { promise, resolve } = Promise.withResolvers<void>()
    const send = (): void => {
      sent += 1
      socket.write(`${REQUEST}\n`)
    }
    const take = (chunk: Buffer): void => {
      for (const _ of splitter.push(chunk)) {
        back += 1
        if (sent < count) send()
      }
      if (back === count) resolve()
    }
    socket.on('data', take)
    while (sent < Math.min(AT_ONCE, count)) send()
    await promise
    socket.off('data', take)
    return performance.now() - begin
  }
}

/** The same call again and again, so many at once. */
function callsOf(call: () => Promise<unknown>): Case {
  return async (count) => {
    const begin = performance.now()
    let started = 0
    const go = async (): Promise<void> => {
      while (started < count) {
        started += 1
        await call()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, go))
    return performance.now() - begin
  }
}
