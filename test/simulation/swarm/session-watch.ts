/**
 * What is seen of one person's sessions from outside, in worlds in which somebody's disk is put back: what each sealed
 * message says to have opened of the friend's, and whether an older home stops as soon as it hears a word that tells it.
 *
 * What is promised (PROTOCOL 8): nothing leaves in a session any more from the batch on that takes the first word of a
 * friend who opened more than this home ever sent; from the first moment when the home itself was noticed to be another
 * one. Until that word comes, a home of which nothing is noticed on its machine may use a key again that the lost half used.
 */
import { concat, toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { BEHIND, laneRow } from '../../../node/delivery/channel.ts'
import { type RowChange, TABLE } from '../../../node/ports.ts'
import { decodeSession } from '../../../node/session/session-codec.ts'
import { decode } from '../../../node/wire/schema.ts'
import type { SimDisk } from '../sim-disk.ts'
import { holds } from './invariants.ts'

const LANE = utf8('l')
const AFTER_LANES = utf8('m')
const MAX_LANE_BYTES = 1_100_000

interface Known {
  /** Messages that were sealed, counted here. */
  sent: number
  /** The same as the row has it. */
  serial: number
  /** Highest serial of the friend's that opened. */
  opened: number
  behind: number
}

/** What a watch knew when a disk was copied. */
export type SessionImage = ReadonlyMap<string, Known>

export interface SessionSurroundings {
  /** IDs, 32 bytes, by the name of the node. */
  ids: ReadonlyMap<string, Uint8Array>
  sessionsOf(name: string): SessionWatch
  /** Whether one of the two was put back to before something happened between them. */
  isTorn(name: string, friend: string): boolean
}

export class SessionWatch {
  readonly #name: string
  readonly #around: SessionSurroundings
  readonly #friendOf = new Map<string, string>()
  #lanes = new Map<string, Known>()
  /** By lane and serial: the highest serial of the friend's that the message says to have opened. */
  readonly #echoes = new Map<string, number>()
  #stopped = new Set<string>()

  constructor(name: string, around: SessionSurroundings) {
    this.#name = name
    this.#around = around
  }

  /** Takes what lies on the disk for given. */
  begin(disk: SimDisk): void {
    for (const scope of this.#around.ids.values()) {
      for (const { position, value } of disk.rows.list({ table: TABLE.session, scope, from: LANE, to: AFTER_LANES })) {
        const { serial, opened, behind } = readLane(value)
        this.#lanes.set(toHex(position), { sent: serial, serial, opened, behind })
      }
    }
  }

  /** Whether nothing may be sealed in a session any more. @param lane its 8 bytes */
  isStopped(lane: Uint8Array): boolean {
    return this.#stopped.has(toHex(concat(LANE, lane)))
  }

  /** A batch is on the disk. */
  durable(changes: readonly RowChange[]): void {
    for (const { key, value } of changes) {
      if (key.table !== TABLE.session || key.position[0] !== LANE[0] || value === undefined) continue
      const friend = [...this.#around.ids].find(([, id]) => toHex(id) === toHex(key.scope))?.[0] ?? 'somebody unknown'
      this.#lane(friend, toHex(key.position), value, changes)
    }
  }

  /** A copy of the disk is made. */
  image(): SessionImage {
    return new Map(this.#lanes)
  }

  /** The copy takes the disk's place. @param isNoticed on the machine itself: every session of then stops at once */
  restore(image: SessionImage, isNoticed: boolean): void {
    this.#lanes = new Map(image)
    const stopped = [...image].filter(([, { behind }]) => isNoticed || behind !== BEHIND.no)
    this.#stopped = new Set(stopped.map(([lane]) => lane))
  }

  #lane(friend: string, lane: string, value: Uint8Array, batch: readonly RowChange[]): void {
    const { serial, opened, behind } = readLane(value)
    this.#friendOf.set(lane, friend)
    const before = this.#lanes.get(lane) ?? { sent: 0, serial: 0, opened: 0, behind: BEHIND.no }
    const sent = before.sent + (serial > before.serial ? 1 : 0)
    if (serial > before.serial) this.#echoes.set(`${lane}/${serial}`, opened)
    if (opened > before.opened) {
      const echo = this.#around.sessionsOf(friend).#echoes.get(`${lane}/${opened}`) ?? 0
      const isHeard = echo <= sent || behind === BEHIND.friend
      holds(isHeard, 'rollbackNoticed', () => `${this.#name} sent ${sent}, ${friend} opened ${echo}, and it goes on`)
    }
    if (behind !== before.behind) {
      const isTorn = behind === BEHIND.no || this.#around.isTorn(this.#name, friend)
      holds(isTorn, 'rollbackNoticed', () => `${this.#name} stops for ${friend}, and nothing was put back`)
      const isKept = before.behind !== BEHIND.friend
      holds(isKept, 'rollbackNoticed', () => `${this.#name} forgets that it stopped for ${friend}`)
      // an old session stops nothing when there is a newer one to send in
      const others = [...this.#lanes].filter(([other]) => other !== lane && this.#friendOf.get(other) === friend)
      const isHealed = others.some(([, known]) => known.behind === BEHIND.no)
      const isTold = behind !== BEHIND.friend || isHealed || batch.some(isTelling)
      holds(isTold, 'rollbackNoticed', () => `${this.#name} stops for ${friend} and does not say so`)
    }
    if (behind !== BEHIND.no) this.#stopped.add(lane)
    this.#lanes.set(lane, { sent, serial, opened, behind })
  }
}

function readLane(value: Uint8Array): Omit<Known, 'sent'> {
  const { session, behind = BEHIND.no } = decode(laneRow, value, MAX_LANE_BYTES)
  const { sentSerial, openedSerial } = decodeSession(session)
  return { serial: sentSerial, opened: openedSerial, behind }
}

function isTelling({ key, value }: RowChange): boolean {
  if (key.table !== TABLE.event || value === undefined) return false
  return (JSON.parse(Buffer.from(value).toString()) as { event: string }).event === 'behind'
}
