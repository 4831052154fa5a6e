/** What the API says of the node as a whole: how it stands, its relays, and what is wrong until somebody does something. */
import type { NodeService, NodeStatus, Problem, RelayProof, RelayStatus } from '../api/service.ts'
import { toHex } from '../crypto/bytes.ts'
import { isFriend } from '../friendship/contact.ts'
import { ACCEPT_HINT } from '../friendship/key-changes.ts'
import type { Ports } from '../ports.ts'
import { peerIdText } from '../wire/peer-id.ts'
import type { Parts } from './parts.ts'

export interface StatusServiceInit {
  ports: Pick<Ports, 'network' | 'clock'>
  parts: Parts
  /** What is wrong with the machine's part: the store. */
  problems: () => Problem[]
  /** Whether the network was started. */
  isOnline: () => boolean
}

const FORGED_CONTACT = {
  code: 'CONTACT_FORGED',
  hint: 'tell them by another way: whoever did it holds their root key, until they rotate it; what you believed of them before stays',
}
const FORGED_SELF = {
  code: 'IDENTITY_FORGED',
  hint: 'whoever did it holds your root key, unless this home is an older copy: `kith identity rotate` takes it from them; tell your friends by another way',
}

const RUNS_TWICE = {
  code: 'HOME_RUNS_TWICE',
  message: 'this home seems to run twice: keys of this device were made that are not from here',
  hint: 'stop the other one, or do not use the older one any more: they take your friendships from each other; if there is none, somebody has the keys: `kith identity rotate`',
}

export class StatusService implements Pick<NodeService, 'status' | 'trustHome' | 'relayProofs'> {
  readonly #init: StatusServiceInit
  readonly #startedAt: number

  constructor(init: StatusServiceInit) {
    this.#init = init
    this.#startedAt = init.ports.clock.now()
  }

  async status(): Promise<NodeStatus> {
    const { network, clock } = this.#init.ports
    const { self, friendship, directory, delivery, time } = this.#init.parts
    const contacts = friendship.all()
    const recordsTaken = directory.taken()
    const isOnline = this.#init.isOnline()
    return {
      role: 'node',
      id: self.idText,
      name: self.name,
      peerId: peerIdText(network.peerId),
      addresses: isOnline ? network.addresses() : [],
      peers: isOnline ? network.peerCount() : 0,
      relays: this.#relays(),
      friends: contacts.filter((one) => one.state === 'friend').length,
      requests: contacts.filter((one) => one.asking).length,
      unacknowledged: contacts.reduce((sum, one) => sum + delivery.status.unacknowledged(one.id), 0),
      uptime: clock.now() - this.#startedAt,
      problems: this.#problems(),
      ...(time.isAgreed() && { clockCorrection: time.correction() }),
      ...(recordsTaken !== undefined && { recordsTaken }),
    }
  }

  async trustHome(): Promise<void> {
    const { delivery, friendship } = this.#init.parts
    await delivery.trustHome((id) => friendship.isHeld(id))
  }

  async relayProofs(): Promise<RelayProof[]> {
    return this.#init.parts.standing.caught().map(({ server, proven, proof }) => ({
      peerId: peerIdText(server),
      provenAt: proven * 1000,
      proof: toHex(proof),
    }))
  }

  #relays(): RelayStatus[] {
    const { ownRelays, pool, standing } = this.#init.parts
    const { configured, current } = ownRelays
    return [...new Set([...configured, ...current])].map((address) => {
      const { connected, problem } = pool.status(address)
      const server = this.#init.ports.network.serverId(address)
      const isCaught = standing.isCaught(server)
      const leaves = standing.leaves(server)
      const said = isCaught ? 'it dropped mail that it had signed for' : problem
      const standIn = ownRelays.isStandIn(address)
      return {
        address,
        connected,
        ...(said !== undefined && { problem: said }),
        ...(standIn && { standIn }),
        ...(leaves !== undefined && { leavesAt: leaves * 1000 }),
      }
    })
  }

  #problems(): Problem[] {
    const { friendship, delivery } = this.#init.parts
    const behind = friendship.all().map((contact) => ({ contact, why: delivery.status.behind(contact.id) }))
    const older = behind
      .filter(({ why }) => why === 'friend')
      .map(({ contact }) => ({
        code: 'ROLLED_BACK',
        message: `${contact.petname} remembers messages that this home never sent: it is a copy or an older one`,
        hint: 'a new session is made with them as soon as both are there; leave the node running, and never use the older home again',
      }))
    const others = [
      ...this.#init.problems(),
      ...this.#alarms(),
      ...this.#caughtRelays(),
      ...this.#leavingRelays(),
      ...older,
      ...this.#changedKeys(),
      ...this.#brokenSessions(),
    ]
    if (!behind.some(({ why }) => why === 'home')) return others
    const changed = {
      code: 'HOME_CHANGED',
      message: 'this home was copied, put back or changed since kith last used it: sending has stopped',
      hint: 'if it was only moved, and no other copy is used: `kith doctor --only-copy`; else new sessions are made with all friends in a few minutes',
    }
    return [changed, ...others]
  }

  #changedKeys(): Problem[] {
    const { friendship } = this.#init.parts
    const held = friendship.all().filter((contact) => isFriend(contact) && friendship.keys.isHeld(contact))
    return held.map(({ petname }) => ({
      code: 'KEYS_CHANGED',
      message: `the keys of ${petname} changed: nothing is sent to them`,
      hint: ACCEPT_HINT,
    }))
  }

  #alarms(): Problem[] {
    const { alarms, friendship } = this.#init.parts
    return alarms.list().map(({ kind, id }) => {
      const who = friendship.get(id)?.petname
      if (kind === 'equivocation' && who !== undefined) {
        return {
          ...FORGED_CONTACT,
          message: `there are two records of ${who} for one place, so somebody signs for them`,
        }
      }
      if (kind === 'not-theirs') {
        return { ...FORGED_CONTACT, message: `somebody signed a record of ${who} that is not theirs` }
      }
      if (kind === 'copy') return RUNS_TWICE
      const where = kind === 'unknown-head' ? `, as ${who} says` : ''
      return { ...FORGED_SELF, message: `a record of your own identity was signed elsewhere${where}` }
    })
  }

  #brokenSessions(): Problem[] {
    const { friendship, delivery } = this.#init.parts
    const broken = friendship.all().filter((contact) => {
      const ailment = isFriend(contact) ? delivery.status.ailment(contact.id) : undefined
      return ailment === 'lost' || ailment === 'unreadable'
    })
    return broken.map(({ petname }) => ({
      code: 'SESSION_BROKEN',
      message: `the session with ${petname} is lost or broken: what they write cannot be read now`,
      hint: 'a new one is made as soon as both are there; leave the node running',
    }))
  }

  #leavingRelays(): Problem[] {
    const { ownRelays, standing } = this.#init.parts
    const leaving = ownRelays.configured.filter(
      (address) => standing.leaves(this.#init.ports.network.serverId(address)) !== undefined,
    )
    return leaving.map((address) => ({
      code: 'RELAY_LEAVES',
      message: `the relay ${address} announced its end: it opens no new mailboxes`,
      hint: 'configure another one in time: `kith config set relays ADDRESS`',
    }))
  }

  #caughtRelays(): Problem[] {
    const { standing, delivery } = this.#init.parts
    return standing.caught().map(({ server }) => ({
      code: 'RELAY_DROPPED_MAIL',
      message: `the relay ${delivery.status.nameOfServer(server)} signed for mail and dropped it; there is a proof`,
      hint: 'if it is yours, configure another one: `kith config set relays ADDRESS`',
    }))
  }
}
