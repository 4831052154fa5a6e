/** The proxy between processes of a swarm: who dials whom is known, cut, refused and held back. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { FaultProxy, type LinkFault } from '../../../../cli/swarm/fault-proxy.ts'
import { Loopback, SWARM_PORT } from '../../../../cli/swarm/loopback.ts'
import type { DelayRange } from '../../../../cli/swarm/options.ts'
import type { Name } from '../../../../cli/swarm/schedule.ts'
import { NetworkError } from '../../../../node/errors.ts'
import { rejection } from '../../../support/rejection.ts'
import { until } from '../../../support/until.ts'

const NONE: FaultProxy['counts'] = { opened: 0, refused: 0, swallowed: 0, lost: 0, broken: 0, stalled: 0 }

function cut(...group: Name[]): LinkFault {
  return { kind: 'partition', groups: [group, []] }
}

describe('the proxy of a swarm', () => {
  let loopback: Loopback
  let proxy: FaultProxy
  let server: Server
  /** Source addresses that n2 saw. */
  let sources: string[]
  let accepted: Socket[]

  async function begin(...delayMs: DelayRange): Promise<void> {
    loopback = await Loopback.take()
    proxy = new FaultProxy({ loopback, delayMs, seed: 7 })
    await Promise.all(['n1', 'n2', 'r1'].map((name) => proxy.open(name)))
    sources = []
    accepted = []
    // says what it was told, once it was told all
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sources.push(socket.remoteAddress!)
      accepted.push(socket)
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    })
    server.listen({ host: loopback.address('n2'), port: SWARM_PORT })
    await once(server, 'listening')
  }

  afterEach(finish)

  async function finish(): Promise<void> {
    await proxy.close()
    for (const socket of accepted) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    await loopback.close()
  }

  /** Dials n2. */
  function dial(from: Name, localAddress = loopback.address(from)): Socket {
    return connect({ host: loopback.proxied('n2'), port: SWARM_PORT, localAddress, allowHalfOpen: true })
  }

  async function answered(socket: Socket): Promise<boolean> {
    return await once(socket, 'data').then(
      () => true,
      () => false,
    )
  }

  /** Resolves when a connection was refused or reset. */
  async function ended(socket: Socket): Promise<string> {
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    return error.code!
  }

  it('passes bytes and ends both ways, and the dialler is who it was', async () => {
    await begin(0, 0)
    const socket = dial('n1')
    socket.end('x'.repeat(300_000))
    expect(await text(socket)).to.have.length(300_000)
    expect(sources).to.deep.equal([loopback.address('n1')])
    expect(proxy.counts).to.deep.equal({ ...NONE, opened: 1 })
  })

  it('holds every byte back, and keeps the order', async () => {
    await begin(20, 40)
    const began = performance.now()
    const socket = dial('n1')
    const words = Array.from({ length: 200 }, (_, index) => `word ${index}\n`)
    for (const word of words) socket.write(word)
    socket.end()
    expect(await text(socket)).to.equal(words.join(''))
    expect(performance.now() - began, 'there and back').to.be.above(39)
  })

  it('resets what a cut crosses, refuses what would, and heals', async () => {
    await begin(0, 0)
    const [across, within] = [dial('n1'), dial('r1')]
    for (const socket of [across, within]) {
      socket.write('hello')
      await once(socket, 'data')
    }
    const reset = ended(across)
    const partition = {}
    proxy.strike(partition, cut('n1'))
    expect(await reset).to.equal('ECONNRESET')
    expect(await ended(dial('n1'))).to.equal('ECONNRESET')
    expect(proxy.counts).to.deep.equal({ ...NONE, opened: 2, refused: 1 })
    proxy.heal(partition)
    const again = dial('n1')
    again.end('again')
    expect(await text(again)).to.equal('again')
    within.write('still here')
    await once(within, 'data')
    within.destroy()
  })

  it('cuts within a second cut what the first let pass', async () => {
    await begin(0, 0)
    proxy.strike({}, cut('n1', 'n2'))
    proxy.strike({}, { ...cut('n2', 'r1'), silent: true })
    const states = [proxy.between('n1', 'n2'), proxy.between('n2', 'r1'), proxy.between('n1', 'r1')]
    expect(states).to.deep.equal(['silent', 'cut', 'cut'])
    expect(proxy.between('n1', 'n1')).to.equal('open')
  })

  it('swallows in a silence what is sent, tells nobody, and resets who speaks there when it is over', async () => {
    await begin(0, 0)
    const [speaker, quiet, within] = [dial('n1'), dial('n1'), dial('r1')]
    for (const socket of [speaker, quiet, within]) {
      socket.write('hello')
      await once(socket, 'data')
    }
    const silence = {}
    proxy.strike(silence, { ...cut('n1'), silent: true })
    const events: string[] = []
    for (const event of ['data', 'end', 'error', 'close']) speaker.on(event, () => events.push(event))
    speaker.write('into the dark')
    const late = dial('n1')
    await once(late, 'connect')
    late.write('is anybody there')
    // what the proxy has read of both has come before what it reads of a third one now
    for (let i = 0; i < 3; i++) {
      within.write('still here')
      await once(within, 'data')
    }
    await until(() => proxy.counts.swallowed === 2)
    expect(events).to.deep.equal([])
    expect(sources.filter((source) => source === loopback.address('n1'))).to.have.length(2)
    proxy.heal(silence)
    // of a connection on which nobody spoke meanwhile nothing is missing
    quiet.write('and here')
    await once(quiet, 'data')
    const resets = [ended(speaker), ended(late)]
    speaker.write('again')
    late.write('again')
    expect(await Promise.all(resets)).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
    expect(events).not.to.include('data')
    quiet.destroy()
    within.destroy()
  })

  it('does not tell of an end that a silence hides', async () => {
    await begin(0, 0)
    const socket = dial('n1')
    socket.write('hello')
    await once(socket, 'data')
    let isHeard = false
    accepted[0]!.on('close', () => (isHeard = true))
    const silence = {}
    proxy.strike(silence, { ...cut('n1'), silent: true })
    socket.resetAndDestroy()
    await until(() => proxy.counts.swallowed === 1)
    expect(isHeard).to.equal(false)
    proxy.heal(silence)
    accepted[0]!.write('are you there')
    await until(() => isHeard)
  })

  it('passes every byte of a lossy link that stalls, late and in order', async () => {
    await begin(0, 2)
    const loss = {}
    proxy.strike(loss, { kind: 'loss', rate: 0.3 })
    const socket = dial('n1')
    const began = performance.now()
    let sent = ''
    let came = ''
    socket.on('data', (chunk) => (came += chunk.toString()))
    for (let i = 0; i < 6; i++) {
      sent += `word ${i}\n`
      socket.write(`word ${i}\n`)
      await once(socket, 'data')
    }
    expect(came).to.equal(sent)
    expect(proxy.counts.lost).to.be.above(1)
    expect(performance.now() - began, 'each loss waits for its turn').to.be.above(199 * proxy.counts.lost)
    expect(proxy.counts.broken).to.equal(0)
    proxy.heal(loss)
    const before = proxy.counts.lost
    for (let i = 0; i < 20; i++) {
      socket.write('x')
      await once(socket, 'data')
    }
    expect(proxy.counts.lost).to.equal(before)
    socket.destroy()
  })

  it('breaks connections at the rate of the highest fault that holds, and the same ones for the same seed', async () => {
    const survived: number[][] = []
    for (let round = 0; round < 2; round++) {
      await begin(0, 0)
      proxy.strike({}, { kind: 'breaks', rate: 0.05 })
      proxy.strike({}, { kind: 'breaks', rate: 0.001 })
      survived.push([])
      for (let i = 0; i < 10; i++) {
        const socket = dial('n1')
        const reset = ended(socket)
        let words = 0
        for (let isOpen = true; isOpen; words++) {
          socket.write('word')
          isOpen = await Promise.race([answered(socket), reset.then(() => false)])
        }
        survived[round]!.push(words)
      }
      expect(proxy.counts.broken).to.equal(10)
      if (round === 0) await finish()
    }
    expect(survived[0]).to.deep.equal(survived[1])
    expect(new Set(survived[0]).size).to.be.above(3)
  })

  it('refuses who is not of the swarm', async () => {
    await begin(0, 0)
    expect(await ended(dial('n1', '127.0.0.1'))).to.equal('ECONNRESET')
    expect(sources).to.deep.equal([])
  })

  it('resets who dials a process that is not there', async () => {
    await begin(0, 0)
    const socket = connect({ host: loopback.proxied('r1'), port: SWARM_PORT, localAddress: loopback.address('n1') })
    expect(await ended(socket)).to.equal('ECONNRESET')
  })

  it('lets two swarms live side by side, but not in one place', async () => {
    await begin(0, 0)
    const other = await Loopback.take()
    expect(other.subnet).not.to.equal(loopback.subnet)
    expect(await rejection(Loopback.take(loopback.subnet))).to.be.instanceOf(NetworkError)
    await other.close()
    await (await Loopback.take(other.subnet)).close()
  })
})
