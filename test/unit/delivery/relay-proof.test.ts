/** Proofs against relays: what a third party believes, and what it must not. */
import { expect } from 'chai'
import { sign } from '../../../node/crypto/ed25519.ts'
import { toHex } from '../../../node/crypto/bytes.ts'
import { encodeProof, verifyProof } from '../../../node/delivery/relay-proof.ts'
import { type RowChange, TABLE } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { encode } from '../../../node/wire/schema.ts'
import { DAY, HOUR, member, seedKeys, testCid, testMailbox, testServer } from '../../support/custody-fixtures.ts'
import { rejection } from '../../support/rejection.ts'

type Server = Awaited<ReturnType<typeof testServer>>

async function setUp() {
  const server = await testServer()
  const mailbox = testMailbox('a')
  const alice = member(server, mailbox)
  await alice.claim()
  return { server, mailbox, alice }
}

async function receiptOf(alice: ReturnType<typeof member>, name: string): Promise<Uint8Array> {
  const put = await alice.put(name)
  if (put.status !== 'stored') throw new Error(put.status)
  return encode(wire.signedBody, put.signed)
}

async function answerAbout(alice: ReturnType<typeof member>, ...names: string[]): Promise<Uint8Array> {
  const said = await alice.stat(...names)
  if (said.status !== 'ok') throw new Error(said.status)
  return encode(wire.signedBody, said.signed[0]!)
}

/** What a relay does that takes mail, signs for it and throws it away. */
async function drop({ store }: Server, address: Uint8Array): Promise<void> {
  const changes: RowChange[] = []
  for (const table of [TABLE.copy, TABLE.tombstone]) {
    for (const { position } of await store.list({ table, scope: address })) {
      changes.push({ key: { table, scope: address, position }, value: undefined })
    }
  }
  await store.write(changes)
}

async function codeOf(proof: Uint8Array): Promise<string> {
  return ((await rejection((async () => verifyProof(proof))())) as { code: string }).code
}

describe('proofs against relays', () => {
  it('T33 a relay that signed and has it no more is proven bad by its own two signatures', async () => {
    const { server, mailbox, alice } = await setUp()
    const receipt = await receiptOf(alice, 'one')
    await alice.put('two')
    await drop(server, mailbox.address)
    await server.clock.advance(2 * HOUR * 1000)
    const proof = encodeProof(receipt, await answerAbout(alice, 'two', 'one'))
    const proven = verifyProof(proof)
    expect(toHex(proven.server)).to.equal(toHex(server.peerId))
    expect(toHex(proven.cid)).to.equal(toHex(testCid('one')))
    expect(proven.missing).to.be.greaterThan(proven.stored)
    // no bit of it may be changed
    for (let i = 0; i < proof.length; i += 7) {
      const changed = proof.slice()
      changed[i]! ^= 1
      expect(await codeOf(changed), `byte ${i}`).to.be.oneOf(['MALFORMED', 'BAD_SIGNATURE', 'UNPROVEN', 'BAD_KEY'])
    }
    expect(await codeOf(proof.subarray(0, -1))).to.equal('MALFORMED')
  })

  it('T33 an answer from before the copy was stored proves nothing', async () => {
    const { alice, server } = await setUp()
    const early = await answerAbout(alice, 'one')
    await server.clock.advance(60_000)
    const receipt = await receiptOf(alice, 'one')
    // both lie in one hour, which is all that the receipt tells
    expect(await codeOf(encodeProof(receipt, early))).to.equal('UNPROVEN')
  })

  it('T33 what is held, acknowledged, released or expired proves nothing', async () => {
    const { alice, server } = await setUp()
    const receipt = await receiptOf(alice, 'one')
    await server.clock.advance(2 * HOUR * 1000)
    expect(await codeOf(encodeProof(receipt, await answerAbout(alice, 'one')))).to.equal('UNPROVEN')
    await alice.acknowledge('one')
    expect(await codeOf(encodeProof(receipt, await answerAbout(alice, 'one')))).to.equal('UNPROVEN')
    expect(await codeOf(encodeProof(receipt, await answerAbout(alice, 'two')))).to.equal('UNPROVEN')
    await alice.release()
    expect(await codeOf(encodeProof(receipt, await answerAbout(alice, 'one')))).to.equal('UNPROVEN')
    await server.clock.advance(40 * DAY * 1000)
    expect(await codeOf(encodeProof(receipt, await answerAbout(alice, 'one')))).to.equal('UNPROVEN')
  })

  it('T33 another store, another mailbox and another signer prove nothing', async () => {
    const { alice, server, mailbox } = await setUp()
    const receipt = await receiptOf(alice, 'one')
    await drop(server, mailbox.address)
    await server.clock.advance(2 * HOUR * 1000)
    const other = member(server, testMailbox('b'))
    await other.claim()
    expect(await codeOf(encodeProof(receipt, await answerAbout(other, 'one')))).to.equal('UNPROVEN')
    const restored = await server.restart({ isRestored: true })
    const again = member(restored, mailbox)
    expect(toHex(restored.custody.storeId)).to.not.equal(toHex(server.custody.storeId))
    expect(await codeOf(encodeProof(receipt, await answerAbout(again, 'one')))).to.equal('UNPROVEN')
    const forged = await forge(server, mailbox.address, receipt)
    expect(await codeOf(forged)).to.equal('BAD_SIGNATURE')
  })

  it('a relay keeps its store ID over a restart, and has another one after it was put back', async () => {
    const { server } = await setUp()
    const same = await server.restart()
    expect(toHex(same.custody.storeId)).to.equal(toHex(server.custody.storeId))
    const restored = await same.restart({ isRestored: true })
    expect(toHex(restored.custody.storeId)).to.not.equal(toHex(server.custody.storeId))
    // and keeps that one
    const later = await restored.restart({ isRestored: false })
    expect(toHex(later.custody.storeId)).to.equal(toHex(restored.custody.storeId))
  })
})

/** The true receipt with an answer that somebody else signed. */
async function forge(server: Server, address: Uint8Array, receipt: Uint8Array): Promise<Uint8Array> {
  const body = encode(wire.statAnswer, {
    server: server.peerId,
    address,
    storeId: server.custody.storeId,
    time: server.now(),
    cids: [testCid('one')],
    states: [wire.COPY_STATE.missing],
    proofs: [],
  })
  const signature = sign(seedKeys('mallory').seed, 'statAnswer', body)
  return encodeProof(receipt, encode(wire.signedBody, { body, signature }))
}
