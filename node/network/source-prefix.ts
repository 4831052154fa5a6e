/** What a source of connections is called in rate limits (PROTOCOL 6): /24 of IPv4, /48 of IPv6. Kept nowhere. */
import { isIP } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The address prefix of a remote multiaddr, for example `192.0.2.0/24`. What comes through a relay is the relay's,
 * marked `relayed`; an address without an IP is `unknown`.
 */
export function sourcePrefix(remote: Multiaddr): string {
  const components = remote.getComponents()
  const relayed = components.some((component) => component.name === 'p2p-circuit') ? 'relayed ' : ''
  for (const { name, value } of components) {
    if (value === undefined) continue
    if (name === 'ip4') return `${relayed}${prefix4(value)}`
    if (name === 'ip6') return `${relayed}${prefix6(value)}`
  }
  return `${relayed}unknown`
}

/**
 * The source prefix of an address or a prefix that a person wrote: `192.0.2.7`, `192.0.2.0/24`, `2001:db8:1::/48`.
 * @returns undefined for what is neither, and for a prefix of another length
 */
export function parseSource(text: string): string | undefined {
  const [address = '', length, ...rest] = text.split('/')
  if (rest.length > 0) return undefined
  const family = isIP(address)
  if (family === 0 || (length !== undefined && length !== (family === 4 ? '24' : '48'))) return undefined
  return family === 4 ? prefix4(address) : prefix6(address)
}

function prefix4(address: string): string {
  return `${address.split('.').slice(0, 3).join('.')}.0/24`
}

function prefix6(address: string): string {
  const groups = ip6Groups(address)
  // An IPv4 peer on a socket of both families.
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (isMapped) return prefix4([groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.'))
  return `${groups
    .slice(0, 3)
    .map((group) => group.toString(16))
    .join(':')}::/48`
}

/** Eight groups of 16 bits of a valid IPv6 address in any of its spellings. */
function ip6Groups(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text = dotted
    ? `${dotted[1]}${hex16(Number(dotted[2]), Number(dotted[3]))}:${hex16(Number(dotted[4]), Number(dotted[5]))}`
    : address
  const [head = '', tail] = text.split('::')
  const left = parseGroups(head)
  const right = tail === undefined ? [] : parseGroups(tail)
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

function parseGroups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}

function hex16(high: number, low: number): string {
  return (high * 256 + low).toString(16)
}
