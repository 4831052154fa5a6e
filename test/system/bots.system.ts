/** The bots of docs/bots against a real node, and what curl says and hears beside an open subscriber. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { befriended, type Friends } from '../support/befriended.ts'
import { type Json, LineProcess } from '../support/kith-process.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { titled } from './machine.ts'

const BOTS = join(import.meta.dirname, '../../docs/bots')
const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0

describe('programs over HTTP', function () {
  this.timeout(120_000)
  const directory = temporaryDirectories()
  const children: ChildProcess[] = []
  let friends: Friends
  let url: string

  before(async () => {
    friends = await befriended(await directory())
    const { relay, alice, bob } = friends
    await relay.start()
    await Promise.all([alice.start('--http', '127.0.0.1:0'), bob.start()])
    url = String(alice.events[0]!.http)
  })

  afterEach(() => {
    // A script's children are of its group.
    for (const { pid } of children.splice(0)) if (pid !== undefined) process.kill(-pid, 'SIGTERM')
  })

  after(async () => friends.nodes.stopAll())

  async function environment(name: string): Promise<NodeJS.ProcessEnv> {
    const { token } = await friends.alice.call('token.create', { name, scopes: ['read', 'send'], conversation: 'Bob' })
    return { ...process.env, KITH_URL: url, KITH_TOKEN: token }
  }

  /** A program that goes on until the end of the test. */
  function start(command: string, args: string[], env: NodeJS.ProcessEnv): LineProcess {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    children.push(child)
    return new LineProcess(command, child, undefined, false)
  }

  /** Bob writes once the bot is a consumer of Alice's log, and is answered once. */
  async function expectEcho(consumer: string, text: string): Promise<void> {
    const { alice, bob } = friends
    await alice.call('message.send', { who: 'Bob', text: `${text}: ready?` })
    const known = async (): Promise<boolean> => {
      // The consumers of a token that is limited have its friend in their names.
      const consumers = (await alice.call('events.consumers', {})) as { consumer: string }[]
      return consumers.some((one) => one.consumer.endsWith(consumer))
    }
    while (!(await known())) await new Promise((resolve) => setImmediate(resolve))
    await bob.call('message.send', { who: 'Alice', text })
    const isAnswer = (event: Json): boolean => event.event === 'message' && event.text === `you said: ${text}`
    await bob.waitFor(isAnswer)
    expect(bob.events.filter(isAnswer)).to.have.length(1)
  }

  it('the bot in TypeScript answers, and goes on after its node was killed', async () => {
    const { alice, bob } = friends
    start(process.execPath, [join(BOTS, 'echo.ts')], await environment('ts'))
    await expectEcho('echo-ts', 'hello ts')
    await alice.kill()
    await bob.call('message.send', { who: 'Alice', text: 'while you were away' })
    await alice.start('--http', url.slice('http://'.length))
    await bob.waitFor((event) => event.text === 'you said: while you were away')
    await expectEcho('echo-ts', 'hello again')
    const answers = bob.events.map(({ text }) => text).filter((text) => String(text).startsWith('you said: '))
    expect(new Set(answers).size).to.equal(answers.length)
  })

  describe(titled('in Python', has('python3'), 'python3'), () => {
    it('the bot answers', async function () {
      if (!has('python3')) this.skip()
      start('python3', [join(BOTS, 'echo.py')], await environment('py'))
      await expectEcho('echo-py', 'hello py')
    })
  })

  describe(titled('with curl', has('curl') && has('jq'), 'curl and jq'), () => {
    before(function () {
      if (!has('curl') || !has('jq')) this.skip()
    })

    it('the bot answers', async () => {
      start('bash', [join(BOTS, 'echo.sh')], await environment('sh'))
      await expectEcho('echo-sh', 'hello sh')
    })

    it('a message from curl appears in an open subscriber, and the other way round', async () => {
      const { alice, bob } = friends
      const env = await environment('curl')
      const authorized = `curl -sSN -K <(printf 'header = "Authorization: Bearer %s"\\n' "$KITH_TOKEN")`
      const listener = start('bash', ['-c', `${authorized} "$KITH_URL/events"`], env)
      await listener.waitFor(({ text }) => String(text).startsWith('id: '))
      const sent = spawnSync(
        'bash',
        [
          '-c',
          `jq -nc '{jsonrpc: "2.0", id: 1, method: "message.send", params: {who: "Bob", text: "by curl"}}' | ${authorized} --json @- "$KITH_URL/rpc"`,
        ],
        { env, encoding: 'utf8' },
      )
      expect(JSON.parse(sent.stdout)).to.have.nested.property('result.messageId')
      await alice.waitFor((event) => event.event === 'message' && event.text === 'by curl' && event.direction === 'out')
      await bob.waitFor((event) => event.event === 'message' && event.text === 'by curl')
      await alice.call('message.send', { who: 'Bob', text: 'by another face' })
      for (const text of ['by curl', 'by another face']) {
        await listener.waitFor(
          (line) => String(line.text).startsWith('data: ') && String(line.text).includes(`"${text}"`),
        )
      }
    })
  })
})
