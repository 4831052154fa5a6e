/**
 * Makes a node of a home directory: opens the database, joins the real ports, and starts a person's node or a relay.
 * Implements what the faces need of a process (`api/runtime.ts`).
 */
import { readFile } from 'node:fs/promises'
import writeFileAtomic from 'write-file-atomic'
import type { HomeToExamine, NodeRuntime, OpenNodeOptions, RunningNode } from './api/runtime.ts'
import { type Config, setConfigValue } from './config.ts'
import { utf8 } from './crypto/bytes.ts'
import { createSelf } from './friendship/self.ts'
import { NetworkError } from './errors.ts'
import { wordsOf } from './identity/phrase.ts'
import { idToText } from './identity/root.ts'
import { createLogger, openLogFile } from './logger.ts'
import { createLibp2pNetwork, type Libp2pNetwork } from './network/libp2p-network.ts'
import { KithNode } from './node.ts'
import { type Ports, type RowKey, type Store, TABLE } from './ports.ts'
import { KithRelay } from './relay.ts'
import { checkContents, checkDirectory, type KeySource, roleOf } from './store/examine.ts'
import { readPrivateFile } from './store/private-file.ts'
import { repairHome } from './store/repair.ts'
import { createHome, type OpenedHome, openHome } from './store/home.ts'
import { storeProblems } from './store/problems.ts'
import { hasIdentity, homePaths } from './store/home-directory.ts'
import { changePassphrase, CHEAPEST_COST } from './store/vault.ts'
import { systemClock, systemRandom } from './system.ts'
import { peerIdText } from './wire/peer-id.ts'
import { bytes, decode, encode, struct, uint } from './wire/schema.ts'

const ENTROPY_BYTES = 32
/** A person's peer ID is replaced after this time; a relay's stays, since people write it down (PROTOCOL 1). */
const PEER_ID_DAYS = 30
const TRANSPORT: RowKey = { table: TABLE.meta, scope: utf8('transport'), position: new Uint8Array(0) }
const transportRow = struct({ seed: [1, bytes(32)], created: [2, uint()] })

export const runtime: NodeRuntime = {
  hasIdentity,

  async createIdentity({ home, name, passphrase, relays, bootstrap, unsafeCheapVault = false }) {
    const entropy = systemRandom.bytes(ENTROPY_BYTES)
    const now = Math.floor(systemClock.now() / 1000)
    const { id, tx } = createSelf({ entropy, name, random: systemRandom, now })
    await createHome({
      path: home,
      passphrase,
      entropy,
      random: systemRandom,
      ...(unsafeCheapVault && { cost: CHEAPEST_COST }),
      populate: async (store) => await store.write(tx.changes),
    })
    await rememberConfig(home, { relays, bootstrap })
    return { id: idToText(id), words: wordsOf(entropy).join(' ') }
  },

  openNode,

  async homeRole(home) {
    const marked = await readPrivateFile(homePaths(home).role, 16, 0o022)
    return marked && roleOf(Buffer.from(marked).toString('latin1'))
  },

  checkDirectory,

  async checkContents(options) {
    return await checkContents(options.home, await keySource(options))
  },

  async repair(options) {
    return await repairHome(options.home, await keySource(options), systemRandom, systemClock.now())
  },

  async changePassphrase({ home, old, new: passphrase }) {
    const path = homePaths(home).vault
    await changePassphrase({ path, unlock: { passphrase: old }, passphrase, random: systemRandom })
  },
}

async function keySource({ home, passphrase, credentialsDirectory }: HomeToExamine): Promise<KeySource> {
  if ((await runtime.homeRole(home)) === 'relay') return { role: 'relay', credentialsDirectory, random: systemRandom }
  return { role: 'node', unlock: passphrase === undefined ? undefined : { passphrase } }
}

async function openNode(options: OpenNodeOptions): Promise<RunningNode> {
  const { home, role, config } = options
  const opened = await openHome(
    role === 'relay'
      ? { path: home, role, random: systemRandom, credentialsDirectory: options.credentialsDirectory }
      : { path: home, role, random: systemRandom, unlock: { passphrase: options.passphrase ?? '' } },
  )
  const log = openLogFile(opened.paths.log)
  const release = async (): Promise<void> => {
    await opened.store.close()
    log.close()
  }
  try {
    const logger = createLogger({ level: config.logLevel, sink: log })
    const seed = await transportSeed(opened.store, role)
    const network = openNetwork(options, seed, opened.store, logger)
    const ports: Ports = { clock: systemClock, random: systemRandom, store: opened.store, network, logger }
    const node =
      role === 'relay' ? await openRelay(ports, seed, config, opened) : await openPerson(ports, seed, config, opened)
    for (const { code, message } of (await node.status()).problems) logger.warn(message, { code })
    if (!options.offline) {
      await startOrStop(node)
      if (config.listen.length > 0 && network.addresses().length === 0) {
        await node.stop()
        throw cannotListen(config.listen)
      }
    }
    return {
      service: node,
      ready: {
        role,
        ...(node instanceof KithNode && { id: node.id }),
        peerId: peerIdText(network.peerId),
        addresses: options.offline ? [] : network.addresses(),
      },
      warnings: options.offline ? [] : unannounced(config, network.addresses()),
      failed: opened.store.failed,
      settle: async (timeoutMs) => {
        if (node instanceof KithNode) await node.settle(timeoutMs)
      },
      stop: async () => {
        await node.stop()
        await release()
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

function openNetwork(
  { config, role }: OpenNodeOptions,
  seed: Uint8Array,
  store: Store,
  logger: ReturnType<typeof createLogger>,
): Libp2pNetwork {
  return createLibp2pNetwork({
    privateKeySeed: seed,
    listen: config.listen,
    announce: config.announce,
    // a relay is also a way into the network
    bootstrap: [...new Set([...config.bootstrap, ...config.relays])],
    network: config.network,
    role,
    store,
    logger,
    componentLogger: logger,
  })
}

function cannotListen(addresses: readonly string[]): NetworkError {
  return new NetworkError('CANNOT_LISTEN', `cannot listen on ${addresses.join(', ')}`, {
    hint: 'another process may hold the port, or this machine may not have the address',
  })
}

/** Addresses that were to be announced and are told to nobody. */
function unannounced({ announce, network }: Config, told: readonly string[]): string[] {
  return announce
    .filter((address) => !told.some((known) => known === address || known.startsWith(`${address}/p2p/`)))
    .map((address) => {
      const why = network === 'public' ? 'it is no address of the internet, and network is public' : 'it does not read'
      return `announce: ${address} is told to nobody: ${why}`
    })
}

async function startOrStop(node: KithNode | KithRelay): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    await node.stop()
    throw error
  }
}

async function openPerson(
  ports: Ports,
  signingSeed: Uint8Array,
  config: Config,
  { store, isChanged, acceptChange }: OpenedHome,
): Promise<KithNode> {
  const node = await KithNode.open(ports, {
    relays: config.relays,
    profile: config.profile,
    direct: config.direct,
    trust: config.trust,
    requests: config.requests,
    signingSeed,
    isHomeChanged: isChanged,
    problems: () => storeProblems(store),
  })
  // the sessions that are held are on the disk: from now on this home is the one that kith left
  if (isChanged) await acceptChange()
  return node
}

async function openRelay(
  ports: Ports,
  signingSeed: Uint8Array,
  config: Config,
  { store, isChanged, acceptChange }: OpenedHome,
): Promise<KithRelay> {
  const relay = await KithRelay.open(ports, {
    signingSeed,
    isRestored: isChanged,
    problems: () => storeProblems(store),
    policy: { maxDays: config.relayMaxDays, claimBits: config.relayClaimBits, contact: config.relayContact },
    limits: { maxClaims: config.relayMaxClaims, maxBytes: config.relayMaxBytes },
  })
  // the new store ID is on the disk
  if (isChanged) await acceptChange()
  return relay
}

async function transportSeed(store: Store, role: 'node' | 'relay'): Promise<Uint8Array> {
  const now = Math.floor(systemClock.now() / 1000)
  const row = await store.get(TRANSPORT)
  const known = row && decode(transportRow, row, 64)
  if (known && (role === 'relay' || now - known.created < PEER_ID_DAYS * 86_400)) return known.seed
  const seed = systemRandom.bytes(32)
  await store.write([{ key: TRANSPORT, value: encode(transportRow, { seed, created: now }) }])
  return seed
}

async function rememberConfig(home: string, values: Pick<Config, 'relays' | 'bootstrap'>): Promise<void> {
  const path = homePaths(home).config
  let text = await readFile(path, 'utf8').catch(() => '')
  for (const key of ['relays', 'bootstrap'] as const) {
    if (values[key].length > 0) text = setConfigValue(text, key, values[key])
  }
  if (text !== '') await writeFileAtomic(path, text, { mode: 0o600 })
}
