/** Which addresses lead nowhere but to this machine or its local network. */

const LOCAL_ADDRESS =
  /^\/(ip4\/(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\.|ip6\/(::1\/|fe[89ab][0-9a-f]:|f[cd][0-9a-f]{2}:)|dns[46]?\/localhost\/)/i
/** `::1` as the prefix of a source: nobody else can have it. */
const LOOPBACK_PREFIX = '0:0:0::/48'

/** Whether a multiaddr is one that only this machine or its local network reaches. */
export function isLocalAddress(address: string): boolean {
  return LOCAL_ADDRESS.test(address)
}

/** Whether a caller with this address prefix (`LinkSource`) is on this machine or in its local network. */
export function isLocalPrefix(prefix: string): boolean {
  return prefix === LOOPBACK_PREFIX || isLocalAddress(`/ip4/${prefix}`) || isLocalAddress(`/ip6/${prefix}`)
}
