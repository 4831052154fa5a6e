/**
 * The numbers of the protocol document beside its table of limits: the bounds that the types of all maps name, tried at the
 * shapes of the code on both sides of each bound, and the numbers in its sentences, read out and compared with constants.
 */
import { expect } from 'chai'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CUSTODY_LIMITS } from '../../../node/custody/custody.ts'
import * as limits from '../../../node/limits.ts'
import { KINDS } from '../../../node/mailbox/keys.ts'
import { postageBits } from '../../../node/mailbox/postage.ts'
import { MAX_SKIPPED_CHAINS } from '../../../node/session/session-state.ts'
import { PASSPHRASE_COST } from '../../../node/store/vault.ts'
import * as commands from '../../../node/wire/commands.ts'
import { invite, MAX_INVITE_BYTES } from '../../../node/wire/invite.ts'
import * as legs from '../../../node/wire/legs.ts'
import * as payloads from '../../../node/wire/payload.ts'
import * as records from '../../../node/wire/records.ts'
import { encode, type Shape } from '../../../node/wire/schema.ts'

const ROOT = join(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const DOCUMENT = read('docs/PROTOCOL.md')
/** Line breaks say nothing in sentences, nor do marks of emphasis. */
const SENTENCES = DOCUMENT.replaceAll(/\s+/g, ' ').replaceAll('**', '')

describe('the types in the tables of maps', () => {
  const maps = new Map<string, { field: string; type: string }[]>()
  for (const [, map, field, type] of DOCUMENT.matchAll(/^\| `(\w+)` +\| \d+ +\| `(\w+)` +\| (.*?) +\|/gm)) {
    maps.set(map!, [...(maps.get(map!) ?? []), { field: field!, type: type! }])
  }
  const shapes = { ...records, ...payloads, ...legs, ...commands, invite } as Record<string, unknown>

  it('are found', () => {
    expect(maps.size).to.be.greaterThan(40)
  })

  for (const [map, fields] of maps) {
    // an entry of `readArgs`, and tried there
    if (map === 'cursorEntry') continue
    it(`${map} is bounded as it says`, () => {
      const shape = shapes[map] as Shape<unknown>
      const valid = valueOf(map)
      encode(shape, valid)
      for (const { field, type } of fields) {
        const { good, bad } = edges(type)
        for (const value of good) encode(shape, { ...valid, [field]: value })
        for (const value of bad) {
          expect(() => encode(shape, { ...valid, [field]: value }), `${field}: ${type}`).to.throw()
        }
      }
    })
  }

  /** A value of a map with the first good value of each field. */
  function valueOf(map: string): Record<string, unknown> {
    const fields = maps.get(map)
    if (!fields) throw new Error(`no map ${map}`)
    return Object.fromEntries(fields.map(({ field, type }) => [field, edges(type).good[0]]))
  }

  /** Values on both sides of the bounds that a type names. */
  function edges(type: string): { good: unknown[]; bad: unknown[] } {
    const plain = type.replace('optional ', '')
    const list = /^(?:(\d+) to |≤ )(\d+) of (.*)$/.exec(plain)
    if (list) {
      const [min, max] = [Number(list[1] ?? 0), Number(list[2])]
      const item = edges(list[3]!)
      const filled = (length: number): unknown[] => Array.from({ length }, () => item.good[0])
      const alone = (values: unknown[]): unknown[] => values.map((each) => [each])
      const tooFew = min > 0 ? [filled(min - 1)] : []
      return {
        good: [filled(min), filled(max), ...alone(item.good)],
        bad: [filled(max + 1), ...tooFew, ...alone(item.bad)],
      }
    }
    const bytes = /^(?:(\d+) to |(≤ ))?(\d+) bytes$/.exec(plain)
    if (bytes) {
      const max = Number(bytes[3])
      return byteEdges(bytes[2] ? 0 : Number(bytes[1] ?? max), max)
    }
    if (plain === 'hash') return byteEdges(32, 32)
    if (plain === 'peer ID') return byteEdges(34, limits.MAX_PEER_ID_BYTES)
    const text = plain === 'multiaddr' ? String(limits.MAX_ADDRESS_BYTES) : /^text ≤ (\d+)$/.exec(plain)?.[1]
    if (text !== undefined) return { good: ['', 'x'.repeat(Number(text))], bad: ['x'.repeat(Number(text) + 1), 5] }
    const named = /^`(\w+)`$/.exec(plain)
    if (named) return { good: [valueOf(named[1]!)], bad: [{}] }
    const uint = plain === 'seconds' ? '2^40' : /^uint ≤ (.*)$/.exec(plain)?.[1]
    if (uint === undefined && plain !== 'uint') throw new Error(`no meaning known for the type ${type}`)
    const max = uint === undefined ? Number.MAX_SAFE_INTEGER : power(uint)
    return { good: [0, max], bad: [max + 1, -1, 0.5] }
  }

  function byteEdges(min: number, max: number): { good: unknown[]; bad: unknown[] } {
    const bad = [new Uint8Array(max + 1), ...(min > 0 ? [new Uint8Array(min - 1)] : [])]
    return { good: [new Uint8Array(min), new Uint8Array(max)], bad }
  }
})

function power(text: string): number {
  const [base, exponent = '1'] = text.split('^')
  return Number(base) ** Number(exponent)
}

/**
 * A constant that a file keeps to itself: numbers and names of the file or of the limits, multiplied, added or in a list or an
 * object. `place` is a file or, since what is constant moves with the code around it, a folder of which one file has it.
 */
function constants(place: string, name: string): number[] {
  const path = join('node', place)
  const files = place.endsWith('.ts') ? [path] : readdirSync(join(ROOT, path)).map((file) => join(path, file))
  const found = files.flatMap((file) => valuesIn(read(file), name) ?? [])
  if (found.length === 0) throw new Error(`no ${name} in ${path}`)
  return found
}

function valuesIn(source: string, name: string): number[] | undefined {
  const stated = new RegExp(`^(?:export )?const ${name}(?:: \\w+)? = ([^\\n]*)`, 'm').exec(source)?.[1]
  const parts = stated?.replaceAll(/\/\/.*|as const|limits\.|[[\]{}]|\w+:/g, '').split(',')
  return parts?.filter((part) => part.trim() !== '').map((part) => sum(source, part))
}

function sum(source: string, text: string): number {
  const factor = (each: string): number =>
    /^[\d_.]+$/.test(each)
      ? Number(each.replaceAll('_', ''))
      : (valuesIn(source, each)?.[0] ?? valuesIn(read('node/limits.ts'), each)![0]!)
  const product = (term: string): number => term.split('*').reduce((all, each) => all * factor(each.trim()), 1)
  return text.split('+').reduce((all, term) => all + product(term), 0)
}

const one = (place: string, name: string): number => constants(place, name)[0]!
const WORDS: Record<string, number> = { one: 1, two: 2, four: 4, five: 5, eight: 8, ten: 10 }
const value = (text: string): number => WORDS[text.toLowerCase()] ?? power(text.replaceAll(',', ''))

/** A sentence with its numbers in brackets, and what they are in the code. */
const NUMBERS: [says: RegExp, is: () => number[]][] = [
  // 1, 2
  [/then (\d+) times `d = SHA-512/, () => [one('identity', 'ROUNDS') - 1]],
  [
    /new every (\d+) days; its record is valid (\d+); secrets destroyed at (\d+)/,
    () => [limits.PREKEY_ROTATION_DAYS, limits.PREKEY_VALID_DAYS, limits.PREKEY_DESTROYED_DAYS],
  ],
  [/A person's is replaced every (\d+) days/, () => [one('open-node.ts', 'PEER_ID_DAYS')]],
  [/Their? keys have (\d+) bytes|their keys have (\d+) bytes/, () => [one('identity', 'RECORD_KEY_BYTES')]],
  [/encoded `signed` whose body is one of these maps, (\d+) bytes at most/, () => [limits.MAX_RECORD_BYTES]],
  [/not more than an hour ahead \(`seq ≤ now \+ (\d+)`\)/, () => [limits.MAX_RECORD_AHEAD_SECONDS]],
  [
    /publishes both records at start, at each change and every (\d+) hours/,
    () => [one('directory', 'REPUBLISH_MILLISECONDS') / 3_600_000],
  ],
  [
    /renewed when less than (\d+) of its (\d+) days are left/,
    () => [one('friendship', 'RENEW_DAYS'), limits.MAX_IDENTITY_RECORD_DAYS],
  ],
  [
    /in again, after (\d+) s at first and (\d+) min in the end/,
    () => [one('directory', 'RETRY_MILLISECONDS') / 1000, one('directory', 'MAX_RETRY_MILLISECONDS') / 60_000],
  ],
  [/At most (\d+) containers nested, .*? and ([\d,]+) items/, () => [limits.MAX_CBOR_DEPTH, limits.MAX_CBOR_ITEMS]],
  // 3
  [/At most (\d+) bytes encoded/, () => [MAX_INVITE_BYTES]],
  [/highest one is (\d+) days old, or (\d+) messages/, () => [limits.MAILBOX_LIFE_DAYS, limits.MAILBOX_MESSAGES]],
  [/reads all it has, (\w+) at most/, () => [limits.MAX_MAILBOXES_PER_FRIEND]],
  [/reads on at up to (\w+) former ones/, () => [one('friendship', 'MAX_FORMER')]],
  [/no claim made before is left \(ours; at most (\d+) wait\)/, () => [limits.MAX_PENDING_RELEASES]],
  [/\(ours: 1 to (\d+), usually 1\)/, () => [limits.MAX_REQUESTS_PER_INVITE]],
  // 4
  [/did not end by itself (\d+) are left out/, () => [limits.SKIPPED_TAGS]],
  [/knows the tags of max\(0, h − (\d+)\) to h \+ (\d+)/, () => [limits.TAG_WINDOW - 1, limits.TAG_WINDOW]],
  [/While (\d+) receipts for one friend wait/, () => [one('delivery', 'MAX_WAITING')]],
  [/min\((\d+), relays of the friend\) signed/, () => [limits.MAX_CUSTODY_RELAYS]],
  [/At most (\d+) unacknowledged messages for one friend/, () => [limits.MAX_UNACKNOWLEDGED_PER_FRIEND]],
  // 5
  [
    /b from 0 to (\d+), a parameter of the network: (\d+) now/,
    () => [one('mailbox', 'MAX_BUCKET_BITS'), one('network', 'BUCKET_BITS')],
  ],
  [
    /has at least (\d+), (\d+) or (\d+) leading zero bits for (\d+), (\d+) or (\d+) bytes/,
    () => [...limits.ENVELOPE_BYTES.map(postageBits), ...limits.ENVELOPE_BYTES],
  ],
  [
    /ours: (\d+) a second, bursts of (\d+)/,
    () => [one('delivery', 'NEIGHBOUR_PER_SECOND'), one('delivery', 'NEIGHBOUR_BURST')],
  ],
  [/eid not seen within (\w+) minutes/, () => [one('delivery', 'SEEN_MS') / 60_000]],
  [/expiry day from yesterday to (\d+) days ahead/, () => [limits.MAX_ENVELOPE_DAYS + 3]],
  // 6
  [/u32: bytes that follow, 4 to ([\d,]+)/, () => [limits.MAX_FRAME_BYTES + 4]],
  [/encoded `request` or `answer`, at most ([\d,]+) bytes/, () => [limits.MAX_FRAME_BYTES]],
  [/A server works on at most (\d+) frames/, () => [limits.MAX_PIPELINED_REQUESTS]],
  [
    /new at each full (\w+) minutes of the server's clock; .* so each lives (\d+) minutes/,
    () => [limits.CHALLENGE_RENEW_SECONDS / 60, limits.CHALLENGE_ACCEPT_SECONDS / 60],
  ],
  [/more than (\d+) on the stream `full`/, () => [limits.MAX_SUBSCRIBE_ADDRESSES]],
  [/Ours pays up to (\d+) bits/, () => [limits.MAX_PAID_BITS]],
  [/the answer's `time` is at least `stored` \+ (\d+)/, () => [one('delivery', 'STORED_WITHIN_SECONDS')]],
  [
    /An invite has (\d+) slots\. A box has (\d+), at most (\d+) of them for one source/,
    () => [KINDS.invite.maxCopies, KINDS.box.maxCopies, one('custody', 'MAX_SLOTS_PER_SOURCE')],
  ],
  [/sources are remembered for (\d+) boxes/, () => [CUSTODY_LIMITS.maxKnownBoxes]],
  [
    /Ours takes (\d+) frames a second from one source .*?, (\d+) at once/,
    () => [CUSTODY_LIMITS.frames.perSecond, CUSTODY_LIMITS.frames.burst],
  ],
  [/Ours keeps ([\d,]+); above that a record/, () => [CUSTODY_LIMITS.maxRecords]],
  [
    /doubles from (\d+) s to (\d+) min, for this mailbox/,
    () => constants('delivery/courier.ts', 'RETRY').map((ms, i) => ms / (i === 0 ? 1000 : 60_000)),
  ],
  [/take turns by mailbox, (\d+) at once/, () => [limits.MAX_PUTS_IN_FLIGHT]],
  [
    /published again, the oldest (\d+), once in (\w+) minutes/,
    () => [limits.MAX_REPUBLISHED, one('delivery', 'REPUBLISH_MS') / 60_000],
  ],
  [
    /asked by STAT, at most (\d+) cids each, (\d+) minutes after a receipt, (\d+) hours later/,
    () => [
      limits.MAX_STAT_CIDS,
      ...constants('delivery/auditor.ts', 'INTERVALS')
        .slice(0, 2)
        .map((seconds, i) => seconds / (i === 0 ? 60 : 3600)),
    ],
  ],
  [/A relay that is not reached for (\d+) hours/, () => [one('delivery', 'WEEK_HOURS')]],
  [
    /for (\d+) s until the node's receipt, and from then on for (\d+) s until/,
    () => [one('delivery', 'RECEIPT_MS') / 1000, one('delivery', 'ACKNOWLEDGED_MS') / 1000],
  ],
  // 7
  [/Both are (\d+) bytes, built once/, () => [limits.LEG_BYTES]],
  [/The inner leg has (\d+) bytes/, () => [legs.LEG1_INNER_BYTES]],
  [/`leg1Identity`, padded to (\d+) bytes, sealed/, () => [legs.C1_PLAINTEXT_BYTES]],
  [/`leg1Request`, padded to (\d+) bytes, sealed/, () => [legs.C2_PLAINTEXT_BYTES]],
  [/`leg2Accept`, padded to (\d+) bytes, sealed/, () => [legs.C3_PLAINTEXT_BYTES]],
  [/\| (\d+) bytes, version (\d+), kind 0x11/, () => [legs.LEG1_INNER_BYTES, limits.PROTOCOL_VERSION]],
  [/\| (\d+) bytes, version (\d+), kind 0x12/, () => [limits.LEG_BYTES, limits.PROTOCOL_VERSION]],
  [/a leg 2 in a reply mailbox (\d+) days/, () => [limits.MAX_ENVELOPE_DAYS]],
  [/time is over, min\(`created` \+ (\d+) days/, () => [limits.LEG1_DAYS]],
  [
    /one-time keys of up to (\w+) earlier ones are kept for (\d+) days/,
    () => [Math.floor(limits.ONE_TIME_KEY_DAYS / limits.LEG1_DAYS), limits.ONE_TIME_KEY_DAYS],
  ],
  [
    /At most (\d+) requests wait, (\d+) of them through one invite/,
    () => [limits.MAX_INCOMING_REQUESTS, limits.MAX_REQUESTS_PER_INVITE],
  ],
  [/When there are more than (\w+), those that the friend was never known/, () => [limits.MAX_SESSIONS_PER_FRIEND]],
  // 8
  [/ours keeps (\w+) such chains/, () => [MAX_SKIPPED_CHAINS]],
  [/More than (\d+) to store or ([\d,]+) dead steps/, () => [limits.MAX_SKIPPED_AT_ONCE, limits.MAX_DEAD_STEPS]],
  [
    /below a newer floor, after (\d+) days, with their epoch, and oldest first above (\d+)/,
    () => [limits.SKIPPED_KEY_DAYS, limits.MAX_SKIPPED_KEYS],
  ],
  [/Ours goes at most (\d+) below the next count/, () => [one('delivery', 'FLOOR_TOLERANCE')]],
  // 9
  [
    /CBOR, at most (\d+) bytes: \{1: version (\d+), 2: slots\}/,
    () => [limits.MAX_VAULT_BYTES, one('store', 'VAULT_VERSION')],
  ],
  [
    /ours writes (\d+) KiB, (\d+) passes, (\d+) lanes;/,
    () => [PASSPHRASE_COST.memoryKib, PASSPHRASE_COST.passes, PASSPHRASE_COST.lanes],
  ],
  [/`u8 (\d+) ‖ u32 key epoch \((\d+)\)/, () => [one('store', 'ROW_VERSION'), one('store', 'KEY_EPOCH')]],
  [/seconds since 1970 divided by ([\d,]+), rounded down/, () => [one('identity', 'WEEK_SECONDS')]],
  [
    /while `seq ≤ now \+ (\d+)` and `now < seq \+ (\d+)`/,
    () => [limits.MAX_RECORD_AHEAD_SECONDS, one('identity', 'WEEK_SECONDS')],
  ],
  [/does not fit into (\d+) bytes/, () => [limits.RENDEZVOUS_BYTES - 9 - 64 - 40 - 1]],
  [
    /while a profile of one's own is unacknowledged for (\d+) days/,
    () => [one('friendship', 'SILENCE_SECONDS') / 86_400],
  ],
]

describe('the numbers in the sentences of the protocol document', () => {
  for (const [says, is] of NUMBERS) {
    it(says.source.replaceAll('\\', ''), () => {
      const found = says.exec(SENTENCES)
      expect(found, 'the sentence').to.not.equal(null)
      expect(
        found!
          .slice(1)
          .filter((group) => group !== undefined)
          .map(value),
      ).to.deep.equal(is())
    })
  }

  it('name no limit and no code of an error that there is not', () => {
    const named = [...DOCUMENT.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, name]) => name!)
    expect(named).to.have.length.above(30)
    const files = readdirSync(join(ROOT, 'node'), { recursive: true, encoding: 'utf8' })
    const sources = files.filter((file) => file.endsWith('.ts')).map((file) => read(join('node', file)))
    for (const name of named.filter((each) => !(each in limits))) {
      expect(
        sources.some((source) => source.includes(`'${name}'`)),
        name,
      ).to.equal(true)
    }
  })

  it('name the protocols and the topic as they are spoken', () => {
    const stack = read('node/network/stack-options.ts')
    for (const spoken of ['/kith/kad/1.0.0', '/kith/mailbox/1.0.0']) {
      expect(stack).to.include(`'${spoken}'`)
      expect(SENTENCES).to.include(`\`${spoken}\``)
    }
    expect(read('node/mailbox/buckets.ts')).to.include('return `/kith/1/mail/$')
    expect(SENTENCES).to.include('`topic = "/kith/1/mail/" ‖ b ‖ "/" ‖ index`')
  })
})
