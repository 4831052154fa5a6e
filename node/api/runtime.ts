/**
 * How a process becomes a node: what the faces need beside the API of a running node. `node/index.ts` implements it;
 * the command line is handed one, so that its tests run on a node without disk or network.
 */
import type { ResolvedConfig } from '../config.ts'
import type { KithError } from '../errors.ts'
import type { NodeService } from './service.ts'

export type NodeRole = 'node' | 'relay'

/** What a node can say of itself once it listens. */
export interface NodeReady {
  role: NodeRole
  /** `kith1…`; a relay has none. */
  id?: string
  peerId: string
  /** Multiaddrs, `/p2p/…` included. */
  addresses: string[]
}

export interface OpenNodeOptions {
  /** Data directory. */
  home: string
  role: NodeRole
  /** Opens the vault; a relay has none. */
  passphrase?: string
  config: ResolvedConfig['values']
  /** `$CREDENTIALS_DIRECTORY`: where a relay's keys may lie. */
  credentialsDirectory?: string
  /** Opens the database only: no listening, no dialling. @default false */
  offline?: boolean
}

export interface RunningNode {
  readonly service: NodeService
  readonly ready: NodeReady
  /** For people: what of the configuration has no effect here. */
  readonly warnings?: readonly string[]
  /**
   * Resolves when nothing that can be sent now waits to be sent, or the time is over. A command that is the node for a
   * moment calls it before it stops.
   */
  settle?(timeoutMs: number): Promise<void>
  /** Resolves when the disk takes nothing any more, with why; the node goes on reading. */
  readonly failed?: Promise<KithError>
  /** Stops and releases the data directory. */
  stop(): Promise<void>
}

export interface HomeCheck {
  /** Stable: `home`, `disk`, `vault`, `database`, and what the faces add. */
  name: string
  /** `skipped` when it could not be looked at. */
  state: 'ok' | 'warning' | 'failed' | 'skipped'
  detail: string
  hint?: string
}

/** What became of a damaged database. */
export interface Repaired {
  /** Where the damaged one was copied. */
  copy: string
  /** Its files had to be put together anew: rows in files that could not be read are in neither count. */
  isRebuilt: boolean
  /** Rows by table. */
  kept: Record<string, number>
  lost: Record<string, number>
}

/** A home to be looked at, with what opens it. */
export interface HomeToExamine {
  home: string
  /** Without it a person's rows are not looked into. */
  passphrase?: string
  /** `$CREDENTIALS_DIRECTORY`: where a relay's keys may lie. */
  credentialsDirectory?: string
}

export interface NodeRuntime {
  /** Whose home it is, by its mark; undefined when it has none. */
  homeRole(home: string): Promise<NodeRole | undefined>
  /** Directory and disk of a home; may be asked while its node runs. */
  checkDirectory(home: string): Promise<HomeCheck[]>
  /** Vault and database of a home whose node does not run. @throws StoreError `HOME_IN_USE` */
  checkContents(options: HomeToExamine): Promise<HomeCheck[]>
  /** Saves what can be read of a damaged database; a copy is kept. @throws StoreError `HOME_IN_USE`, `STORE_FULL` */
  repair(options: HomeToExamine): Promise<Repaired>
  /** Whether the data directory holds a person's identity. */
  hasIdentity(home: string): Promise<boolean>
  /**
   * Creates identity and vault, and remembers relays and bootstrap addresses.
   * @returns the ID as text and the 24 words, separated by single spaces
   */
  createIdentity(options: {
    home: string
    name: string
    passphrase: string
    relays: string[]
    bootstrap: string[]
    /** The passphrase may be guessed cheaply: for homes that are thrown away. @default false */
    unsafeCheapVault?: boolean
  }): Promise<{ id: string; words: string }>
  /** @throws StoreError `HOME_IN_USE` when another process holds the directory, `WRONG_PASSPHRASE` */
  openNode(options: OpenNodeOptions): Promise<RunningNode>
  /** @throws StoreError `WRONG_PASSPHRASE` */
  changePassphrase(options: { home: string; old: string; new: string }): Promise<void>
}
