import { expect } from 'chai'
import { concat, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import type { CustodyInit } from '../../../node/custody/custody.ts'
import { PeerError } from '../../../node/errors.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { prekeyRecord, signed } from '../../../node/wire/records.ts'
import { DAY, HOUR, member, seedKeys, testMailbox, testServer } from '../../support/custody-fixtures.ts'

const now = 1_800_000_000

function key(name: string): Uint8Array {
  return concat(utf8('/kith-pk/'), sha256(utf8(name)))
}

/** A record of the right form; whether it is valid is the rules' matter. */
function record(seq: number, expires = now + 10 * DAY): Uint8Array {
  const body = encode(prekeyRecord, {
    version: 1,
    id: new Uint8Array(32),
    device: typeKey('ed25519', seedKeys('device').public),
    seq,
    issued: seq,
    expires,
    prekey: typeKey('x25519', new Uint8Array(32)),
    kem: typeKey('mlKem768', new Uint8Array(1184)),
  })
  return encode(signed, { body, signature: new Uint8Array(64) })
}

const seqOf = (bytes: Uint8Array): number => decode(prekeyRecord, decode(signed, bytes, 4096).body, 4096).seq

const rules: Partial<CustodyInit> = {
  validateRecord(_, value) {
    if (seqOf(value) === 13) throw new PeerError('BAD_SIGNATURE', 'not valid')
  },
  compareRecords: (_, a, b) => seqOf(a) - seqOf(b),
}

async function listed(records: AsyncIterable<{ key: Uint8Array; value: Uint8Array }>) {
  const all: { key: Uint8Array; value: Uint8Array }[] = []
  for await (const entry of records) all.push(entry)
  return all
}

describe('mailbox server: RECORD', () => {
  it('keeps a record, gives it with a receipt of now, and lists it for the DHT', async () => {
    const server = await testServer({ custody: rules })
    const client = server.client()
    expect(await client.getRecord(key('a'))).to.deep.equal({ status: 'absent' })
    expect((await client.putRecord({ key: key('a'), record: record(5) })).status).to.equal('ok')
    await server.clock.advance(HOUR * 1000)
    const got = await client.getRecord(key('a'))
    if (got.status !== 'ok') throw new Error(got.status)
    expect(got.record).to.deep.equal(record(5))
    expect(got.receipt).to.deep.equal({
      server: server.peerId,
      key: key('a'),
      seq: 5,
      hash: sha256(record(5)),
      time: server.now(),
    })
    expect(await listed(server.custody.recordsToRepublish())).to.deep.equal([{ key: key('a'), value: record(5) }])
    const again = await server.restart()
    expect(again.custody.counters().records).to.equal(1)
    expect((await again.client().getRecord(key('a'))).status).to.equal('ok')
  })

  it('never goes back to a lower record and answers with the higher one', async () => {
    const server = await testServer({ custody: rules })
    const client = server.client()
    await client.putRecord({ key: key('a'), record: record(5) })
    const older = await client.putRecord({ key: key('a'), record: record(4) })
    expect(older).to.have.nested.property('receipt.seq', 5)
    const newer = await client.putRecord({ key: key('a'), record: record(6) })
    expect(newer).to.have.nested.property('receipt.seq', 6)
    expect(server.custody.counters().records).to.equal(1)
  })

  it('refuses what the rules refuse, what is expired and what is no record', async () => {
    const server = await testServer({ custody: rules })
    const client = server.client()
    expect((await client.putRecord({ key: key('a'), record: record(13) })).status).to.equal('refused')
    expect((await client.putRecord({ key: key('a'), record: record(5, now - DAY) })).status).to.equal('refused')
    expect((await client.putRecord({ key: key('a'), record: utf8('garbage') })).status).to.equal('refused')
    const elsewhere = concat(utf8('/kith-xx/'), new Uint8Array(32))
    expect((await client.putRecord({ key: elsewhere, record: record(5) })).status).to.equal('refused')
    expect(server.custody.counters().records).to.equal(0)
  })

  it('lets records go when they expire', async () => {
    const server = await testServer({ custody: rules })
    const client = server.client()
    await client.putRecord({ key: key('a'), record: record(5, now + DAY) })
    await client.putRecord({ key: key('b'), record: record(5, now + 3 * DAY) })
    await server.clock.advance((DAY + 2 * HOUR) * 1000)
    expect((await client.getRecord(key('a'))).status).to.equal('absent')
    expect(server.custody.counters().records).to.equal(1)
    expect(await listed(server.custody.recordsToRepublish())).to.have.length(1)
  })

  it('holds a bounded number, and still replaces what it holds', async () => {
    const server = await testServer({ custody: { ...rules, limits: { maxRecords: 2 } } })
    const client = server.client()
    await client.putRecord({ key: key('a'), record: record(5) })
    await client.putRecord({ key: key('b'), record: record(5) })
    expect((await client.putRecord({ key: key('c'), record: record(5) })).status).to.equal('full')
    expect(await client.putRecord({ key: key('a'), record: record(6) })).to.have.nested.property('receipt.seq', 6)
  })

  it('lets the source that handed in most give way to others when it is full, what would end first before the rest', async () => {
    const server = await testServer({ custody: { ...rules, limits: { maxRecords: 5 } } })
    const put = async (name: string, prefix: string, days = 10) =>
      (await server.client(prefix).putRecord({ key: key(name), record: record(5, now + days * DAY) })).status
    for (let i = 0; i < 4; i++) expect(await put(`flood ${i}`, 'flood', 20 - i)).to.equal('ok')
    expect(await put('honest', 'home', 1)).to.equal('ok')
    expect(await put('flood 4', 'flood'), 'nobody holds more').to.equal('full')
    expect(await put('newcomer', 'elsewhere', 1)).to.equal('ok')
    expect(await put('newcomer 2', 'elsewhere', 1)).to.equal('ok')
    expect(await put('newcomer 3', 'elsewhere', 1), 'by then it would hold most').to.equal('full')
    expect(server.custody.counters().records).to.equal(5)
    const names = ['flood 0', 'flood 1', 'honest', 'newcomer', 'newcomer 2'].map(key)
    const kept = (await listed(server.custody.recordsToRepublish())).map((entry) => entry.key)
    expect(kept).to.have.deep.members(names)
    expect(await put('honest', 'flood', 1), 'what is held stays with its source').to.equal('ok')
  })

  it('forgets sources at a restart: what was there counts as one', async () => {
    const before = await testServer({ custody: { ...rules, limits: { maxRecords: 3 } } })
    for (const name of ['a', 'b', 'c']) await before.client(name).putRecord({ key: key(name), record: record(5) })
    expect((await before.client('d').putRecord({ key: key('d'), record: record(5) })).status).to.equal('full')
    const server = await before.restart()
    expect((await server.client('d').putRecord({ key: key('d'), record: record(5) })).status).to.equal('ok')
    expect(server.custody.counters().records).to.equal(3)
    expect((await server.restart()).custody.counters().records).to.equal(3)
  })

  it('counts right when two hand in the same key at once', async () => {
    const server = await testServer({ custody: rules })
    const clients = [server.client(), server.client(), server.client()]
    await Promise.all(clients.map((client, i) => client.putRecord({ key: key('a'), record: record(5 + i) })))
    expect(server.custody.counters().records).to.equal(1)
    expect(await clients[0]!.getRecord(key('a'))).to.have.nested.property('receipt.seq', 7)
  })

  it("is not served, and nobody else claims, at a person's node", async () => {
    const server = await testServer({ custody: { ...rules, openToAll: false } })
    const client = server.client()
    expect((await client.getRecord(key('a'))).status).to.equal('unsupported')
    expect((await client.putRecord({ key: key('a'), record: record(5) })).status).to.equal('unsupported')
    expect((await member(server, testMailbox('a')).claim()).status).to.equal('refused')
  })
})
