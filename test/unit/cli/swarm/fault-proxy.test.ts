/** The proxy between processes of a swarm: who dials whom is known, cut, refused and held back. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { FaultProxy } from '../../../../cli/swarm/fault-proxy.ts'
import { Loopback, SWARM_PORT } from '../../../../cli/swarm/loopback.ts'
import { NetworkError } from '../../../../node/errors.ts'
import { rejection } from '../../../support/rejection.ts'

describe('the proxy of a swarm', () => {
  let loopback: Loopback
  let proxy: FaultProxy
  let server: Server
  /** Source addresses that n2 saw. */
  let sources: string[]

  async function begin(delay: number): Promise<void> {
    loopback = await Loopback.take()
    proxy = new FaultProxy(loopback, delay)
    await Promise.all(['n1', 'n2', 'r1'].map((name) => proxy.open(name)))
    sources = []
    // says what it was told, once it was told all
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sources.push(socket.remoteAddress!)
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    })
    server.listen({ host: loopback.address('n2'), port: SWARM_PORT })
    await once(server, 'listening')
  }

  afterEach(async () => {
    await proxy.close()
    await new Promise((resolve) => server.close(resolve))
    await loopback.close()
  })

  function dial(from: string): Socket {
    return connect({ host: loopback.proxied('n2'), port: SWARM_PORT, localAddress: from, allowHalfOpen: true })
  }

  /** Resolves when a connection was refused or reset. */
  async function ended(socket: Socket): Promise<string> {
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    return error.code!
  }

  it('passes bytes and ends both ways, and the dialler is who it was', async () => {
    await begin(0)
    const socket = dial(loopback.address('n1'))
    socket.end('x'.repeat(300_000))
    expect(await text(socket)).to.have.length(300_000)
    expect(sources).to.deep.equal([loopback.address('n1')])
    expect(proxy.counts).to.deep.equal({ opened: 1, refused: 0 })
  })

  it('holds every byte back, and keeps the order', async () => {
    await begin(30)
    const began = performance.now()
    const socket = dial(loopback.address('n1'))
    const words = Array.from({ length: 200 }, (_, index) => `word ${index}\n`)
    for (const word of words) socket.write(word)
    socket.end()
    expect(await text(socket)).to.equal(words.join(''))
    expect(performance.now() - began, 'there and back').to.be.above(59)
  })

  it('resets what a cut crosses, refuses what would, and heals', async () => {
    await begin(0)
    const [across, within] = [dial(loopback.address('n1')), dial(loopback.address('r1'))]
    for (const socket of [across, within]) {
      socket.write('hello')
      await once(socket, 'data')
    }
    const reset = ended(across)
    const partition = {}
    proxy.cut(partition, ['n1'])
    expect(await reset).to.equal('ECONNRESET')
    expect(await ended(dial(loopback.address('n1')))).to.equal('ECONNRESET')
    expect(proxy.counts).to.deep.equal({ opened: 2, refused: 1 })
    proxy.heal(partition)
    const again = dial(loopback.address('n1'))
    again.end('again')
    expect(await text(again)).to.equal('again')
    within.write('still here')
    await once(within, 'data')
    within.destroy()
  })

  it('cuts within a second cut what the first let pass', async () => {
    await begin(0)
    proxy.cut({}, ['n1', 'n2'])
    proxy.cut({}, ['n2', 'r1'])
    expect([proxy.isCut('n1', 'n2'), proxy.isCut('n2', 'r1'), proxy.isCut('n1', 'r1')]).to.deep.equal([
      true,
      true,
      true,
    ])
  })

  it('refuses who is not of the swarm', async () => {
    await begin(0)
    expect(await ended(dial('127.0.0.1'))).to.equal('ECONNRESET')
    expect(sources).to.deep.equal([])
  })

  it('resets who dials a process that is not there', async () => {
    await begin(0)
    const socket = connect({ host: loopback.proxied('r1'), port: SWARM_PORT, localAddress: loopback.address('n1') })
    expect(await ended(socket)).to.equal('ECONNRESET')
  })

  it('lets two swarms live side by side, but not in one place', async () => {
    await begin(0)
    const other = await Loopback.take()
    expect(other.subnet).not.to.equal(loopback.subnet)
    expect(await rejection(Loopback.take(loopback.subnet))).to.be.instanceOf(NetworkError)
    await other.close()
    await (await Loopback.take(other.subnet)).close()
  })
})
