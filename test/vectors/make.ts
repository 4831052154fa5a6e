/**
 * Makes test/vectors/kith/*.json from the code: `node test/vectors/make.ts` writes them anew. A second implementation reads them
 * beside docs/PROTOCOL.md; `kith.test.ts` compares them with what the code makes today.
 */
import { readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { envelopeVectors } from './makers/envelope.ts'
import { handshakeVectors } from './makers/handshake.ts'
import { identityVectors } from './makers/identity.ts'
import { mailboxProtocolVectors } from './makers/mailbox-protocol.ts'
import { inviteVectors, mailboxVectors } from './makers/mailboxes.ts'
import { cborVectors, notationVectors } from './makers/notation.ts'
import { ratchetVectors } from './makers/ratchet.ts'
import { recordVectors } from './makers/records.ts'
import { rendezvousVectors } from './makers/rendezvous.ts'
import { storageVectors } from './makers/storage.ts'
import { rendered, type VectorFile } from './makers/vector-file.ts'

export const VECTORS_FOLDER = join(import.meta.dirname, 'kith')

/** By the name of the file. */
export const MAKERS: Record<string, () => VectorFile | Promise<VectorFile>> = {
  notation: notationVectors,
  cbor: cborVectors,
  identity: identityVectors,
  records: recordVectors,
  mailboxes: mailboxVectors,
  invite: inviteVectors,
  handshake: handshakeVectors,
  ratchet: ratchetVectors,
  envelope: envelopeVectors,
  'mailbox-protocol': mailboxProtocolVectors,
  rendezvous: rendezvousVectors,
  storage: storageVectors,
}

if (import.meta.main) {
  const only = process.argv.slice(2)
  if (only.length === 0) for (const file of readdirSync(VECTORS_FOLDER)) unlinkSync(join(VECTORS_FOLDER, file))
  for (const [name, make] of Object.entries(MAKERS)) {
    if (only.length === 0 || only.includes(name))
      writeFileSync(join(VECTORS_FOLDER, `${name}.json`), rendered(await make()))
  }
}
