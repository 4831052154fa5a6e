/**
 * A conversation with a mailbox server (PROTOCOL 6): the frames of a client of this project and the answers of its server, with
 * what each signature covers; then commands that the server refuses. Postage is 12 bits.
 */
import { concat, leadingZeroBits, u32 } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair, sign } from '../../../node/crypto/ed25519.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { createMailboxClient, type MailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { admitRecordAt, compareRecordsAt, identityRecordKey } from '../../../node/identity/record-keys.ts'
import { createIdentityRecord } from '../../../node/identity/records.ts'
import { rootKeyPair } from '../../../node/identity/root.ts'
import { type FriendMailbox, friendMailbox, inviteMailbox, KIND, mailboxAddress } from '../../../node/mailbox/keys.ts'
import { mintClaimPostage } from '../../../node/mailbox/postage.ts'
import { FrameStream } from '../../../node/network/frame-stream.ts'
import type { LinkServer } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { peerIdOf } from '../../../node/wire/peer-id.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { seedKeys, testLogger, testServer, type TestServer } from '../../support/custody-fixtures.ts'
import { createLoopbackLink } from '../../support/loopback-link.ts'
import { envelopesToPut } from './envelope.ts'
import { copyCase, FIRST, handshakeVectors } from './handshake.ts'
import { ALICE } from './people.ts'
import { DAY, drawn, type Fields, NOW, publicRandom, type VectorFile } from './vector-file.ts'

type Case = Fields & { name: string }

const CLAIM_BITS = 12
const { VERB, STATUS } = wire
const VERB_NAMES = new Map<number, string>(Object.entries(VERB).map(([name, code]) => [code, name]))
const STATUS_NAMES = new Map<number, string>(Object.entries(STATUS).map(([name, code]) => [code, name]))

/** A record of Alice's from the day before the one that is handed in. */
const OLDER = createIdentityRecord({
  root: rootKeyPair(ALICE.entropy, 0),
  seq: ALICE.identityFields.seq - DAY,
  inception: ALICE.identityFields.inception,
  devices: ALICE.identityFields.devices,
})

/** A server, a recorded client of it, and what both said. */
interface Talk {
  server: TestServer
  stream: LinkServer
  client: MailboxClient
  cases: Case[]
  mailbox: FriendMailbox
}

export async function mailboxProtocolVectors(): Promise<VectorFile> {
  const talk = await startTalk()
  await friendMailboxTalk(talk)
  await inviteTalk(talk)
  await recordTalk(talk)
  const refusals = await badCommands(talk)
  return {
    name: 'mailbox-protocol',
    shows: [
      '6. The mailbox protocol',
      'Verbs',
      'Maps of the mailbox protocol',
      'Statuses',
      'Postage of commands',
      'Life of a copy',
    ],
    about:
      'Frames between a client and a relay, in their order: a request, its answer, what is signed in them. `commandBytes` is the map that ' +
      'the signature of a command covers, `answerMessage` what the server signs, both without label. `mailboxes` of the server are the ' +
      'keys that its client holds; what is put are the first two envelopes of the file `envelope`. What is refused comes to the same server afterwards, each with the answer that it gets.',
    cases: [serverCase(talk), ...talk.cases],
    refused: refusals,
  }
}

async function startTalk(): Promise<Talk> {
  const name = 'vectors'
  const server = await testServer({
    name,
    custody: {
      policy: { claimBits: CLAIM_BITS, contact: 'mailto:operator@example.org' },
      validateRecord: (key, value) => admitRecordAt(key, value, { now: NOW }),
      compareRecords: compareRecordsAt,
    },
  })
  const stream = server.stream()
  const cases: Case[] = []
  const recorded: LinkServer = {
    async handle(frame) {
      const answer = await stream.handle(frame)
      cases.push(await exchange(cases.length + 1, frame, answer, server.peerId))
      return answer
    },
    close: () => stream.close(),
  }
  const link = createLoopbackLink(recorded, server.peerId, server.clock)
  const random = publicRandom('kith vectors: client')
  const client = createMailboxClient({ link, clock: server.clock, random, logger: testLogger() })
  return { server, stream, client, cases, mailbox: friendMailbox(FIRST.keys.mailboxAB, server.peerId) }
}

function serverCase({ server, mailbox }: Talk): Case {
  const back = friendMailbox(FIRST.keys.mailboxBA, server.peerId)
  const { reader, writer, address } = invite()
  const { seed, public: key } = seedKeys('transport vectors')
  return {
    name: 'server',
    seed,
    public: key,
    peerId: server.peerId,
    storeId: server.custody.storeId,
    now: server.now(),
    mailboxes: [
      ...[mailbox, back].map((one, i) => ({
        secret: i === 0 ? FIRST.keys.mailboxAB : FIRST.keys.mailboxBA,
        writerSeed: one.writer.seed,
        readerSeed: one.reader.seed,
        copyKey: one.copyKey,
        address: one.address,
      })),
      { writerSeed: writer.seed, readerSeed: reader.seed, address },
    ],
  }
}

// ---- what is said ----

async function friendMailboxTalk({ client, mailbox, server }: Talk): Promise<void> {
  const { writer, reader, copyKey, address } = mailbox
  const [one, two] = envelopesToPut().map((envelope) => copyCase('', copyKey, envelope).copy) as [
    Uint8Array,
    Uint8Array,
  ]
  const put = (copy: Uint8Array) =>
    client.put({ address, writerSeed: writer.seed, copy, expires: NOW + 30 * DAY, reader: reader.public })
  const stat = () => client.stat({ address, cids: [one, two].map(wire.copyId), reader: reader.public })
  await client.hello()
  await put(one)
  await client.claim({ kind: KIND.friend, writer, reader, until: NOW + 90 * DAY })
  await put(one)
  await put(two)
  await put(one)
  await stat()
  await client.fetch({ entries: [{ address, after: 0 }] })
  await client.subscribe({ storeId: server.custody.storeId, entries: [{ address, after: 0 }] })
  const { items } = (await client.pull()) as { items: { position: number }[] }
  await client.acknowledge({ address, readerSeed: reader.seed, cids: [wire.copyId(one)] })
  await put(one)
  await stat()
  await client.fetch({ storeId: server.custody.storeId, entries: [{ address, after: items[0]!.position }] })
  await client.release({ address, readerSeed: reader.seed })
  await stat()
  await put(two)
}

function invite() {
  const reader = ed25519KeyPair(drawn('invite, seed of R'))
  const writerSeed = drawn('invite, seed of W')
  return { reader, ...inviteMailbox({ writerSeed, reader: reader.public }) }
}

function sealedLeg(): Uint8Array {
  const found = handshakeVectors().cases.find(({ name }) => name === 'leg 1 through an invite')
  return found!['leg'] as Uint8Array
}

async function inviteTalk({ client }: Talk): Promise<void> {
  const { reader, writer, address } = invite()
  const leg = sealedLeg()
  await client.claim({ kind: KIND.invite, writer, reader, until: NOW + 30 * DAY })
  await client.request({ address, writerSeed: writer.seed, leg, expires: NOW + 14 * DAY })
  await client.fetch({ entries: [{ address, after: 0, readerSeed: reader.seed }] })
  await client.stat({ address, cids: [wire.copyId(leg)], reader: reader.public, readerSeed: reader.seed })
}

async function recordTalk({ client }: Talk): Promise<void> {
  const key = identityRecordKey(ALICE.id)
  await client.getRecord(key)
  await client.putRecord({ key, record: ALICE.record })
  await client.getRecord(key)
  // a lower one is answered with the higher
  await client.putRecord({ key, record: OLDER.bytes })
}

// ---- how it is written down ----

async function framed(call: number, message: Uint8Array): Promise<Uint8Array> {
  const sent: Uint8Array[] = []
  const stream = {
    status: 'open',
    addEventListener: () => undefined,
    send: (bytes: Uint8Array) => sent.push(new Uint8Array(bytes)) > 0,
  }
  const init = { stream, onFrame: () => undefined, onClose: () => undefined }
  await new FrameStream(init as unknown as ConstructorParameters<typeof FrameStream>[0]).send(call, message)
  const frame = concat(...sent)
  if (Buffer.compare(frame, concat(u32(message.length + 4), u32(call), message)) !== 0) throw new Error('frame differs')
  return frame
}

async function exchange(number: number, frame: Uint8Array, answer: Uint8Array, server: Uint8Array): Promise<Case> {
  const request = decode(wire.request, frame, frame.length)
  const { status, body, retryAfter } = decode(wire.answer, answer, answer.length)
  const verb = VERB_NAMES.get(request.verb)!
  return {
    name: `${number}: ${verb}`,
    verb: request.verb,
    request: await framed(number, frame),
    args: request.args,
    ...signedOf(request.verb, request.args, server),
    answer: await framed(number, answer),
    status: STATUS_NAMES.get(status)!,
    body,
    retryAfter,
    ...signedAnswer(request.verb, body),
  }
}

/** What a command's signature covers, and what its postage is for. */
function signedOf(verb: number, args: Uint8Array, server: Uint8Array): Fields {
  const isSigned = [VERB.claim, VERB.put, VERB.acknowledge, VERB.release, VERB.request].some((code) => code === verb)
  if (isSigned) {
    const command = decode(wire.signedArgs, args, args.length)
    const covered = coveredArgs(verb, command.args)
    const commandBytes = wire.signedCommand(verb as wire.Verb, server, command.challenge, covered)
    return { coveredArgs: covered, commandBytes, ...postageOf(verb, command.args, command.challenge) }
  }
  if (verb === VERB.record) {
    const { key, record, nonce, challenge } = decode(wire.recordArgs, args, args.length)
    return record && nonce && challenge ? postage(challenge, concat(key!, sha256(record)), nonce) : {}
  }
  if (verb === VERB.fetch || verb === VERB.subscribe) {
    const { challenge, entries } = decode(wire.readArgs, args, args.length)
    if (!challenge) return {}
    const covered = encode(wire.readSigned, { address: entries[0]!.address })
    return { coveredArgs: covered, commandBytes: wire.signedCommand(verb, server, challenge, covered) }
  }
  if (verb !== VERB.stat) return {}
  const { challenge, address, cids } = decode(wire.statArgs, args, args.length)
  if (!challenge) return {}
  const covered = encode(wire.statSigned, { address, cids })
  return { coveredArgs: covered, commandBytes: wire.signedCommand(verb, server, challenge, covered) }
}

function coveredArgs(verb: number, args: Uint8Array): Uint8Array {
  if (verb === VERB.put) {
    const { address, copy, expires } = decode(wire.putArgs, args, args.length)
    return encode(wire.putSigned, { address, cid: wire.copyId(copy), expires })
  }
  if (verb !== VERB.request) return args
  const { address, leg, expires } = decode(wire.requestArgs, args, args.length)
  return encode(wire.putSigned, { address, cid: wire.copyId(leg), expires })
}

function postageOf(verb: number, args: Uint8Array, challenge: Uint8Array): Fields {
  if (verb === VERB.claim) {
    const { kind, writer, reader, nonce } = decode(wire.claimArgs, args, args.length)
    return postage(challenge, mailboxAddress(kind as 1, writer, reader), nonce)
  }
  if (verb !== VERB.request) return {}
  const { address, leg, nonce } = decode(wire.requestArgs, args, args.length)
  return postage(challenge, concat(address, wire.copyId(leg)), nonce)
}

function postage(challenge: Uint8Array, subject: Uint8Array, nonce: Uint8Array): Fields {
  const hash = sha256(wire.claimPostageSubject(challenge, subject), nonce)
  return { postage: { challenge, subject, nonce, hash, bits: leadingZeroBits(hash) } }
}

/** What the server signed in a good answer. */
function signedAnswer(verb: number, body: Uint8Array): Fields {
  if (body.length === 0) return {}
  if (verb === VERB.hello) {
    const { policy, ...rest } = decode(wire.helloAnswer, body, body.length)
    return {
      answerValue: { ...rest, policy: { ...decode(wire.policy, policy, policy.length) } },
      answerMessage: policy,
    }
  }
  if (verb === VERB.put || verb === VERB.stat) {
    const { body: signed, signature } = decode(wire.signedBody, body, body.length)
    return { answerValue: { ...said(verb, signed) }, answerMessage: signed, answerSignature: signature }
  }
  if (verb !== VERB.record) return {}
  const { receipt, signature } = decode(wire.recordAnswer, body, body.length)
  return {
    answerValue: { ...decode(wire.recordReceipt, receipt, receipt.length) },
    answerMessage: receipt,
    answerSignature: signature,
  }
}

/** A PUT of what was acknowledged is answered as a STAT is. */
function said(verb: number, signed: Uint8Array): Fields {
  if (verb === VERB.put) {
    try {
      return { ...decode(wire.putReceipt, signed, signed.length) }
    } catch {
      // an answer of a STAT
    }
  }
  return { ...decode(wire.statAnswer, signed, signed.length) }
}

// ---- refused ----

/** Frames that end the stream. */
async function badFrames() {
  const cases: [string, string, Uint8Array][] = [
    ['a frame of 3 bytes', 'a length from 4 on', concat(u32(3), new Uint8Array(3))],
    ['a frame of 393,221 bytes', 'a length of at most 393,220', concat(u32(393_221), u32(1))],
  ]
  return Promise.all(
    cases.map(async ([name, reason, request]) => {
      let error = ''
      let deliver: (event: { data: Uint8Array }) => void = () => undefined
      const stream = {
        status: 'open',
        addEventListener: (type: string, listener: typeof deliver) => {
          if (type === 'message') deliver = listener
        },
        abort: (reason_: { code: string }) => {
          error = reason_.code
        },
      }
      const init = { stream, onFrame: () => undefined, onClose: () => undefined }
      void new FrameStream(init as unknown as ConstructorParameters<typeof FrameStream>[0])
      deliver({ data: request })
      await Promise.resolve()
      await Promise.resolve()
      if (error === '') throw new Error(`${name} did not end the stream`)
      return { name, reason, error, request }
    }),
  )
}

interface BadCommand {
  name: string
  reason: string
  verb: number
  args: Uint8Array
}

async function badCommands(talk: Talk) {
  const { stream, server, client } = talk
  const mailbox = friendMailbox(FIRST.keys.mailboxBA, server.peerId)
  await client.claim({ kind: KIND.friend, ...mailbox, until: NOW + 90 * DAY })
  const hello = decode(
    wire.answer,
    await stream.handle(encode(wire.request, { verb: VERB.hello, args: encode(wire.helloArgs, { version: 1 }) })),
    4096,
  )
  const { challenge } = decode(wire.helloAnswer, hello.body, 4096)
  const commands = [
    ...badForms(),
    ...badClaims(challenge, server.peerId),
    ...badPuts(challenge, server.peerId, mailbox),
    ...badReads(challenge, server.peerId, mailbox),
    ...badRecords(challenge),
  ]
  const found: (Fields & { name: string; reason: string; error: string })[] = []
  for (const { name, reason, verb, args } of commands) {
    const frame = encode(wire.request, { verb, args })
    const answer = await stream.handle(frame)
    const { status, body } = decode(wire.answer, answer, answer.length)
    if (status === STATUS.ok) throw new Error(`${name} was not refused`)
    const error = STATUS_NAMES.get(status)!
    const call: number = found.length + 1
    found.push({
      name,
      reason,
      error,
      verb,
      args,
      request: await framed(call, frame),
      answer: await framed(call, answer),
      body,
    })
  }
  return [...found, ...(await badFrames())]
}

/** Arguments that are signed as they should be, but for what a case changes. */
function signedArgs(
  verb: wire.Verb,
  args: Uint8Array,
  seed: Uint8Array,
  to: { server: Uint8Array; challenge: Uint8Array },
  changes: { signedAs?: wire.Verb; for?: Uint8Array } = {},
): Uint8Array {
  const covered = coveredArgs(verb, args)
  const command = wire.signedCommand(changes.signedAs ?? verb, changes.for ?? to.server, to.challenge, covered)
  return encode(wire.signedArgs, { args, challenge: to.challenge, signature: sign(seed, 'command', command) })
}

function badForms(): BadCommand[] {
  const hello = encode(wire.helloArgs, { version: 1 })
  const nothing = new Uint8Array(0)
  return [
    {
      name: 'HELLO of version 2',
      reason: 'this server speaks version 1',
      verb: VERB.hello,
      args: encode(wire.helloArgs, { version: 2 }),
    },
    {
      name: 'HELLO with a trailing byte',
      reason: 'the arguments are not canonical',
      verb: VERB.hello,
      args: concat(hello, nothing, Uint8Array.of(0)),
    },
    { name: 'verb 99', reason: 'there is none', verb: 99, args: nothing },
    { name: 'FORWARD', reason: 'reserved', verb: VERB.forward, args: nothing },
    { name: 'PUBLISH', reason: 'reserved', verb: VERB.publish, args: nothing },
    { name: 'PULL with arguments', reason: 'PULL has none', verb: VERB.pull, args: hello },
  ]
}

function unpaidNonce(subject: Uint8Array, nonce: Uint8Array): Uint8Array {
  const isPaid = leadingZeroBits(sha256(subject, nonce)) >= CLAIM_BITS
  return isPaid ? unpaidNonce(subject, sha256(nonce).slice(0, 8)) : nonce
}

function badClaims(challenge: Uint8Array, server: Uint8Array): BadCommand[] {
  const [writer, reader] = [drawn('a mailbox, W'), drawn('a mailbox, R')].map(ed25519KeyPair)
  const to = { server, challenge }
  const base = { kind: KIND.friend as number, writer: writer!.public, reader: reader!.public, until: NOW + DAY }
  const claim = (changes: Partial<typeof base>, seed = reader!.seed, isPaid = true, at = to): Uint8Array => {
    const fields = { ...base, ...changes }
    const subject = wire.claimPostageSubject(
      at.challenge,
      mailboxAddress(fields.kind as 1, fields.writer, fields.reader),
    )
    const bits = isPaid ? CLAIM_BITS : 0
    let nonce = mintClaimPostage(subject, bits, drawn('nonce of a claim', 8)).step(2 ** 20)!
    if (!isPaid) nonce = unpaidNonce(subject, nonce)
    return signedArgs(VERB.claim, encode(wire.claimArgs, { ...fields, nonce }), seed, at)
  }
  const stale = { server, challenge: drawn('no challenge of this server') }
  const verb = VERB.claim
  return [
    { name: 'CLAIM signed by W', reason: 'R signs', verb, args: claim({}, writer!.seed) },
    {
      name: 'CLAIM without postage',
      reason: 'fewer zero bits than `claimBits`',
      verb,
      args: claim({}, reader!.seed, false),
    },
    { name: 'CLAIM of kind 9', reason: 'there is none', verb, args: claim({ kind: 9 }) },
    { name: 'CLAIM until now', reason: 'the time is over', verb, args: claim({ until: NOW }) },
    {
      name: 'CLAIM under another challenge',
      reason: 'the challenge is not accepted',
      verb,
      args: claim({}, reader!.seed, true, stale),
    },
  ]
}

function badPuts(challenge: Uint8Array, server: Uint8Array, { address, writer, reader }: FriendMailbox): BadCommand[] {
  const to = { server, challenge }
  const copy = drawn('a copy', 4136)
  const put = (changes: { address?: Uint8Array; copy?: Uint8Array; expires?: number }): Uint8Array =>
    encode(wire.putArgs, { address, copy, expires: NOW + DAY, ...changes })
  const signedPut = (
    changes: Parameters<typeof put>[0],
    seed = writer.seed,
    ...rest: [Parameters<typeof signedArgs>[4]?]
  ): Uint8Array => signedArgs(VERB.put, put(changes), seed, to, ...rest)
  const other = peerIdOf(ed25519KeyPair(drawn('another server')).public)
  const stale = { server, challenge: drawn('no challenge of this server') }
  const knock = invite()
  const verb = VERB.put
  return [
    {
      name: 'PUT of 4137 bytes',
      reason: 'a copy has one of four sizes',
      verb,
      args: signedPut({ copy: drawn('a copy', 4137) }),
    },
    { name: 'PUT signed by R', reason: 'W signs', verb, args: signedPut({}, reader.seed) },
    {
      name: 'PUT signed for another server',
      reason: 'the server is signed',
      verb,
      args: signedPut({}, writer.seed, { for: other }),
    },
    {
      name: 'PUT signed as REQUEST',
      reason: 'the verb is signed',
      verb,
      args: signedPut({}, writer.seed, { signedAs: VERB.request }),
    },
    {
      name: 'PUT under another challenge',
      reason: 'the challenge is not accepted',
      verb,
      args: signedArgs(verb, put({}), writer.seed, stale),
    },
    { name: 'PUT that is over', reason: '`expires` has passed', verb, args: signedPut({ expires: NOW }) },
    {
      name: 'PUT at an address that nobody claimed',
      reason: 'unclaimed',
      verb,
      args: signedPut({ address: drawn('no address') }),
    },
    {
      name: 'PUT at an invite',
      reason: 'W of an invite signs REQUEST alone',
      verb,
      args: signedPut({ address: knock.address }, knock.writer.seed),
    },
  ]
}

function badReads(challenge: Uint8Array, server: Uint8Array, { address, writer }: FriendMailbox): BadCommand[] {
  const to = { server, challenge }
  const knock = invite()
  const entry = { address, after: 0 }
  const cids = [drawn('a cid')]
  const read = (...entries: (typeof entry)[]): Uint8Array => encode(wire.readArgs, { entries })
  const acknowledge = encode(wire.acknowledgeArgs, { address, cids })
  const covered = encode(wire.readSigned, { address: knock.address })
  const fetchCommand = wire.signedCommand(VERB.fetch, server, challenge, covered)
  const fetchSignature = sign(knock.reader.seed, 'command', fetchCommand)
  return [
    {
      name: 'FETCH of an invite without R',
      reason: 'R must sign',
      verb: VERB.fetch,
      args: read({ ...entry, address: knock.address }),
    },
    {
      name: 'SUBSCRIBE of an invite without R',
      reason: 'R must sign',
      verb: VERB.subscribe,
      args: read({ ...entry, address: knock.address }),
    },
    {
      name: 'STAT of an invite without R',
      reason: 'R must sign',
      verb: VERB.stat,
      args: encode(wire.statArgs, { address: knock.address, cids }),
    },
    {
      name: 'STAT of an invite with a challenge alone',
      reason: 'half of a signature is as none: the challenge is not looked at, and R must sign',
      verb: VERB.stat,
      args: encode(wire.statArgs, { address: knock.address, cids, challenge: drawn('no challenge of this server') }),
    },
    {
      name: 'FETCH of an invite with a signature and no challenge',
      reason: 'half of a signature is as none, and R must sign',
      verb: VERB.fetch,
      args: encode(wire.readArgs, { entries: [{ ...entry, address: knock.address, signature: fetchSignature }] }),
    },
    {
      name: 'FETCH under another challenge where nobody need sign',
      reason: 'a challenge that is there must be accepted',
      verb: VERB.fetch,
      args: encode(wire.readArgs, { entries: [entry], challenge: drawn('no challenge of this server') }),
    },
    {
      name: 'FETCH of one address twice',
      reason: 'an address stands once',
      verb: VERB.fetch,
      args: read(entry, entry),
    },
    {
      name: 'ACK signed by W',
      reason: 'R signs',
      verb: VERB.acknowledge,
      args: signedArgs(VERB.acknowledge, acknowledge, writer.seed, to),
    },
    {
      name: 'RELEASE signed by W',
      reason: 'R signs',
      verb: VERB.release,
      args: signedArgs(VERB.release, encode(wire.releaseArgs, { address }), writer.seed, to),
    },
  ]
}

function badRecords(challenge: Uint8Array): BadCommand[] {
  const key = identityRecordKey(ALICE.id)
  const bad = ALICE.prekeyRecord
  const subject = concat(key, sha256(bad))
  const nonce = mintClaimPostage(
    wire.claimPostageSubject(challenge, subject),
    CLAIM_BITS,
    drawn('nonce of a record', 8),
  ).step(2 ** 20)!
  const verb = VERB.record
  return [
    { name: 'RECORD without a key', reason: 'it must be there', verb, args: encode(wire.recordArgs, {}) },
    {
      name: 'RECORD that nobody handed in',
      reason: 'no such record',
      verb,
      args: encode(wire.recordArgs, { key: identityRecordKey(drawn('nobody')) }),
    },
    {
      name: 'RECORD handed in without postage',
      reason: 'no nonce',
      verb,
      args: encode(wire.recordArgs, { key, record: bad }),
    },
    {
      name: 'RECORD that does not fit its key',
      reason: 'the record is not valid there',
      verb,
      args: encode(wire.recordArgs, { key, record: bad, nonce, challenge }),
    },
  ]
}
