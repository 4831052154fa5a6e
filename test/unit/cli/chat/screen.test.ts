/** The chat as Ink draws it on a terminal: what is pressed reaches the node, what comes is drawn, nothing is left behind. */
import { expect } from 'chai'
import { FakeNode } from '../../../support/fake-node.ts'
import { until } from '../../../support/until.ts'
import { type RunningChat, startChat } from '../../../support/running-chat.ts'

describe('the screen of the terminal chat', () => {
  let node: FakeNode
  let running: RunningChat

  beforeEach(async () => {
    node = new FakeNode()
    node.befriend('bob', { name: 'Robert' })
    node.receive('bob', 'hello you')
    running = startChat(node)
    await running.terminal.shows('hello you')
  })
  afterEach(async () => await running.end())

  it('sends what is typed and what is pasted, each as one message', async () => {
    const { terminal } = running
    terminal.press('dear bob\r')
    await terminal.shows('dear bob')
    terminal.press('\u001b[200~one\rtwo\r\u001b[201~')
    await terminal.shows('two')
    terminal.press('\r')
    await until(() => node.messages.length === 3)
    expect(node.messages.slice(1).map(({ text }) => text)).to.deep.equal(['dear bob', 'one\ntwo\n'])
  })

  it('draws what comes, and rings for what is not before the eyes', async () => {
    const { terminal, outside, chat } = running
    terminal.press('\u001b[O')
    await until(() => !chat.state.focused)
    const { messageId, from } = node.receive('bob', 'news 世界')
    node.emit('message', {
      messageId,
      conversation: from,
      from,
      direction: 'in',
      type: 'text',
      text: 'news 世界',
      sentAt: 0,
    })
    await terminal.shows('news 世界')
    expect(outside).to.deep.equal(['bell bob'])
    expect(terminal.written).to.include('new')
  })

  it('draws the other size after a change of it', async () => {
    const { terminal, chat } = running
    terminal.forget()
    terminal.resize(40, 12)
    await terminal.shows('hello you')
    await until(() => chat.state.columns === 40 && chat.state.rows === 12)
  })

  it('asks for focus and marked pastes, and takes all back at the end', async () => {
    const { terminal } = running
    for (const mode of ['?1049', '?2004', '?1004']) expect(terminal.written).to.include(`\u001b[${mode}h`)
    await running.end()
    for (const mode of ['?1049', '?2004', '?1004']) expect(terminal.written).to.include(`\u001b[${mode}l`)
  })
})
