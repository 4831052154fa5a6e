/**
 * Reading what a mailbox server answers (PROTOCOL 6): statuses become results, and everything that the server signs is
 * checked against the key inside its peer ID and against what was asked.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { verify } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Label } from '../crypto/labels.ts'
import { PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import * as wire from '../wire/commands.ts'
import { peerIdPublicKey } from '../wire/peer-id.ts'
import { decode, type Shape } from '../wire/schema.ts'

/** The server said no, in one of the ways that the protocol knows. */
export type Refusal =
  | { status: 'full' | 'busy'; retryAfterSeconds: number }
  | { status: 'price' | 'unclaimed' | 'released' | 'refused' | 'unsupported' }

export interface SignedBytes {
  body: Uint8Array
  /** 64 bytes by the server's transport key. */
  signature: Uint8Array
}

export type ClaimResult = { status: 'claimed'; until: number } | Refusal

export type PutResult =
  /** `signed` is kept for an audit: with it a later `missing` is proof. */
  | { status: 'stored'; receipt: wire.PutReceipt; signed: SignedBytes }
  /** The reader has it already, and the server shows the reader's signature when `reader` was given to check it. */
  | { status: 'acknowledged'; signed: SignedBytes }
  | Refusal

export type CopyState = keyof typeof wire.COPY_STATE
export type StatResult =
  /** States in the order asked; `signed` are the server's answers, one or more. */
  { status: 'ok'; storeId: Uint8Array; time: number; states: CopyState[]; signed: SignedBytes[] } | Refusal

export interface MailItem {
  address: Uint8Array
  position: number
  copy: Uint8Array
}
export type ReadResult = { status: 'ok'; storeId: Uint8Array; items: MailItem[]; more: boolean } | Refusal

export type RecordResult =
  | {
      status: 'ok'
      record: Uint8Array
      receipt: { server: Uint8Array; key: Uint8Array; seq: number; hash: Uint8Array; time: number }
      signed: SignedBytes
    }
  | { status: 'absent' }
  | Refusal

const STATES = Object.keys(wire.COPY_STATE) as CopyState[]

/** What is signed inside an answer, its signature by `server` checked. */
export function openSigned<T>(
  server: Uint8Array,
  shape: Shape<T>,
  label: Label,
  answer: wire.Answer,
): { signed: SignedBytes; value: T } {
  const signed = readBody(wire.signedBody, answer)
  if (!verify(peerIdPublicKey(server), label, signed.body, signed.signature)) badSignature(label)
  return { signed, value: decode(shape, signed.body, signed.body.length) }
}

/** The policy inside a HELLO. */
export function readPolicy(server: Uint8Array, hello: wire.HelloAnswer): wire.Policy {
  if (!verify(peerIdPublicKey(server), 'policy', hello.policy, hello.signature)) badSignature('policy')
  const policy = decode(wire.policy, hello.policy, hello.policy.length)
  if (!equal(policy.server, server)) nonsense("policy is another server's")
  if (policy.version !== limits.PROTOCOL_VERSION) {
    throw new PeerError('VERSION', `expected version ${limits.PROTOCOL_VERSION}, got ${policy.version}`)
  }
  return policy
}

export function putResult(
  server: Uint8Array,
  answer: wire.Answer,
  asked: { address: Uint8Array; cid: Uint8Array; reader?: Uint8Array },
): PutResult {
  const { address, cid, reader } = asked
  if (answer.status === wire.STATUS.acknowledged) {
    const { signed, value } = readStat(server, answer, address, [cid])
    if (value.states[0] !== wire.COPY_STATE.acknowledged) nonsense('put answer calls the copy acknowledged and not')
    if (reader && !provenBy(reader, { server, address }, value.proofs)(cid, 'acknowledged')) unproven()
    return { status: 'acknowledged', signed }
  }
  const no = refusal(answer)
  if (no) return no
  const { signed, value } = openSigned(server, wire.putReceipt, 'putReceipt', answer)
  if (!equal(value.cid, cid) || !equal(value.address, address) || !equal(value.server, server)) {
    nonsense('receipt is for something else')
  }
  return { status: 'stored', receipt: value, signed }
}

export function readStat(
  server: Uint8Array,
  answer: wire.Answer,
  address: Uint8Array,
  cids: Uint8Array[],
): { signed: SignedBytes; value: wire.StatAnswer } {
  const stat = openSigned(server, wire.statAnswer, 'statAnswer', answer)
  const { value } = stat
  const same =
    equal(value.server, server) &&
    equal(value.address, address) &&
    value.states.length === cids.length &&
    value.cids.length === cids.length &&
    value.cids.every((cid, i) => equal(cid, cids[i]!))
  if (!same) nonsense('stat answer is for something else')
  return stat
}

export function copyState(state: number): CopyState {
  return STATES[state]!
}

/** Whether the reader's own signatures among `proofs` support what `server` says of a copy. */
export function provenBy(
  reader: Uint8Array,
  place: { server: Uint8Array; address: Uint8Array },
  proofs: Uint8Array[],
): (cid: Uint8Array, state: CopyState) => boolean {
  const acknowledged = new Set<string>()
  let released = false
  for (const encoded of proofs) {
    const { command, signature } = decode(wire.proof, encoded, encoded.length)
    if (!verify(reader, 'command', command, signature)) badSignature('proof')
    const { verb, server, args } = decode(wire.commandBytes, command, command.length)
    if (!equal(server, place.server)) continue
    if (verb === wire.VERB.release) {
      released ||= equal(decode(wire.releaseArgs, args, args.length).address, place.address)
    } else if (verb === wire.VERB.acknowledge) {
      const said = decode(wire.acknowledgeArgs, args, args.length)
      if (equal(said.address, place.address)) for (const cid of said.cids) acknowledged.add(toHex(cid))
    }
  }
  return (cid, state) => {
    if (state === 'acknowledged') return acknowledged.has(toHex(cid))
    return state !== 'released' || released
  }
}

export function recordResult(server: Uint8Array, answer: wire.Answer, key: Uint8Array): RecordResult {
  if (answer.status === wire.STATUS.absent) return { status: 'absent' }
  const no = refusal(answer)
  if (no) return no
  const { record, receipt: body, signature } = readBody(wire.recordAnswer, answer)
  if (!verify(peerIdPublicKey(server), 'recordReceipt', body, signature)) badSignature('record receipt')
  const receipt = decode(wire.recordReceipt, body, body.length)
  if (!equal(receipt.server, server) || !equal(receipt.key, key) || !equal(receipt.hash, sha256(record))) {
    nonsense('record receipt is for something else')
  }
  return { status: 'ok', record, receipt, signed: { body, signature } }
}

/** Undefined when the answer is good. */
export function refusal({ status, retryAfter = 60 }: wire.Answer): Refusal | undefined {
  const { STATUS } = wire
  switch (status) {
    case STATUS.ok:
      return undefined
    case STATUS.full:
      return { status: 'full', retryAfterSeconds: retryAfter }
    case STATUS.busy:
      return { status: 'busy', retryAfterSeconds: retryAfter }
    case STATUS.price:
      return { status: 'price' }
    case STATUS.unclaimed:
      return { status: 'unclaimed' }
    case STATUS.released:
      return { status: 'released' }
    case STATUS.refused:
      return { status: 'refused' }
    case STATUS.unsupported:
      return { status: 'unsupported' }
    default:
      return nonsense(`unexpected status ${status}`)
  }
}

/** The body of a good answer. @throws PeerError `MALFORMED` */
export function readBody<T>(shape: Shape<T>, answer: wire.Answer): T {
  return decode(shape, answer.body, limits.MAX_FRAME_BYTES)
}

export function readResult(answer: wire.Answer, asked: ReadonlySet<string>): ReadResult {
  const { storeId, items, more } = readBody(wire.readAnswer, answer)
  // A subscription that was just taken back may still deliver; mail for what was never asked is dropped with it.
  const wanted = items.filter(({ address }) => asked.has(toHex(address)))
  return { status: 'ok', storeId, items: wanted, more: more === 1 }
}

/** @throws PeerError `NONSENSE` */
export function nonsense(what: string): never {
  throw new PeerError('NONSENSE', what)
}

function badSignature(what: string): never {
  throw new PeerError('BAD_SIGNATURE', `signature of the ${what} does not fit`)
}

/** @throws PeerError `UNPROVEN` */
export function unproven(): never {
  throw new PeerError('UNPROVEN', "server shows no reader's signature")
}
