/**
 * Where this node is, for its friends: they are told by message when it is reached elsewhere than they know (PROTOCOL 6), and
 * friends of whom nothing was heard for long are told and sought in the DHT (PROTOCOL 9).
 */
import { describe } from '../errors.ts'
import { tellReach } from '../friendship/own-reach.ts'
import { meetAgain } from '../friendship/rendezvous.ts'
import type { Ports, Timer } from '../ports.ts'
import type { Parts } from './parts.ts'

export interface WhereaboutsInit {
  ports: Pick<Ports, 'clock' | 'random' | 'store' | 'network' | 'logger'>
  parts: Pick<Parts, 'direct' | 'friendship' | 'delivery' | 'journal' | 'ownRelays' | 'protocolTime'>
  isRunning: () => boolean
}

/** Who is gone sooner than this tells no friend where to reach them: a command that does one thing. */
const FIRST_MS = 30_000

export class Whereabouts {
  readonly #init: WhereaboutsInit
  #timer: Timer | undefined

  constructor(init: WhereaboutsInit) {
    this.#init = init
  }

  start(): void {
    this.#timer = this.#init.ports.clock.after(FIRST_MS, () => this.tell())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Says where this node is to those who have to know, and seeks those who are silent. */
  tell(): void {
    if (!this.#init.isRunning()) return
    this.#tellReach()
    this.#meetAgain()
    this.#init.parts.friendship.askAfterSilence()
  }

  #tellReach(): void {
    const { ports, parts } = this.#init
    const { direct, friendship } = parts
    tellReach(ports.store, direct.told(), async () => await friendship.greetAll()).catch((error: unknown) =>
      ports.logger.warn('telling friends where to reach this node failed', { problem: describe(error) }),
    )
  }

  #meetAgain(): void {
    const { ports, parts } = this.#init
    const { random, network, logger } = ports
    const { delivery, journal, friendship, ownRelays, direct, protocolTime } = parts
    const friends = friendship.all().filter(({ state }) => state === 'friend' || state === 'accepted')
    const place = () => ({ relays: [...ownRelays.current], ...direct.told() })
    meetAgain({ delivery, journal, random, network, place, protocolTime }, friends).catch((error: unknown) =>
      logger.warn('seeking friends failed', { problem: describe(error) }),
    )
  }
}
