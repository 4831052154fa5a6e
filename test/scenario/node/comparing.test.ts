/**
 * Two relays that put together all they have of one friendship (T32): every row that ever lay on their disks, every command
 * about a mailbox, and the gossip that went by. And commands that one of them was given, played at the other and at the same
 * one again (T31). The story is lived once: invite, request, mail that waits, is read and acknowledged, new secrets, the end.
 */
import { decode as decodeCbor } from 'cborg'
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { decodeInvite } from '../../../node/identity/invite.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { allTopics } from '../../../node/mailbox/buckets.ts'
import { inviteMailbox } from '../../../node/mailbox/keys.ts'
import { BUCKET_BITS } from '../../../node/node.ts'
import { type RowChange, TABLE } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import { textsOf } from '../../simulation/people.ts'
import {
  createVillage,
  diskOf,
  idOf,
  passDays,
  sayOnce,
  startStranger,
  type Stranger,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

const { STATUS, VERB } = wire
/** Bytes that are equal by chance never, when they are keys, hashes or ciphertext. */
const WINDOW = 16
const MAILBOX_VERBS = new Set<number>([
  VERB.claim,
  VERB.put,
  VERB.stat,
  VERB.fetch,
  VERB.subscribe,
  VERB.acknowledge,
  VERB.release,
  VERB.request,
])
/** What a relay has of mailboxes; records of people are public, and the same everywhere. */
const MAILBOX_TABLES = new Set<number>([TABLE.meta, TABLE.claim, TABLE.copy, TABLE.tombstone, TABLE.proof])

interface Seen {
  name: string
  /** All that ever came to lie on its disk about mailboxes, and so in any backup. */
  rows: RowChange[]
  commands: { verb: number; args: Uint8Array }[]
  /** What is on its disk now. */
  disk: Map<string, string>
}

describe('two relays of one friendship', function () {
  this.timeout(60_000)
  let village: Village
  let seen: [Seen, Seen]
  let overheard: { envelope: Uint8Array }[]
  let stranger: Stranger
  /** Keys, addresses and legs of the invite, which is one at all of its relays. */
  let ofInvite: Uint8Array[]
  const replays: { status: number; where: 'same' | 'other' }[] = []

  before(async () => {
    const [one, two] = [1, 2].map((i): Seen => ({ name: `relay${i}`, rows: [], commands: [], disk: new Map() }))
    seen = [one!, two!]
    const unopened = [...seen]
    village = await createVillage(3200, {
      relays: 2,
      friends: false,
      relayHooks: {
        ports: (ports) => {
          const mine = unopened.shift()!
          return tapFrames((verb, args) => {
            if (MAILBOX_VERBS.has(verb)) mine.commands.push({ verb, args: args.slice() })
          }).ports!(ports)
        },
      },
    })
    const { world } = village
    for (const relay of seen) world.disk(relay.name).onDurable = (changes) => remember(relay, changes)
    const eve = await startStranger(village, 'eve', allTopics(BUCKET_BITS))
    ;({ stranger, overheard } = eve)
    await live()
  })

  async function live(): Promise<void> {
    const { world, alice, bob } = village
    const { invite } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await bob.do((it) => it.add({ target: invite, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1)
    await replay()
    await alice.do((it) => it.accept('bob', 'bob'))
    await world.eventually(async () => (await bob.it.friends())[0]?.state === 'friend')
    await untilRest(village)
    const { writerSeed, reader, seal } = decodeInvite(invite)
    const { address } = inviteMailbox({ writerSeed, reader })
    ofInvite = [address, ed25519KeyPair(writerSeed).public, reader, seal]

    world.crash('bob')
    await sayOnce(village, alice, bob, 'one')
    await sayOnce(village, alice, bob, 'two '.repeat(2000))
    await world.pass(MINUTE)
    await replay()
    // the first audit
    await world.pass(15 * MINUTE)
    await world.restart('bob')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 2)
    await sayOnce(village, bob, alice, 'three')
    await untilRest(village)
    await world.pass(2 * MINUTE)
    await replay()
    for (const { name } of [alice, bob]) world.crash(name)
    await passDays(village, 29)
    for (const { name } of [alice, bob]) await world.restart(name)
    await sayOnce(village, alice, bob, 'four weeks later')
    await sayOnce(village, bob, alice, 'indeed')
    await untilRest(village)
    await world.pass(HOUR)
    await sayOnce(village, alice, bob, 'in another mailbox')
    await untilRest(village)
    const { mailboxes } = await loadChannel(diskOf(village, alice), await idOf(bob))
    expect([mailboxes.reading.at(-1)!.replacement, mailboxes.writing!.replacement], 'replaced').to.deep.equal([1, 1])
    await alice.do((it) => it.unfriend('bob'))
    await bob.do((it) => it.unfriend('alice'))
    await world.pass(10 * MINUTE)
    await replay()
  }

  /** A stranger who has all that both were asked plays it at both; their disks stay as they are. */
  async function replay(): Promise<void> {
    const before = seen.map(({ disk }) => new Map(disk))
    const recorded = seen.map(({ commands }) => [...commands])
    for (const [place, address] of village.addresses.entries()) {
      for (const [from, commands] of recorded.entries()) {
        const statuses = await stranger.do(async ({ network }) => {
          const link = await network.connect(address)
          const found: number[] = []
          for (const command of commands) {
            const answer = await link.call(encode(wire.request, command), 10_000)
            found.push(decode(wire.answer, answer, MAX_FRAME_BYTES).status)
          }
          link.close()
          return found
        })
        const where = place === from ? 'same' : 'other'
        replays.push(...statuses.flatMap((status, i) => (isSigned(commands[i]!) ? [{ status, where } as const] : [])))
      }
    }
    for (const [i, relay] of seen.entries()) {
      expect(relay.disk, `the disk of ${relay.name}`).to.deep.equal(before[i])
      relay.commands = recorded[i]!
    }
  }

  it('T31 what was signed for one does nothing at the other, and a second time nothing at the same', () => {
    // that the disks stay as they are was looked at each time
    const other = replays.filter(({ where }) => where === 'other').map(({ status }) => status)
    expect(other.length).to.be.above(100)
    expect(new Set(other)).to.deep.equal(new Set([STATUS.challenge]))
    const same = replays.filter(({ where }) => where === 'same').map(({ status }) => status)
    // some were young enough to be done again
    expect(same).to.include(STATUS.ok).and.include(STATUS.challenge)
  })

  it('T32 have no key, address, copy or signature in common, in their databases and in all backups', () => {
    for (const table of [TABLE.claim, TABLE.copy, TABLE.tombstone, TABLE.proof]) {
      for (const { rows } of seen)
        expect(rows.some(({ key }) => key.table === table && !isOfInvite(key.scope))).to.equal(true)
    }
    const [one, two] = seen.map(({ rows }) => windowsOf(rows.filter((row) => !touchesInvite(row)).flatMap(leavesOfRow)))
    expect(one!.size).to.be.above(20_000)
    expect(inCommon(one!, two!)).to.deep.equal([])
  })

  it('T32 were given no command with anything in common', () => {
    const verbs = new Set(seen.flatMap(({ commands }) => commands.map(({ verb }) => verb)))
    // nodes of ours subscribe, and never fetch
    expect(verbs).to.deep.equal(new Set([...MAILBOX_VERBS].filter((verb) => verb !== VERB.fetch)))
    const [one, two] = seen.map(({ commands }) =>
      windowsOf(commands.filter(({ args }) => !isOfInvite(args)).flatMap(({ args }) => leavesIn(args).bytes)),
    )
    expect(one!.size).to.be.above(20_000)
    expect(inCommon(one!, two!)).to.deep.equal([])
  })

  it('T32 see of an invite that it is the same, as all who hold it must', () => {
    for (const part of ofInvite.slice(0, 3)) {
      for (const { rows } of seen)
        expect(rows.some((row) => bytesOfRow(row).some((bytes) => has(bytes, part)))).to.equal(true)
    }
    for (const { rows, commands } of seen) {
      const all = [...rows.flatMap(bytesOfRow), ...commands.map(({ args }) => args)]
      expect(
        all.some((bytes) => has(bytes, ofInvite[3]!)),
        'what opens the request',
      ).to.equal(false)
    }
  })

  it('T32 find nothing of what they have in the envelopes on gossip', () => {
    expect(overheard.length).to.be.above(5)
    const gossip = windowsOf(overheard.map(({ envelope }) => envelope))
    for (const { rows, commands } of seen) {
      const mine = windowsOf([...rows.flatMap(bytesOfRow), ...commands.map(({ args }) => args)])
      expect(inCommon(mine, gossip)).to.deep.equal([])
    }
  })

  it('T32 have on their disks neither an ID nor a peer ID of who claims, writes and reads, nor where they come from', async () => {
    const names = new Map<string, Uint8Array>()
    for (const person of [village.alice, village.bob]) {
      names.set(`ID of ${person.name}`, await idOf(person))
      names.set(`name of ${person.name}`, new TextEncoder().encode(person.name))
      const { prefix, ip } = village.world.net.hostOf(person.name)
      names.set(`prefix of ${person.name}`, new TextEncoder().encode(prefix.slice(0, -4)))
      names.set(`address of ${person.name}`, Uint8Array.from(ip.split('.').map(Number)))
    }
    for (const endpoint of village.world.net.endpoints()) {
      if (!['alice', 'bob'].includes(endpoint.life.node)) continue
      // the key in it: the last 32 bytes
      names.set(`peer ID of ${endpoint.life.node}`, endpoint.peerId.slice(-32))
    }
    expect(names.size).to.equal(10)
    for (const { rows } of seen) {
      for (const bytes of rows.flatMap(bytesOfRow)) {
        for (const [what, name] of names) expect(has(bytes, name), what).to.equal(false)
      }
    }
  })

  it('T32 keep no time that is finer than an hour', () => {
    let hours = 0
    for (const { key, value } of seen.flatMap(({ rows }) => rows)) {
      if (value === undefined || key.table === TABLE.copy) continue
      for (const number of leavesIn(value).numbers) {
        if (number > 1.5e9 && number < 2.5e9) {
          expect(number % (HOUR / 1000), `a time in table ${key.table}`).to.equal(0)
          hours++
        }
        expect(number > 1.5e12 && number < 2.5e12, 'milliseconds').to.equal(false)
      }
    }
    expect(hours).to.be.above(20)
  })

  function remember(relay: Seen, changes: readonly RowChange[]): void {
    for (const { key, value } of changes) {
      if (!MAILBOX_TABLES.has(key.table)) continue
      const name = `${key.table}/${toHex(key.scope)}/${toHex(key.position)}`
      relay.rows.push({ key, value })
      if (value === undefined) relay.disk.delete(name)
      else relay.disk.set(name, toHex(value))
    }
  }

  function isOfInvite(bytes: Uint8Array): boolean {
    return ofInvite.some((part) => has(bytes, part))
  }

  function touchesInvite(row: RowChange): boolean {
    return bytesOfRow(row).some(isOfInvite)
  }
})

function isSigned({ verb, args }: { verb: number; args: Uint8Array }): boolean {
  if (verb === VERB.stat || verb === VERB.fetch || verb === VERB.subscribe) return false
  return args.length > 0
}

function bytesOfRow({ key, value }: RowChange): Uint8Array[] {
  return [key.scope, key.position, ...(value === undefined ? [] : [value])]
}

function has(bytes: Uint8Array, part: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(part))
}

function windowsOf(all: readonly Uint8Array[]): Set<string> {
  const found = new Set<string>()
  for (const bytes of all) {
    const text = Buffer.from(bytes).toString('latin1')
    for (let i = 0; i + WINDOW <= text.length; i++) found.add(text.slice(i, i + WINDOW))
  }
  return found
}

function inCommon(a: ReadonlySet<string>, b: ReadonlySet<string>): string[] {
  return [...a].filter((window) => b.has(window)).map((window) => Buffer.from(window, 'latin1').toString('hex'))
}

interface Leaves {
  numbers: number[]
  bytes: Uint8Array[]
}

/** The byte strings and integers of an encoded map, those in bytes that are themselves encoded maps among them. */
function leavesIn(encoded: Uint8Array): Leaves {
  const found: Leaves = { numbers: [], bytes: [] }
  const walk = (item: unknown): void => {
    if (typeof item === 'number') found.numbers.push(item)
    else if (item instanceof Map) for (const part of item.values()) walk(part)
    else if (Array.isArray(item)) for (const part of item) walk(part)
    else if (item instanceof Uint8Array) {
      const inside = mapIn(item)
      if (inside === undefined) found.bytes.push(item)
      else walk(inside)
    }
  }
  walk(encoded)
  return found
}

function leavesOfRow(row: RowChange): Uint8Array[] {
  return bytesOfRow(row).flatMap((bytes) => leavesIn(bytes).bytes)
}

function mapIn(bytes: Uint8Array): Map<unknown, unknown> | undefined {
  try {
    const decoded: unknown = decodeCbor(bytes, { useMaps: true })
    return decoded instanceof Map ? decoded : undefined
  } catch {
    return undefined
  }
}
