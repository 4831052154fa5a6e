/** The Network port of one life of a simulated node. */
import { NetworkError } from '../../node/errors.ts'
import type { Network } from '../../node/ports.ts'
import type { Incarnation } from './incarnation.ts'
import { multiaddrOf, parseMultiaddr, peerIdOfSeed } from './sim-address.ts'
import type { Endpoint } from './sim-endpoint.ts'
import type { SimNet } from './sim-net.ts'

/** @param seed 32 bytes that the peer ID follows from */
export function createSimNetwork(net: SimNet, life: Incarnation, seed: Uint8Array): Network {
  const peerId = peerIdOfSeed(seed)
  let topics: readonly string[] = []
  let self: Endpoint | undefined

  return {
    get peerId() {
      return peerId.slice()
    },
    start: (inbound) =>
      life.call('network.start', [peerId], () => {
        self = net.join(life, peerId, inbound, topics)
        return life.later(0, () => {})
      }),
    stop: () =>
      life.call('network.stop', [], () => {
        if (self !== undefined) net.leave(self)
        self = undefined
        return life.later(0, () => {})
      }),
    addresses: () => (self !== undefined && net.isUp(self) ? [multiaddrOf(net.hostOf(life.node), peerId)] : []),
    peerCount() {
      const me = self
      return me === undefined ? 0 : net.endpoints().filter((each) => each !== me && net.reaches(me, each)).length
    },
    connect: (server) =>
      life.call('network.connect', [server], async () => {
        const address = parseMultiaddr(server)
        if (self === undefined) throw new NetworkError('UNREACHABLE', 'the network is not started')
        return net.dial(self, address)
      }),
    serverId: (server) => parseMultiaddr(server).peerId,
    subscribe(wanted) {
      if (!life.alive) return
      life.trace('network.subscribe', wanted)
      topics = [...wanted]
      if (self === undefined) return
      self.topics.clear()
      for (const topic of topics) self.topics.add(topic)
    },
    publish: (topic, envelope) =>
      life.call('network.publish', [topic, envelope], () => {
        const handed = self === undefined ? 0 : net.gossip.publish(self, topic, new Uint8Array(envelope))
        return life.later(0, () => handed)
      }),
    putRecord: (key, value) =>
      life.call('network.putRecord', [key, value], async () =>
        self === undefined ? 0 : net.dht.put(self, new Uint8Array(key), new Uint8Array(value)),
      ),
    getRecord: (key) =>
      life.call('network.getRecord', [key], async () =>
        self === undefined ? [] : net.dht.get(self, new Uint8Array(key)),
      ),
  }
}
