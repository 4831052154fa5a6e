/*
 * storage.json: a vault with a slot for a passphrase and one for the words, and a row.
 */
import { expect } from 'chai'
import { cut } from './bytes.ts'
import { vault } from './maps.ts'
import * as storage from './vault.ts'
import { everythingRead, type Node, vectorFile } from './vectors.ts'

const file = vectorFile('storage')
const c = file.named('vault')
const row = file.named('row')

const passphraseOf = (node: Node): string => node.at('passphrase').text('text')

describe('interop: storage', () => {
  it('a vault opens by its passphrase and by the words', () => {
    const slots = storage.readVault(c.bytes('file'))
    c.expect('file', vault.encode({ version: 1, slots }))
    c.expect('passphraseBytes', storage.passphraseBytes(passphraseOf(c)))
    for (const [i, slot] of slots.entries()) {
      const byWords = slot.kind === storage.SLOT.words
      const key = byWords ? storage.wordsKey(slot, c.bytes('entropy')) : storage.passphraseKey(slot, passphraseOf(c))
      const shown = c.at('slots').at(i)
      shown.expectAll({
        kind: slot.kind,
        salt: slot.salt,
        key,
        head: storage.slotHead(slot),
        nonce: cut(slot.sealed, 0, 24),
        sealed: storage.sealMaster(slot, key, shown.bytes('nonce'), c.bytes('masterKey')),
        commitment: storage.commitmentOf(slot, key),
      })
      shown.expect('sealed', slot.sealed)
      c.expect('masterKey', storage.openSlot(slot, key))
    }
    c.expect('argon2id', { ...slots[0]?.cost, length: 32 })
  })

  it('a row', () => {
    const [index, record] = [storage.indexKey(row.bytes('masterKey')), storage.recordKey(row.bytes('masterKey'))]
    const key = storage.rowKey(index, row.number('table'), row.bytes('scope'), row.bytes('position'))
    row.expectAll({
      indexKey: index,
      recordKey: record,
      key,
      value: storage.sealRow(record, key, row.bytes('row'), row.bytes('nonce')),
      row: storage.openRow(record, key, row.bytes('value')),
    })
    row.at('blinded').expect('bytes', storage.blinded(index, row.at('blinded').bytes('of')))
    row.expect('masterKey', c.bytes('masterKey'))
  })

  const openVault = (node: Node): void => {
    const slots = storage.readVault(node.bytes('file'))
    const words = node.maybe('entropy') !== undefined
    const slot = storage.slotOf(slots, words ? storage.SLOT.words : storage.SLOT.passphrase)
    const key = words ? storage.wordsKey(slot, node.bytes('entropy')) : storage.passphraseKey(slot, passphraseOf(node))
    storage.openSlot(slot, key)
  }

  for (const node of file.refused)
    it(`refuses ${node.name}`, () => {
      if (node.name.startsWith('vault')) return node.refuses(() => openVault(node))
      node.refuses(() => storage.openRow(row.bytes('recordKey'), node.bytes('key'), node.bytes('value')))
      expect(node.name).to.match(/^row/)
    })

  it('looked at what a refused case holds besides', () => {
    for (const node of file.refused) {
      node.maybe('file')?.raw()
      node.maybe('passphrase')?.raw()
    }
  })

  everythingRead(file)
})
