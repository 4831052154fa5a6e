/**
 * Every shape of `node/wire/` with an arbitrary value of it and the bytes a reader allows, so that round trips,
 * truncations and fuzzing run over all of them and a new shape has one place to be added to.
 */
import * as fc from 'fast-check'
import { utf8 } from '../../node/crypto/bytes.ts'
import * as limits from '../../node/limits.ts'
import * as commands from '../../node/wire/commands.ts'
import { invite, MAX_INVITE_BYTES } from '../../node/wire/invite.ts'
import { leg1Identity, leg1Request, leg2Accept } from '../../node/wire/legs.ts'
import * as payloads from '../../node/wire/payload.ts'
import * as records from '../../node/wire/records.ts'
import type { Shape } from '../../node/wire/schema.ts'

export interface WireCodec {
  name: string
  shape: Shape<unknown>
  value: fc.Arbitrary<unknown>
  /** What a reader of these bytes passes to `decode`. */
  maxBytes: number
}

function codec<T>(name: string, shape: Shape<T>, value: fc.Arbitrary<T>, maxBytes: number): WireCodec {
  return { name, shape, value, maxBytes }
}

// ---- parts ----

function bytes(length: number, max: number = length): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: max })
}

/** Integers with every width of encoding among them. */
function uint(max: number = Number.MAX_SAFE_INTEGER): fc.Arbitrary<number> {
  const edges = [0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, max].filter((edge) => edge <= max)
  return fc.oneof(
    fc.constantFrom(...edges),
    fc.nat(Math.min(max, 2 ** 31 - 1)),
    fc.maxSafeNat().map((n) => n % (max + 1)),
  )
}

/** Well-formed text of any script, a byte order mark and controls included. */
function text(maxBytes: number): fc.Arbitrary<string> {
  const any = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\uFEFF', '\u0000', '\u202E'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 40,
  })
  return any.filter((candidate) => utf8(candidate).length <= maxBytes)
}

const hash = bytes(32)
const seconds = uint(2 ** 40)
const version = uint(255)
const nonce = bytes(8)
const signature = bytes(64)
const x25519 = bytes(33)
const ed25519 = bytes(33)
const kem = bytes(1185)
const peerId = bytes(34, 42)
const address = text(limits.MAX_ADDRESS_BYTES)
const relays = fc.array(address, { maxLength: limits.MAX_RELAYS })
const addresses = fc.array(address, { maxLength: limits.MAX_ADDRESSES })
const messageId = bytes(16)
const cids = fc.array(hash, { minLength: 1, maxLength: 5 })
const blob = bytes(0, 200)
const someBytes = bytes(1, 200)

/** An object whose fields named in `maybe` may be absent. */
function fields<T extends object, M extends object = object>(
  always: { [K in keyof T]: fc.Arbitrary<T[K]> },
  maybe: { [K in keyof M]: fc.Arbitrary<M[K]> } = {} as never,
): fc.Arbitrary<T & Partial<M>> {
  const model = { ...always, ...maybe } as never
  return fc.record(model, { requiredKeys: Object.keys(always) as never, noNullPrototype: true }) as never
}

const head = fields({ events: uint(limits.MAX_KEY_EVENTS), seq: seconds, hash })
const device = fields({ signing: ed25519, identity: x25519, added: seconds })

// ---- shapes ----

const RECORDS: WireCodec[] = [
  codec('inception', records.inception, fields({ version, root: ed25519, next: hash, salt: bytes(16) }), 128),
  codec(
    'key event',
    records.keyEvent,
    fields({ version, index: uint(limits.MAX_KEY_EVENTS), previous: hash, root: ed25519, next: hash }),
    256,
  ),
  codec('signed', records.signed, fields({ body: someBytes, signature }), limits.MAX_RECORD_BYTES),
  codec('device', records.device, device, 256),
  codec(
    'identity record',
    records.identityRecord,
    fields(
      {
        version,
        seq: seconds,
        issued: seconds,
        expires: seconds,
        inception: bytes(1, 128),
        events: fc.array(bytes(1, 256), { maxLength: 3 }),
        devices: fc.array(device, { maxLength: limits.MAX_DEVICES }),
        revoked: fc.array(ed25519, { maxLength: limits.MAX_REVOKED_DEVICES }),
        policy: uint(1),
        minVersion: version,
        maxVersion: version,
      },
      { previous: hash, requestReader: ed25519, relays },
    ),
    limits.MAX_RECORD_BYTES,
  ),
  codec(
    'prekey record',
    records.prekeyRecord,
    fields({
      version,
      id: hash,
      device: ed25519,
      seq: seconds,
      issued: seconds,
      expires: seconds,
      prekey: x25519,
      kem,
    }),
    limits.MAX_RECORD_BYTES,
  ),
  codec('head', records.head, head, 64),
]

const PAYLOADS: WireCodec[] = [
  codec(
    'payload',
    payloads.payload,
    fields(
      {
        version,
        type: uint(65535),
        salt: bytes(16),
        conversation: bytes(16),
        lamport: uint(2 ** 48),
        parents: fc.array(messageId, { maxLength: limits.MAX_PARENTS }),
        sentAt: uint(),
        body: blob,
        lifetime: uint(2 ** 32),
        mine: head,
      },
      { yours: head, acknowledged: fc.array(messageId, { maxLength: 5 }) },
    ),
    payloads.MAX_PAYLOAD_BYTES,
  ),
  codec('text body', payloads.textBody, fields({ text: text(limits.MAX_TEXT_BYTES) }), payloads.MAX_PAYLOAD_BYTES),
  codec(
    'profile body',
    payloads.profileBody,
    fields({ name: text(limits.MAX_NAME_BYTES), relays }, { peerId, addresses }),
    payloads.MAX_PAYLOAD_BYTES,
  ),
  codec(
    'mailbox update body',
    payloads.mailboxUpdateBody,
    fields({ rekey: uint(), replacement: uint(), secret: hash }),
    payloads.MAX_PAYLOAD_BYTES,
  ),
]

const HANDSHAKE: WireCodec[] = [
  codec(
    'invite',
    invite,
    fields(
      {
        version,
        id: hash,
        writerSeed: hash,
        reader: hash,
        seal: hash,
        pin: head,
        relays: fc.array(address, { maxLength: 2 }),
        expires: seconds,
      },
      { peerId, addresses },
    ),
    MAX_INVITE_BYTES,
  ),
  codec('leg 1 identity', leg1Identity, fields({ record: someBytes, device: ed25519 }), limits.LEG_BYTES),
  codec(
    'leg 1 request',
    leg1Request,
    fields(
      {
        oneTimeKey: x25519,
        oneTimeKem: kem,
        replySecret: hash,
        relays,
        rekey: uint(),
        name: text(limits.MAX_NAME_BYTES),
        note: text(limits.MAX_NOTE_BYTES),
        created: seconds,
        expires: seconds,
        minVersion: version,
        maxVersion: version,
      },
      { peerId, addresses },
    ),
    limits.LEG_BYTES,
  ),
  codec(
    'leg 2 accept',
    leg2Accept,
    fields(
      { ratchetKey: x25519, head, device: ed25519, relays, rekey: uint(), version, name: text(limits.MAX_NAME_BYTES) },
      { peerId, addresses },
    ),
    limits.LEG_BYTES,
  ),
]

const frame = limits.MAX_FRAME_BYTES
const cursorEntry = fields({ address: hash, after: uint() }, { signature })
const mailItem = fields({ address: hash, position: uint(), copy: someBytes })
const states = fc.array(uint(3), { minLength: 1, maxLength: 5 })

const COMMANDS: WireCodec[] = [
  codec('request', commands.request, fields({ verb: version, args: blob }), frame),
  codec('answer', commands.answer, fields({ status: version, body: blob }, { retryAfter: uint(2 ** 32) }), frame),
  codec('hello args', commands.helloArgs, fields({ version }), frame),
  codec(
    'policy',
    commands.policy,
    fields(
      {
        version,
        server: peerId,
        issued: seconds,
        maxCopies: uint(),
        maxBytes: uint(),
        maxDays: uint(365),
        bucketBits: uint(16),
        claimBits: uint(40),
        contact: text(200),
        forwardKey: x25519,
      },
      { drain: seconds },
    ),
    1024,
  ),
  codec(
    'hello answer',
    commands.helloAnswer,
    fields({ policy: someBytes, signature, storeId: bytes(16), time: seconds, challenge: hash }),
    frame,
  ),
  codec(
    'command bytes',
    commands.commandBytes,
    fields({ verb: version, server: peerId, challenge: hash, args: blob }),
    frame,
  ),
  codec('signed args', commands.signedArgs, fields({ args: blob, challenge: hash, signature }), frame),
  codec(
    'claim args',
    commands.claimArgs,
    fields({ kind: version, writer: hash, reader: hash, until: seconds, nonce }),
    frame,
  ),
  codec('claim answer', commands.claimAnswer, fields({ until: seconds }), frame),
  codec('put args', commands.putArgs, fields({ address: hash, copy: someBytes, expires: seconds }), frame),
  codec('put signed', commands.putSigned, fields({ address: hash, cid: hash, expires: seconds }), frame),
  codec(
    'put receipt',
    commands.putReceipt,
    fields({
      server: peerId,
      cid: hash,
      address: hash,
      storeId: bytes(16),
      stored: seconds,
      expires: seconds,
      room: uint(),
    }),
    frame,
  ),
  codec('signed body', commands.signedBody, fields({ body: someBytes, signature }), frame),
  codec('stat args', commands.statArgs, fields({ address: hash, cids }, { challenge: hash, signature }), frame),
  codec('stat signed', commands.statSigned, fields({ address: hash, cids }), frame),
  codec('proof', commands.proof, fields({ command: someBytes, signature }), frame),
  codec(
    'stat answer',
    commands.statAnswer,
    fields({
      server: peerId,
      address: hash,
      storeId: bytes(16),
      time: seconds,
      cids,
      states,
      proofs: fc.array(someBytes, { maxLength: 3 }),
    }),
    frame,
  ),
  codec(
    'read args',
    commands.readArgs,
    fields(
      { entries: fc.array(cursorEntry, { maxLength: 4 }) },
      { storeId: bytes(16), challenge: hash, remove: fc.array(hash, { maxLength: 4 }) },
    ),
    frame,
  ),
  codec('read signed', commands.readSigned, fields({ address: hash }), frame),
  codec('mail item', commands.mailItem, mailItem, frame),
  codec(
    'read answer',
    commands.readAnswer,
    fields({ storeId: bytes(16), items: fc.array(mailItem, { maxLength: 4 }), more: uint(1) }),
    frame,
  ),
  codec('acknowledge args', commands.acknowledgeArgs, fields({ address: hash, cids }), frame),
  codec('release args', commands.releaseArgs, fields({ address: hash }), frame),
  codec(
    'request args',
    commands.requestArgs,
    fields({ address: hash, leg: bytes(limits.LEG_BYTES), expires: seconds, nonce }),
    frame,
  ),
  codec('request answer', commands.requestAnswer, fields({ slot: version }), frame),
  codec(
    'record args',
    commands.recordArgs,
    fields({}, { key: bytes(33, 64), record: someBytes, nonce, challenge: hash }) as fc.Arbitrary<object>,
    frame,
  ),
  codec(
    'record receipt',
    commands.recordReceipt,
    fields({ server: peerId, key: bytes(33, 64), seq: seconds, hash, time: seconds }),
    frame,
  ),
  codec('record answer', commands.recordAnswer, fields({ record: someBytes, receipt: someBytes, signature }), frame),
  codec('forward args', commands.forwardArgs, fields({ server: peerId, ephemeral: x25519, sealed: someBytes }), frame),
  codec('publish args', commands.publishArgs, fields({ topic: text(64), envelope: someBytes }), frame),
]

/** All of them. */
export const WIRE_CODECS: readonly WireCodec[] = [...RECORDS, ...PAYLOADS, ...HANDSHAKE, ...COMMANDS]
