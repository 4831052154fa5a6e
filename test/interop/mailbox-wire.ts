/*
 * Section 6 on the wire: frames, what a signed command covers, postage of commands, and the checks of a client on what a
 * server answers.
 */
import { concat, cut, L, leadingZeroBits, must, readUint, same, u32 } from './bytes.ts'
import { checkSignature, keyOfPeerId } from './keys.ts'
import { cidOf } from './mailbox.ts'
import * as maps from './mailbox-maps.ts'
import { type Status, STATUSES, VERB } from './mailbox-maps.ts'
import { H } from './primitives.ts'
import { readRecord } from './records.ts'

const FRAME_MOST = 393_220

/** A frame of either direction. */
interface Frame {
  call: number
  message: Uint8Array
}

/** Reads one frame; a length that there is not ends the stream. */
export function readFrame(bytes: Uint8Array): Frame {
  const length = readUint(bytes, 0, 4)
  must(length >= 4 && length <= FRAME_MOST, 'a length from 4 to 393,220')
  must(bytes.length === 4 + length, 'the bytes that follow')
  return { call: readUint(bytes, 4, 4), message: cut(bytes, 8, bytes.length) }
}

/** Writes one frame. */
export function writeFrame({ call, message }: Frame): Uint8Array {
  return concat(u32(message.length + 4), u32(call), message)
}

/** The arguments that a signed verb's signature covers, from those that travel. */
export function coveredArgs(verb: number, args: Uint8Array): Uint8Array {
  if (verb === VERB.put) {
    const { address, copy, expires } = maps.putArgs.decode(args)
    return maps.putSigned.encode({ address, cid: cidOf(copy), expires })
  }
  if (verb !== VERB.request) return args
  const { address, leg, expires } = maps.requestArgs.decode(args)
  return maps.putSigned.encode({ address, cid: cidOf(leg), expires })
}

/** `commandBytes`, encoded: what is signed under `L("cmd")`. */
export function commandOf(verb: number, server: Uint8Array, challenge: Uint8Array, covered: Uint8Array): Uint8Array {
  return maps.commandBytes.encode({ verb, server, challenge, args: covered })
}

/** Hash of the postage of a command. */
export function postageOf(challenge: Uint8Array, subject: Uint8Array, nonce: Uint8Array): Uint8Array {
  return H(L('claim-postage'), challenge, subject, nonce)
}

/** Whether postage pays a number of bits. */
export function pays(challenge: Uint8Array, subject: Uint8Array, nonce: Uint8Array, bits: number): boolean {
  return leadingZeroBits(postageOf(challenge, subject, nonce)) >= bits
}

const COMMON: Status[] = ['ok', 'malformed', 'unsupported', 'busy']
const POSSIBLE: Record<number, Status[]> = {
  [VERB.hello]: COMMON,
  [VERB.claim]: [...COMMON, 'refused', 'full', 'challenge', 'price', 'released'],
  [VERB.put]: [...COMMON, 'full', 'challenge', 'unclaimed', 'refused', 'released', 'acknowledged'],
  [VERB.stat]: [...COMMON, 'challenge', 'refused'],
  [VERB.fetch]: [...COMMON, 'challenge', 'refused', 'full'],
  [VERB.subscribe]: [...COMMON, 'challenge', 'refused', 'full'],
  [VERB.pull]: COMMON,
  [VERB.acknowledge]: [...COMMON, 'challenge', 'unclaimed', 'refused', 'released'],
  [VERB.release]: [...COMMON, 'challenge', 'unclaimed', 'refused'],
  [VERB.request]: [...COMMON, 'full', 'challenge', 'price', 'unclaimed', 'refused', 'released'],
  [VERB.record]: [...COMMON, 'price', 'full', 'challenge', 'refused', 'absent'],
  [VERB.forward]: ['unsupported'],
  [VERB.publish]: ['unsupported'],
}

/** What a client believes of an answer. */
interface Believed {
  status: Status
  body: Uint8Array
  /** What the body says, where it is signed by the server. */
  value?: Record<string, unknown>
  signedBytes?: Uint8Array
  signature?: Uint8Array
}

/** What a client knows when an answer comes. */
export interface Asked {
  server: Uint8Array
  verb: number
  args: Uint8Array
  /** R of the address, raw, for proofs. */
  reader?: Uint8Array
}

function checkProof(asked: Asked, encoded: Uint8Array, address: Uint8Array, state: number, cid: Uint8Array): boolean {
  const { command, signature } = maps.proof.decode(encoded)
  must(asked.reader !== undefined, 'R of the address')
  checkSignature(asked.reader, 'cmd', command, signature)
  const { verb, server, args } = maps.commandBytes.decode(command)
  must(same(server, asked.server), 'the server in a proof')
  if (verb === VERB.release) return state === 3 && same(maps.releaseArgs.decode(args).address, address)
  must(verb === VERB.acknowledge, 'a proof is an ACK or a RELEASE')
  const listed = maps.acknowledgeArgs.decode(args)
  return state === 2 && same(listed.address, address) && listed.cids.some((one) => same(one, cid))
}

function readStat(asked: Asked, body: Uint8Array, address: Uint8Array, cids: Uint8Array[]): Believed['value'] {
  const value = maps.statAnswer.decode(body)
  must(same(value.server, asked.server) && same(value.address, address), 'server and address')
  must(same(concat(...value.cids), concat(...cids)) && value.states.length === cids.length, 'the cids that were asked')
  for (const [i, cid] of cids.entries()) {
    const state = value.states[i] ?? 0
    const proven = value.proofs.some((one) => checkProof(asked, one, address, state, cid))
    must(state < 2 || proven, 'a proof of what is called acknowledged or released')
  }
  return value
}

function readSigned(asked: Asked, status: Status, body: Uint8Array): Omit<Believed, 'status' | 'body'> {
  const key = keyOfPeerId(asked.server)
  const { body: signedBytes, signature } = maps.signedBody.decode(body)
  if (asked.verb === VERB.stat) {
    checkSignature(key, 'stat-answer', signedBytes, signature)
    const { address, cids } = maps.statArgs.decode(asked.args)
    return { signedBytes, signature, value: readStat(asked, signedBytes, address, cids) }
  }
  const { address, copy } = maps.putArgs.decode(maps.signedArgs.decode(asked.args).args)
  if (status === 'acknowledged') {
    checkSignature(key, 'stat-answer', signedBytes, signature)
    return { signedBytes, signature, value: readStat(asked, signedBytes, address, [cidOf(copy)]) }
  }
  checkSignature(key, 'put-receipt', signedBytes, signature)
  const value = maps.putReceipt.decode(signedBytes)
  must(same(concat(value.server, value.address, value.cid), concat(asked.server, address, cidOf(copy))), 'what was put')
  return { signedBytes, signature, value }
}

function readHello(asked: Asked, body: Uint8Array): Omit<Believed, 'status' | 'body'> {
  const { policy, ...rest } = maps.helloAnswer.decode(body)
  checkSignature(keyOfPeerId(asked.server), 'policy', policy, rest.signature)
  const read = maps.policy.decode(policy)
  must(read.version === 1 && same(read.server, asked.server), 'whose policy this is')
  return { signedBytes: policy, value: { ...rest, policy: read } }
}

function readRecordAnswer(asked: Asked, body: Uint8Array): Omit<Believed, 'status' | 'body'> {
  const { record, receipt, signature } = maps.recordAnswer.decode(body)
  checkSignature(keyOfPeerId(asked.server), 'record-receipt', receipt, signature)
  const value = maps.recordReceipt.decode(receipt)
  const { key } = maps.recordArgs.decode(asked.args)
  must(key !== undefined && same(value.key, key) && same(value.server, asked.server), 'server and key')
  const { head } = readRecord(key, record)
  must(same(value.hash, head.hash) && value.seq === head.seq, 'the record of the receipt')
  return { signedBytes: receipt, signature, value }
}

/** Reads the answer to a command; what fails any check is no answer. */
export function believe(asked: Asked, message: Uint8Array): Believed {
  const { status: code, body } = maps.answer.decode(message)
  const status = STATUSES[code]
  must(status !== undefined && (POSSIBLE[asked.verb] ?? COMMON).includes(status), 'a status that the verb can have')
  if (status !== 'ok' && status !== 'acknowledged') {
    must(body.length === 0, 'a refusal has no body')
    return { status, body }
  }
  const { verb } = asked
  if (verb === VERB.hello) return { status, body, ...readHello(asked, body) }
  if (verb === VERB.put || verb === VERB.stat) return { status, body, ...readSigned(asked, status, body) }
  if (verb === VERB.record) return { status, body, ...readRecordAnswer(asked, body) }
  if (verb === VERB.claim) maps.claimAnswer.decode(body)
  else if (verb === VERB.request) maps.requestAnswer.decode(body)
  else if (verb === VERB.fetch || verb === VERB.pull || verb === VERB.subscribe) {
    const { items } = maps.readAnswer.decode(body)
    must(verb !== VERB.subscribe || items.length === 0, 'no items')
  } else must(body.length === 0, 'an empty body')
  return { status, body }
}
