/**
 * The mailbox server (PROTOCOL 6), run by a relay for everybody and by each node for its own mailboxes. This file puts
 * the parts together, opens streams and sweeps by the hour; it knows no peer, and keeps no source on the disk.
 */
import type { Clock, LinkServer, LinkSource, Logger, Random, Store, Timer } from '../ports.ts'
import { Ledger } from './ledger.ts'
import { Mailboxes } from './mailboxes.ts'
import { Operator, type OperatorLimits, type OperatorSettings } from './operator.ts'
import { type Rate, RateLimit } from './rates.ts'
import { RequestSlots } from './request-slots.ts'
import { type RecordRules, ServedRecords } from './served-records.ts'
import { type PolicyOptions, ServerKeys } from './server-keys.ts'
import { ServerStream } from './stream.ts'
import { sweep } from './sweep.ts'
import { type Asker, Verbs } from './verbs.ts'
import { Watchers } from './watchers.ts'

const SWEEP_MS = 3_600_000
const FIRST_SWEEP_MS = 60_000

export interface CustodyLimits {
  /** Mailboxes; when there are more, those that were never used give way. */
  maxClaims: number
  /** Disk for mailboxes, in bytes; a third of it is for mailboxes whose readers acknowledge. */
  maxBytes: number
  /** DHT records, at most 4096 bytes each; when there are more, those of the source that handed in most give way. */
  maxRecords: number
  /** Boxes whose legs' sources are remembered. */
  maxKnownBoxes: number
  /** Addresses that all streams together are subscribed to. */
  maxSubscriptions: number
  /** Frames of one source prefix, and of all. */
  frames: Rate
  allFrames: Rate
  /** CLAIM, REQUEST and RECORD handed in, of one source prefix and of all. */
  dear: Rate
  allDear: Rate
}

/** For a small machine of one operator. */
export const CUSTODY_LIMITS: CustodyLimits = {
  maxClaims: 50_000,
  maxBytes: 4 * 1024 ** 3,
  maxRecords: 10_000,
  maxKnownBoxes: 4096,
  maxSubscriptions: 250_000,
  frames: { burst: 8000, perSecond: 200 },
  allFrames: { burst: 40_000, perSecond: 4000 },
  // A node with 500 friends claims two mailboxes for each of them when it comes to a new relay.
  dear: { burst: 1200, perSecond: 0.5 },
  allDear: { burst: 6000, perSecond: 10 },
}

export interface CustodyInit extends RecordRules {
  store: Store
  clock: Clock
  random: Random
  logger: Logger
  /** Multihash bytes of the own peer ID, and the 32-byte Ed25519 seed of that transport key. */
  peerId: Uint8Array
  signingSeed: Uint8Array
  /** Whether others may claim mailboxes and use RECORD: true at a relay, false at a person's node. */
  openToAll: boolean
  /** The disk may be an older one or a copy: what was signed for on it counts for nothing. @default false */
  isRestored?: boolean
  policy?: PolicyOptions
  limits?: Partial<CustodyLimits>
}

export interface CustodyCounters {
  claims: number
  copies: number
  /** As reckoned on the disk. */
  bytes: number
  records: number
  /** Mailboxes that somebody uses: neither given up nor never used. */
  used: number
  /** Mailboxes in which mail lies. */
  holding: number
}

/** What the operator laid down, and the limits that hold by it. */
export interface CustodySettings extends Required<OperatorLimits> {
  /** Seconds since 1970 from which on nothing new is taken. */
  drain: number | undefined
  banned: readonly string[]
}

export interface Custody {
  /** 16 bytes. */
  readonly storeId: Uint8Array
  /** A stream of somebody else; undefined for a source that is banned. */
  accept(source: LinkSource): LinkServer | undefined
  /** A stream of this node itself: no rates, no postage, and it may always claim. */
  acceptLocal(): LinkServer
  counters(): CustodyCounters
  settings(): CustodySettings
  /**
   * Changes what the operator lays down, for good; it holds at once, also for streams that are open.
   * @throws UsageError `TOO_MANY`; StoreError, and then nothing changed
   */
  change(change: (settings: Readonly<OperatorSettings>) => OperatorSettings): Promise<void>
  /** Records of those who use this server, for the DHT, until they expire. */
  recordsToRepublish(): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>
  /** Takes away now what has expired; runs by itself every hour. */
  sweep(): Promise<void>
  /** Closes every stream and the timer; the store stays open. */
  stop(): void
}

/** Opens the server on what lies in the store. @throws StoreError */
export async function createCustody(init: CustodyInit): Promise<Custody> {
  const { store, clock, random, logger, peerId, signingSeed, openToAll } = init
  const limits = { ...CUSTODY_LIMITS, ...init.limits }
  const { policy = {}, isRestored = false } = init
  const keys = await ServerKeys.open({ store, random, peerId, seed: signingSeed, policy, isRestored })
  const configured = { ...keys.policy, maxClaims: limits.maxClaims, maxBytes: limits.maxBytes }
  const operator = await Operator.open(store)
  const ledger = new Ledger(store, clock, limits)
  const records = new ServedRecords(store, init, limits.maxRecords)
  await ledger.load()
  await records.load()

  const mailboxes = new Mailboxes(ledger, () => keys.policy.maxDays)
  const watchers = new Watchers(limits.maxSubscriptions)
  mailboxes.onArrival = (address) => watchers.arrived(address)
  const slots = new RequestSlots(ledger, mailboxes, random, limits.maxKnownBoxes)
  const dearRate = new RateLimit(clock, limits.dear, limits.allDear)
  const frameRate = new RateLimit(clock, limits.frames, limits.allFrames)
  const verbs = new Verbs({ keys, ledger, mailboxes, slots, records, dearRate, openToAll })

  const apply = (): void => {
    const { drain, maxDays, claimBits, maxClaims, maxBytes } = { ...configured, ...operator.settings }
    ledger.setCaps({ maxClaims, maxBytes })
    keys.setPolicy({ drain, maxDays, claimBits })
  }
  apply()

  const streams = new Set<ServerStream>()
  const open = (asker: Asker): LinkServer => {
    const onClose = (closed: ServerStream): void => void streams.delete(closed)
    const stream = new ServerStream({ asker, keys, mailboxes, verbs, watchers, frameRate, logger, onClose })
    if (stopped) stream.close()
    else streams.add(stream)
    return stream
  }

  const sweepAll = async (): Promise<void> => {
    await sweep(ledger)
    await records.sweep(ledger.now())
  }
  let stopped = false
  let timer: Timer
  const sweepAgain = (): void => {
    sweepAll()
      .catch((error: unknown) => logger.warn('mailbox server: sweep failed', { error: String(error) }))
      .finally(() => {
        if (!stopped) timer = clock.after(SWEEP_MS, sweepAgain)
      })
  }
  timer = clock.after(FIRST_SWEEP_MS, sweepAgain)

  return {
    storeId: keys.storeId,
    accept: ({ prefix }) => (operator.isBanned(prefix) ? undefined : open({ source: prefix, local: false })),
    acceptLocal: () => open({ source: '', local: true }),
    counters: () => ({ ...ledger.totals(), records: records.count }),
    settings() {
      const { drain, maxDays, claimBits } = keys.policy
      return { ...ledger.caps, drain, maxDays, claimBits, banned: operator.settings.banned }
    },
    async change(change) {
      await operator.change(change)
      apply()
      for (const stream of streams) if (operator.isBanned(stream.source)) stream.close()
    },
    recordsToRepublish: () => records.all(ledger.now()),
    sweep: sweepAll,
    stop() {
      stopped = true
      timer.cancel()
      for (const stream of streams) stream.close()
    },
  }
}
