/*
 * Section 9: the vault with its slots, and rows of the store.
 */
import { argon2Sync } from 'node:crypto'
import { byteAt, concat, cut, L, must, readUint, same, u32, u8, utf8, zeros } from './bytes.ts'
import { type Slot, vault } from './maps.ts'
import { HKDF, HMAC, none, open, seal } from './primitives.ts'

/** Kinds of slots. */
export const SLOT = { passphrase: 1, words: 2 } as const

const KIB = 1024

/** Head of a slot: kind, cost and salt. */
export function slotHead(slot: Slot): Uint8Array {
  const { KiB, passes, lanes } = slot.cost ?? { KiB: 0, passes: 0, lanes: 0 }
  return concat(u8(slot.kind), u32(KiB), u8(passes), u8(lanes), slot.salt)
}

/** Bytes of a passphrase. */
export function passphraseBytes(passphrase: string): Uint8Array {
  return utf8(passphrase.normalize('NFKC'))
}

/** Key of the slot for a passphrase. */
export function passphraseKey(slot: Slot, passphrase: string): Uint8Array {
  must(slot.cost !== undefined, 'the passphrase slot has a cost')
  return new Uint8Array(
    argon2Sync('argon2id', {
      message: passphraseBytes(passphrase),
      nonce: slot.salt,
      parallelism: slot.cost.lanes,
      tagLength: 32,
      memory: slot.cost.KiB,
      passes: slot.cost.passes,
    }),
  )
}

/** Key of the slot for the words. */
export function wordsKey(slot: Slot, entropy: Uint8Array): Uint8Array {
  return HKDF(slot.salt, entropy, concat(L('vault-slot'), u8(SLOT.words)), 32)
}

/** Master key, sealed for a slot. */
export function sealMaster(slot: Slot, key: Uint8Array, nonce: Uint8Array, masterKey: Uint8Array): Uint8Array {
  return seal(key, nonce, masterKey, concat(L('vault-slot'), slotHead(slot)))
}

/** Commitment of a slot to its key. */
export function commitmentOf(slot: Slot, key: Uint8Array): Uint8Array {
  return HMAC(key, L('vault-commit'), slotHead(slot), slot.sealed)
}

/** Reads the file of a vault: one or two slots of different kinds, costs within their bounds. */
export function readVault(file: Uint8Array): Slot[] {
  const { version, slots } = vault.decode(file)
  must(version === 1, 'the version is 1')
  must(new Set(slots.map((slot) => slot.kind)).size === slots.length, 'one of a kind')
  for (const { kind, cost } of slots) {
    must(kind === SLOT.passphrase || kind === SLOT.words, 'there are two kinds')
    must((cost !== undefined) === (kind === SLOT.passphrase), 'the passphrase slot has a cost, alone')
    if (cost === undefined) continue
    must(cost.KiB >= 19 * KIB && cost.KiB <= 512 * KIB, '19 to 512 MiB')
    must(cost.passes >= 1 && cost.passes <= 10 && cost.lanes >= 1 && cost.lanes <= 8, 'passes and lanes')
  }
  return slots
}

/** Master key in a slot; the commitment is checked first. */
export function openSlot(slot: Slot, key: Uint8Array): Uint8Array {
  must(same(commitmentOf(slot, key), slot.commitment), 'the commitment does not fit')
  return open(key, slot.sealed, concat(L('vault-slot'), slotHead(slot)))
}

/** The slot of a kind. */
export function slotOf(slots: Slot[], kind: number): Slot {
  const slot = slots.find((one) => one.kind === kind)
  must(slot !== undefined, 'a slot of this kind')
  return slot
}

/** Key that blinds rows. */
export const indexKey = (masterKey: Uint8Array): Uint8Array => HKDF(none, masterKey, L('k/idx'), 32)
/** Key that encrypts rows. */
export const recordKey = (masterKey: Uint8Array): Uint8Array => HKDF(none, masterKey, concat(L('k/rec'), u32(0)), 32)

/** Key of a row. */
export function rowKey(index: Uint8Array, table: number, scope: Uint8Array, position: Uint8Array): Uint8Array {
  return concat(u8(table), cut(HMAC(index, u8(table), scope), 0, 16), position)
}

/** Value of a row. */
export function sealRow(record: Uint8Array, key: Uint8Array, row: Uint8Array, nonce: Uint8Array): Uint8Array {
  return concat(u8(1), u32(0), seal(record, nonce, row, concat(L('rec'), key)))
}

/** What a row holds. */
export function openRow(record: Uint8Array, key: Uint8Array, value: Uint8Array): Uint8Array {
  must(value.length >= 45 && byteAt(value, 0) === 1 && readUint(value, 1, 4) === 0, 'version 1, key epoch 0')
  return open(record, cut(value, 5, value.length), concat(L('rec'), key))
}

/** Blinded name in a position. */
export function blinded(index: Uint8Array, bytes: Uint8Array): Uint8Array {
  return cut(HMAC(index, zeros(1), bytes), 0, 8)
}
