/**
 * A relay and two friends who have just met, as real processes. They meet once for a whole run of tests; each test gets
 * a copy of their homes, so it begins where friends begin and spoils nobody else's.
 */
import { rmSync } from 'node:fs'
import { cp, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entropyOf } from '../../node/identity/phrase.ts'
import { openHome } from '../../node/store/home.ts'
import { systemRandom } from '../../node/system.ts'
import { KithNodes, type KithProcess } from './kith-process.ts'

export interface Friends {
  nodes: KithNodes
  relay: KithProcess
  alice: KithProcess
  bob: KithProcess
  /** Their IDs as text. */
  ids: { alice: string; bob: string }
  /** Cursor of the last event of each home: what has a higher one is of the test. */
  cursors: { alice: number; bob: number }
}

interface Met {
  directory: string
  listen: string
  ids: Friends['ids']
  cursors: Friends['cursors']
  words: { alice: string; bob: string }
}

let met: Promise<Met> | undefined

/** Copies of the friends' homes in an empty directory; nobody runs yet. Each calls the other by the first name. */
export async function befriended(directory: string): Promise<Friends> {
  met ??= meet()
  const { directory: from, listen, ids, cursors, words } = await met
  const nodes = new KithNodes(directory)
  const relay = nodes.node('relay', 'relay')
  const alice = nodes.node('alice', 'up')
  const bob = nodes.node('bob', 'up')
  relay.listen = listen
  for (const { name } of [relay, alice, bob]) await cp(join(from, name), join(directory, name), { recursive: true })
  for (const { name, passphraseFile } of [alice, bob]) await writeFile(passphraseFile, passphraseOf(name))
  await Promise.all([vouchFor(alice, words.alice), vouchFor(bob, words.bob)])
  return { nodes, relay, alice, bob, ids, cursors }
}

/** Says that this copy of a home is the only one. */
async function vouchFor({ home: path }: KithProcess, words: string): Promise<void> {
  const unlock = { entropy: entropyOf(words) }
  const { store, acceptChange } = await openHome({ path, role: 'node', unlock, random: systemRandom })
  await acceptChange()
  await store.close()
}

/** Copies of the friends' homes, and all three run. */
export async function friendsOnline(directory: string): Promise<Friends> {
  const friends = await befriended(directory)
  await friends.relay.start()
  await Promise.all([friends.alice.start(), friends.bob.start()])
  return friends
}

async function meet(): Promise<Met> {
  const directory = await mkdtemp(join(tmpdir(), 'kith-friends-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const nodes = new KithNodes(directory)
  const relay = nodes.node('relay', 'relay')
  const alice = nodes.node('alice', 'up')
  const bob = nodes.node('bob', 'up')
  try {
    await relay.start()
    const [[a], [b]] = await Promise.all([
      alice.ask('init', '--name', 'Alice', '--relay', relay.address),
      bob.ask('init', '--name', 'Bob', '--relay', relay.address),
    ])
    const ids = { alice: String(a!.id), bob: String(b!.id) }
    await Promise.all([alice.start(), bob.start()])
    await befriend(bob, alice, ids.bob)
    const [first, second] = await Promise.all([alice.log(), bob.log()])
    const cursors = { alice: Number(first.at(-1)!.cursor), bob: Number(second.at(-1)!.cursor) }
    const words = { alice: String(a!.words), bob: String(b!.words) }
    return { directory, listen: relay.listen!, ids, cursors, words }
  } finally {
    await nodes.stopAll()
  }
}

/** One knocks with an invite of the other, who accepts; resolves when both are friends and nothing is on its way. */
export async function befriend(asking: KithProcess, asked: KithProcess, askingId: string): Promise<void> {
  const { invite } = await asked.call('invite.create', {})
  await asking.call('friend.add', { target: invite })
  await asked.waitFor((event) => event.event === 'request' && event.id === askingId)
  await asked.call('request.accept', { who: askingId })
  await Promise.all([asking, asked].map((node) => node.waitFor((event) => event.event === 'friend')))
}

function passphraseOf(name: string): string {
  return `passphrase of ${name}\n`
}
