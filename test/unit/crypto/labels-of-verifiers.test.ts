/**
 * T8, the side of the verifiers: each place that checks a signature takes it under its own label and under no other one of
 * all labels, with the right key and the very bytes that it expects.
 */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair, sign } from '../../../node/crypto/ed25519.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { allLabels, type Label } from '../../../node/crypto/labels.ts'
import { provenBy, readPolicy, recordResult } from '../../../node/delivery/mailbox-answers.ts'
import { encodeProof, verifyProof } from '../../../node/delivery/relay-proof.ts'
import { KithError } from '../../../node/errors.ts'
import { identityRecordKey } from '../../../node/identity/record-keys.ts'
import { readIdentityRecord, readPrekeyRecord } from '../../../node/identity/records.ts'
import { checkRendezvous, createRendezvous, rendezvousKeys } from '../../../node/identity/rendezvous.ts'
import { createKeyEvent, rootKeyPair } from '../../../node/identity/root.ts'
import * as wire from '../../../node/wire/commands.ts'
import { peerIdOf } from '../../../node/wire/peer-id.ts'
import { signed } from '../../../node/wire/records.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { NOW, seededRandom, testPerson } from '../../support/identity-fixtures.ts'

const LABELS = allLabels().map(([label]) => label)
const random = seededRandom(8)
const person = testPerson(1)
const server = ed25519KeyPair(random.bytes(32))
const peerId = peerIdOf(server.public)
const [address, cid, storeId] = [random.bytes(32), random.bytes(32), random.bytes(16)]

/** The same body, signed anew by a key of the test's under any label. */
function signedAgain(bytes: Uint8Array, seed: Uint8Array, label: Label): Uint8Array {
  const { body } = decode(signed, bytes, 4096)
  return encode(signed, { body, signature: sign(seed, label, body) })
}

function byServer(body: Uint8Array, label: Label): Uint8Array {
  return encode(wire.signedBody, { body, signature: sign(server.seed, label, body) })
}

const receipt = encode(wire.putReceipt, {
  server: peerId,
  cid,
  address,
  storeId,
  stored: 3600,
  expires: 900_000,
  room: 5,
})
const missing = encode(wire.statAnswer, {
  server: peerId,
  address,
  storeId,
  time: 10_000,
  cids: [cid],
  states: [wire.COPY_STATE.missing],
  proofs: [],
})
const policy = encode(wire.policy, {
  version: 1,
  server: peerId,
  issued: 600,
  maxCopies: 1024,
  maxBytes: 2 ** 24,
  maxDays: 90,
  bucketBits: 2,
  claimBits: 18,
  contact: '',
  forwardKey: concat(Uint8Array.of(1), random.bytes(32)),
})
const record = person.record().bytes
const recordKey = identityRecordKey(person.id)
const recordReceipt = encode(wire.recordReceipt, {
  server: peerId,
  key: recordKey,
  seq: NOW,
  hash: sha256(record),
  time: NOW,
})
const rendezvous = rendezvousKeys(random.bytes(32), 5)
const rendezvousRecord = createRendezvous(rendezvous, { seq: NOW, nonce: random.bytes(24), place: { relays: [] } })
const reader = ed25519KeyPair(random.bytes(32))
const acknowledge = wire.signedCommand(
  wire.VERB.acknowledge,
  peerId,
  cid,
  encode(wire.acknowledgeArgs, { address, cids: [cid] }),
)

/** Every check of a signature in `node/`, by the label that it takes: what it says to one made under another. */
const VERIFIERS: Partial<Record<Label, (made: Label) => unknown>> = {
  identityRecord: (made) => readIdentityRecord(signedAgain(record, rootKeyPair(person.entropy, 0).seed, made)),
  keyEvent(made) {
    const event = signedAgain(createKeyEvent(person.entropy, []), rootKeyPair(person.entropy, 1).seed, made)
    return readIdentityRecord(person.record({ events: [event] }).bytes)
  },
  prekeyRecord: (made) => readPrekeyRecord(signedAgain(person.prekey().bytes, person.device.signing, made)),
  rendezvousRecord(made) {
    const body = rendezvousRecord.subarray(0, -64)
    return checkRendezvous(rendezvous.recordKey, concat(body, sign(rendezvous.signing.seed, made, body)))
  },
  policy: (made) =>
    readPolicy(peerId, { policy, signature: sign(server.seed, made, policy), storeId, time: NOW, challenge: cid }),
  putReceipt: (made) => verifyProof(encodeProof(byServer(receipt, made), byServer(missing, 'statAnswer'))),
  statAnswer: (made) => verifyProof(encodeProof(byServer(receipt, 'putReceipt'), byServer(missing, made))),
  recordReceipt(made) {
    const signature = sign(server.seed, made, recordReceipt)
    const body = encode(wire.recordAnswer, { record, receipt: recordReceipt, signature })
    return recordResult(peerId, { status: wire.STATUS.ok, body }, recordKey)
  },
  command(made) {
    const proof = encode(wire.proof, { command: acknowledge, signature: sign(reader.seed, made, acknowledge) })
    return provenBy(reader.public, { server: peerId, address }, [proof])(cid, 'acknowledged')
  },
}

describe('T8 verifiers and labels', () => {
  for (const [label, verifier] of Object.entries(VERIFIERS)) {
    it(`T8 ${label} is taken under its own label alone`, () => {
      const taken = LABELS.filter((made) => {
        try {
          verifier(made)
          return true
        } catch (error) {
          if (error instanceof KithError) return false
          throw error
        }
      })
      expect(taken).to.deep.equal([label])
    })
  }

  it('T8 names every label that the document calls a signature', () => {
    const document = readFileSync(join(import.meta.dirname, '../../../docs/PROTOCOL.md'), 'utf8')
    const labels = [...document.matchAll(/^\| `(\w+)` +\| `kith\/1\/[^`]+` +\| signature/gm)].map(([, name]) => name)
    expect(Object.keys(VERIFIERS).toSorted()).to.deep.equal(labels.toSorted())
  })
})
