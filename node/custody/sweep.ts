/** What has expired leaves (PROTOCOL 6): copies, tombstones and proofs by their hour, then claims and records. */
import { equal, toHex, u32 } from '../crypto/bytes.ts'
import { type Row, type RowChange, TABLE } from '../ports.ts'
import type { Ledger } from './ledger.ts'
import { removal } from './mailboxes.ts'
import {
  type Claim,
  EXPIRY,
  expiryRow,
  HOUR_SECONDS,
  NO_SCOPE,
  pages,
  proofKey,
  readRow,
  type Slip,
  slipRow,
} from './rows.ts'

/** Takes away everything whose time is over. @throws StoreError; what was done until then stays done */
export async function sweep(ledger: Ledger): Promise<void> {
  const to = u32(Math.floor(ledger.now() / HOUR_SECONDS) + 1)
  for await (const rows of pages(ledger.store, { table: TABLE.tombstone, scope: NO_SCOPE, to })) {
    const byAddress = Map.groupBy(rows, (row) => toHex(readRow(expiryRow, row.value).address))
    for (const due of byAddress.values()) await sweepMailbox(ledger, due)
  }
  for await (const claims of ledger.claims()) {
    for (const { address, until } of claims) if (until <= ledger.now()) await sweepClaim(ledger, address)
  }
}

async function sweepMailbox(ledger: Ledger, due: Row[]): Promise<void> {
  const { store } = ledger
  const { address } = readRow(expiryRow, due[0]!.value)
  await ledger.alone(address, async () => {
    const claim = await ledger.find(address)
    const after: Claim | undefined = claim && { ...claim }
    const changes: RowChange[] = []
    for (const { position, value } of due) {
      const { item, type } = readRow(expiryRow, value)
      changes.push({ key: { table: TABLE.tombstone, scope: NO_SCOPE, position }, value: undefined })
      if (type === EXPIRY.proof) changes.push({ key: proofKey(address, item), value: undefined })
      else if (after) changes.push(...(await slipRemoval(ledger, after, item)))
    }
    if (claim && after) await ledger.commit(claim, after, changes)
    else await store.write(changes)
  })
}

async function slipRemoval(ledger: Ledger, claim: Claim, item: Uint8Array): Promise<RowChange[]> {
  const key = { table: TABLE.tombstone, scope: claim.address, position: item }
  const value = await ledger.store.get(key)
  if (!value) return []
  const slip: Slip = readRow(slipRow, value)
  // A slip of the same place that lives longer has its own row in a later hour.
  return slip.expires <= ledger.now() ? removal(ledger, claim, slip) : []
}

async function sweepClaim(ledger: Ledger, address: Uint8Array): Promise<void> {
  await ledger.alone(address, async () => {
    const claim = await ledger.find(address)
    if (!claim || !equal(claim.address, address) || claim.until > ledger.now()) return
    // Every use carries a claim past the end of what it holds; should copies be left, they go first.
    if (claim.copies + claim.tombstones === 0) await ledger.commit(claim, undefined)
  })
}
