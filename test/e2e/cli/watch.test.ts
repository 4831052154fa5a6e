/** `kith watch --since CURSOR` over restarts of the node: each event once, in order, none missing. */
import { expect } from 'chai'
import { type Friends, friendsOnline } from '../../support/befriended.ts'
import type { Json, LineProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('watch', function () {
  this.timeout(60_000)
  let friends: Friends | undefined
  after(async () => friends?.nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('goes on after its cursor when the node was stopped, was killed, and was not there at all', async () => {
    friends = await friendsOnline(await temporaryDirectory())
    const { alice, bob, cursors } = friends
    const seen: Json[] = []
    let watch = await bob.follow('watch', '--since', String(cursors.bob))
    const arrives = async (messageId: string): Promise<void> => {
      await watch.waitFor((line) => line.event === 'message' && line.messageId === messageId)
    }
    const next = (): number => Number(seen.at(-1)?.cursor ?? cursors.bob)

    await arrives(await write(friends, 'while it watches'))
    await bob.stop()
    await endsWithHint(watch, seen)
    const away = [await write(friends, 'while it is stopped'), await write(friends, 'and once more')]
    for (const messageId of away) await alice.call('message.wait', { messageId, state: 'custody', timeoutSeconds: 30 })

    await bob.start()
    watch = await bob.follow('watch', '--since', String(next()))
    for (const messageId of away) await arrives(messageId)
    const last = await write(friends, 'before it is killed')
    await arrives(last)
    await bob.kill()
    await endsWithHint(watch, seen)

    // nobody runs: watch is the node itself
    const alone = await write(friends, 'while nobody is there')
    watch = await bob.follow('watch', '--since', String(next()))
    await arrives(alone)
    expect(await watch.stop('SIGINT')).to.equal(130)
    seen.push(...watch.lines)

    await bob.start()
    const log = await bob.log(cursors.bob)
    const cursorsSeen = seen.map(({ cursor }) => Number(cursor))
    expect(cursorsSeen).to.deep.equal(cursorsSeen.map((_, index) => cursors.bob + 1 + index))
    expect(seen.map(withoutVersion)).to.deep.equal(log.slice(0, seen.length).map(withoutVersion))
    const texts = seen.filter(({ event }) => event === 'message').map(({ text }) => text)
    expect(texts.toSorted()).to.deep.equal(
      [
        'while it watches',
        'while it is stopped',
        'and once more',
        'before it is killed',
        'while nobody is there',
      ].toSorted(),
    )
  })
})

async function write({ alice }: Friends, text: string): Promise<string> {
  const { messageId } = await alice.call('message.send', { who: 'Bob', text })
  return messageId
}

/** The node has gone: status 3, and how to go on. */
async function endsWithHint(watch: LineProcess, seen: Json[]): Promise<void> {
  expect(await watch.ended()).to.equal(3)
  const error = watch.lines.pop()
  expect(error).to.have.nested.property('error.code', 'NODE_GONE')
  seen.push(...watch.lines)
  expect(watch.stderr).to.include(`kith watch --since ${String(seen.at(-1)!.cursor)}`)
}

function withoutVersion(event: Json): Json {
  return { ...event, v: undefined }
}
