/**
 * The one table of domain-separation labels. Every hash, MAC, signature and key derivation of Kith starts from one of
 * these, and no two uses share one. On the wire a label is the UTF-8 of `kith/1/<name>` (PROTOCOL, notation).
 */
import { utf8 } from './bytes.ts'

const NAMES = {
  // identity (PROTOCOL 1)
  root: 'root',
  next: 'next',
  inception: 'inception',
  id: 'id',
  keyEvent: 'key-event',
  // records (PROTOCOL 2)
  identityRecord: 'identity-record',
  prekeyRecord: 'prekey-record',
  dhtIdentity: 'dht',
  dhtPrekey: 'pk',
  recordReceipt: 'record-receipt',
  rendezvousKeys: 'rv-keys',
  rendezvousRecord: 'rv-record',
  // mailboxes (PROTOCOL 3)
  mailbox: 'mbx',
  mailboxKeys: 'mailbox-keys',
  reachKeys: 'reach-keys',
  tagKey: 'tag-key',
  copy: 'copy',
  inviteSeal: 'invite-seal',
  openBox: 'open-box',
  boxFill: 'box-fill',
  // envelope (PROTOCOL 4, 5)
  envelope: 'env',
  message: 'mid',
  conversation: 'conversation',
  bucket: 'bucket',
  // mailbox protocol (PROTOCOL 6)
  command: 'cmd',
  policy: 'policy',
  putReceipt: 'put-receipt',
  statAnswer: 'stat-answer',
  postage: 'postage',
  claimPostage: 'claim-postage',
  // handshake (PROTOCOL 7)
  request: 'req',
  requestK1: 'req/k1',
  requestK2: 'req/k2',
  accept: 'acc',
  session: 'session',
  sessionKeys: 'session/keys',
  replay: 'replay',
  // ratchet (PROTOCOL 8)
  ratchetRoot: 'rk',
  messageKey: 'mk',
  pqChains: 'pq/chains',
  pqRoot: 'pq/root',
  pqMac: 'pq/mac',
  // at rest (PROTOCOL 9)
  vaultSlot: 'vault-slot',
  vaultCommit: 'vault-commit',
  storeIndex: 'k/idx',
  storeRecord: 'k/rec',
  row: 'rec',
} as const

export type Label = keyof typeof NAMES

const encoded = Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, utf8(`kith/1/${name}`)])) as Record<
  Label,
  Uint8Array
>

/** `L(x)` of the protocol document. The bytes are shared: do not write to them. */
export function L(label: Label): Uint8Array {
  return encoded[label]
}

/** Every label with its text, for the document's table and the test that no text is used twice. */
export function allLabels(): [Label, string][] {
  return Object.entries(NAMES).map(([key, name]) => [key as Label, `kith/1/${name}`])
}
