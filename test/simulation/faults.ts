/** Which faults a simulated world has, and how often each of them struck. */

/** Rates are probabilities from 0 to 1; times are milliseconds, from and to. */
export interface FaultRates {
  /** One way of every message. @default [5, 60] */
  delayMs: readonly [number, number]
  /** A gossip hop or a question to a DHT holder that gets lost. @default 0 */
  dropRate: number
  /** A gossip hop that arrives twice, the second time past the network's own memory. @default 0 */
  duplicateRate: number
  /** A frame or dial that breaks its link: this frame and what follows is lost, both ends learn it within 30 s. @default 0 */
  breakRate: number
  /** A call of Store or Network in which the node crashes; it comes back by itself. @default 0 */
  crashRate: number
  /** How long it stays away then. @default [100, 60000] */
  restartMs: readonly [number, number]
  /** From the call of a write until it is on the disk. @default [1, 5] */
  syncMs: readonly [number, number]
}

export const NO_FAULTS: FaultRates = {
  delayMs: [5, 60],
  dropRate: 0,
  duplicateRate: 0,
  breakRate: 0,
  crashRate: 0,
  restartMs: [100, 60_000],
  syncMs: [1, 5],
}

/** What happened so far, so that a test can see that its faults did strike. */
export interface FaultCounts {
  /** Gossip hops and DHT questions lost. */
  dropped: number
  duplicated: number
  /** Links broken by a lost frame, a partition or a crash. */
  broken: number
  /** Dials, frames and hops that a partition or an absent node swallowed. */
  unreachable: number
  crashed: number
  /** Batches not acknowledged at a crash: kept on the disk, and lost. */
  batchesKept: number
  batchesLost: number
  /** Writes refused by a full or failing disk. */
  writesFailed: number
  /** Old or no answers of a lying DHT holder. */
  lies: number
  /** Gossip envelopes that a node rejected. */
  rejected: number
}

export function noFaultsYet(): FaultCounts {
  return {
    dropped: 0,
    duplicated: 0,
    broken: 0,
    unreachable: 0,
    crashed: 0,
    batchesKept: 0,
    batchesLost: 0,
    writesFailed: 0,
    lies: 0,
    rejected: 0,
  }
}
