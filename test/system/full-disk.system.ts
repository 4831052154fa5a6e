/** A home on a file system that fills up: what cannot be written is refused in clear words, and nothing is lost. */
import { execFileSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { befriended, type Friends } from '../support/befriended.ts'
import type { Json } from '../support/kith-process.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { mayMount, titled } from './machine.ts'

const possible = mayMount()

describe(titled('a full disk', possible, 'root and mount'), function () {
  this.timeout(120_000)
  let friends: Friends | undefined
  let mounted: string | undefined
  before(function () {
    if (!possible) this.skip()
  })
  after(async () => {
    await friends?.nodes.stopAll()
    if (mounted !== undefined) execFileSync('umount', [mounted])
  })
  const temporaryDirectory = temporaryDirectories()

  it('refuses a message that it cannot keep, and loses none that it took', async () => {
    const directory = await temporaryDirectory()
    const home = join(directory, 'alice')
    await mkdir(home, { mode: 0o700 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=700', 'tmpfs', home])
    mounted = home
    friends = await befriended(directory)
    const { alice, bob, relay, ids } = friends
    await relay.start()
    await Promise.all([alice.start(), bob.start()])
    const taken: unknown[] = []
    const first = await alice.ask('send', 'Bob', 'while there is space', '--wait', 'custody')
    taken.push(first[0]!.messageId)

    const filler = join(home, 'filler')
    fill(filler)
    let refused: Awaited<ReturnType<typeof alice.run>> | undefined
    for (let i = 0; i < 20 && refused === undefined; i++) {
      const result = await alice.run('send', 'Bob', `onto a full disk ${i}`)
      if (result.status === 0) taken.push(result.output[0]!.messageId)
      else refused = result
    }
    expect(refused?.status, 'a full disk refuses').to.equal(1)
    expect(refused!.output[0]).to.have.nested.property('error.code', 'STORE_FULL')
    expect(refused!.stderr).to.match(/^kith: no space left on the disk\nhint: .+\n$/)
    const { messageId: toAlice } = await bob.call('message.send', { who: 'Alice', text: 'to who cannot keep it' })
    await bob.call('message.wait', { messageId: toAlice, state: 'custody', timeoutSeconds: 30 })
    const { messages } = await alice.call('history.list', { who: 'Bob' })
    expect(
      messages.map(({ messageId }) => messageId),
      'what is there can still be read',
    ).to.include.members(taken)
    await alice.stop()
    const onFull = await alice.run('history', 'Bob')
    if (onFull.status !== 0) expect(onFull.output[0]).to.have.nested.property('error.code', 'STORE_FULL')

    await rm(filler)
    await alice.start()
    const after = await alice.ask('send', 'Bob', 'after there is space again')
    taken.push(after[0]!.messageId)
    await alice.logged(isMessage(toAlice))
    for (const messageId of taken) await bob.logged(isMessage(messageId))
    for (const messageId of taken) {
      await alice.call('message.wait', { messageId: String(messageId), state: 'delivered', timeoutSeconds: 60 })
    }
    for (const [node, who] of [
      [alice, ids.bob],
      [bob, ids.alice],
    ] as const) {
      const shown = (await node.ask('history', who)).map(({ messageId }) => messageId)
      expect(shown).to.include.members([...taken, toAlice])
      expect(new Set(shown).size).to.equal(shown.length)
    }
  })
})

/** Writes until nothing fits any more. */
function fill(file: string): void {
  for (let bytes = 65_536; bytes >= 1; ) {
    try {
      appendFileSync(file, Buffer.alloc(bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      bytes = Math.floor(bytes / 2)
    }
  }
}

function isMessage(messageId: unknown): (event: Json) => boolean {
  return (event) => event.event === 'message' && event.messageId === messageId
}
