/**
 * Loaded into each process of a swarm before the program (`node --import`): gives its TCP connections an address of their
 * own as their source, so that the proxy knows who dials, and turns those to processes of the swarm to the proxy. The
 * program itself knows nothing of it: to it the network is what it dials. SWARM_ADDRESS is 127.S.n.1 (loopback.ts).
 */
import { flushCompileCache } from 'node:module'
import { Socket } from 'node:net'

const own = process.env.SWARM_ADDRESS
if (own === undefined) throw new Error('SWARM_ADDRESS is missing')
delete process.env.SWARM_ADDRESS
const subnet = Number(own.split('.')[1])
const prefix = `127.${subnet}.`

process.on('message', () => flushCompileCache())

interface Target {
  host?: unknown
  localAddress?: string
}

// oxlint-disable-next-line typescript/unbound-method -- called with the socket it was called on
const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket

Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  // `net.connect` hands over its arguments as one array, of which the options are the first
  const [first] = args
  const target = (Array.isArray(first) ? first[0] : first) as Target | undefined
  if (typeof target?.host === 'string' && target.host.startsWith(prefix)) {
    target.host = `127.${subnet + 1}.${target.host.slice(prefix.length)}`
    target.localAddress = own
  }
  return connect.apply(this, args)
}
