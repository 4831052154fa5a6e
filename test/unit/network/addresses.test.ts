import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { UsageError } from '../../../node/errors.ts'
import { parseServerAddress } from '../../../node/network/server-address.ts'
import { sourcePrefix } from '../../../node/network/source-prefix.ts'
import { isDhtClient } from '../../../node/network/stack-options.ts'

const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

describe('source prefix', () => {
  for (const [address, prefix] of [
    ['/ip4/192.0.2.77/tcp/4001', '192.0.2.0/24'],
    [`/ip4/192.0.2.77/tcp/4001/p2p/${PEER}`, '192.0.2.0/24'],
    ['/ip6/2001:db8:1:2:3:4:5:6/tcp/4001', '2001:db8:1::/48'],
    ['/ip6/2001:db8::1/tcp/4001', '2001:db8:0::/48'],
    ['/ip6/::1/tcp/4001', '0:0:0::/48'],
    ['/ip6/::/tcp/4001', '0:0:0::/48'],
    ['/ip6/fe80::1/tcp/4001', 'fe80:0:0::/48'],
    // An IPv4 peer has one name, whichever socket it came through.
    ['/ip6/::ffff:192.0.2.77/tcp/4001', '192.0.2.0/24'],
    ['/ip6/::ffff:c000:24d/tcp/4001', '192.0.2.0/24'],
    [`/ip4/192.0.2.77/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`, 'relayed 192.0.2.0/24'],
    ['/dns4/example.org/tcp/4001', 'unknown'],
  ] as const) {
    it(`${address} is ${prefix}`, () => {
      expect(sourcePrefix(multiaddr(address))).to.equal(prefix)
    })
  }
})

describe('server address', () => {
  it('takes what ends in a peer ID', () => {
    for (const address of [
      `/ip4/192.0.2.77/tcp/4001/p2p/${PEER}`,
      `/dns4/example.org/tcp/4001/p2p/${PEER}`,
      `/ip4/192.0.2.77/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`,
      `/p2p/${PEER}`,
    ]) {
      expect(parseServerAddress(address).peerId.toString()).to.equal(PEER)
    }
  })

  it('refuses everything else', () => {
    for (const text of [
      '',
      ' ',
      PEER,
      '/ip4/192.0.2.77/tcp/4001',
      `/p2p/${PEER}/tcp/4001`,
      `/ip4/192.0.2.777/tcp/4001/p2p/${PEER}`,
      `/ip4/192.0.2.77/tcp/99999/p2p/${PEER}`,
      `/ip4/192.0.2.77/tcp/4001/p2p/${PEER.slice(0, -1)}`,
      `/ip4/192.0.2.77/tcp/4001/p2p/${PEER}`.padEnd(600, 'x'),
      `https://example.org/p2p/${PEER}`,
    ]) {
      expect(() => parseServerAddress(text), text)
        .to.throw(UsageError)
        .with.property('code', 'BAD_ADDRESS')
    }
  })
})

describe('who serves the DHT', () => {
  it('is everybody but a person on the internet who announces no address', () => {
    const announce = ['/ip4/192.0.2.1/tcp/4001']
    expect(isDhtClient({ kind: 'public', role: 'node', announce: [] })).to.equal(true)
    expect(isDhtClient({ kind: 'public', role: 'node', announce })).to.equal(false)
    expect(isDhtClient({ kind: 'public', role: 'relay', announce: [] })).to.equal(false)
    expect(isDhtClient({ kind: 'lan', role: 'node', announce: [] })).to.equal(false)
  })
})
