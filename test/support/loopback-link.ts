/**
 * A Link to a LinkServer in the same process, for tests: it records every frame, can hold answers back, change them, or
 * break. Timeouts run on the clock that it is given.
 */
import { NetworkError } from '../../node/errors.ts'
import type { Clock, Link, LinkServer } from '../../node/ports.ts'

export interface LoopbackLink extends Link {
  /** Every frame that went out, oldest first. */
  readonly frames: Uint8Array[]
  /** When set, no answer comes back: calls wait for their timeout. */
  silent: boolean
  /** Changes each answer before the client sees it. */
  tamper: ((answer: Uint8Array, frame: Uint8Array) => Uint8Array) | undefined
}

export function createLoopbackLink(server: LinkServer, peerId: Uint8Array, clock: Clock): LoopbackLink {
  const frames: Uint8Array[] = []
  const listeners: (() => void)[] = []
  const breaks = new Set<(error: Error) => void>()
  let open = true

  const link: LoopbackLink = {
    peerId,
    frames,
    silent: false,
    tamper: undefined,
    call(frame, timeoutMs) {
      return new Promise((resolve, reject) => {
        if (!open) {
          reject(new NetworkError('LINK_CLOSED', 'link is closed'))
          return
        }
        const fail = (error: Error): void => {
          breaks.delete(fail)
          timer?.cancel()
          reject(error)
        }
        const timer =
          timeoutMs === undefined
            ? undefined
            : clock.after(timeoutMs, () => fail(new NetworkError('TIMED_OUT', `no answer in ${timeoutMs} ms`)))
        breaks.add(fail)
        frames.push(frame.slice())
        const answered = async (): Promise<void> => {
          const answer = await server.handle(frame.slice())
          if (link.silent || !breaks.delete(fail)) return
          timer?.cancel()
          resolve(link.tamper ? link.tamper(answer, frame) : answer)
        }
        answered().catch(fail)
      })
    },
    onClose(listener) {
      if (open) listeners.push(listener)
      else listener()
    },
    close() {
      if (!open) return
      open = false
      server.close()
      for (const fail of breaks) fail(new NetworkError('LINK_CLOSED', 'link was closed'))
      for (const listener of listeners) listener()
    },
  }
  return link
}
