/** A link to a mailbox server in the same process: a node is a client of its own server by the same protocol (PROTOCOL 3). */
import { NetworkError } from '../errors.ts'
import type { Link, LinkServer } from '../ports.ts'

/** @param peerId multihash bytes of the own peer ID */
export function createLocalLink(server: LinkServer, peerId: Uint8Array): Link {
  const listeners: (() => void)[] = []
  const closed = Promise.withResolvers<never>()
  closed.promise.catch(() => undefined)
  let open = true
  return {
    peerId,
    async call(frame) {
      if (!open) throw new NetworkError('LINK_CLOSED', 'link is closed')
      return Promise.race([server.handle(frame), closed.promise])
    },
    onClose(listener) {
      if (open) listeners.push(listener)
      else listener()
    },
    close() {
      if (!open) return
      open = false
      closed.reject(new NetworkError('LINK_CLOSED', 'link was closed'))
      server.close()
      for (const listener of listeners) listener()
    },
  }
}
