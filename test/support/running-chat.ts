/** The full-screen chat on a fake node and a fake terminal. */
import { Chat } from '../../cli/chat/chat.ts'
import type { ChatOutside } from '../../cli/chat/chat.ts'
import { showScreen } from '../../cli/chat/screen.ts'
import { initialState } from '../../cli/chat/state.ts'
import { localClient } from '../../cli/node-session.ts'
import { ApiServer } from '../../node/api/server.ts'
import { settingsOf } from './chat-states.ts'
import type { FakeNode } from './fake-node.ts'
import { FakeTerminal } from './fake-terminal.ts'

export interface RunningChat {
  chat: Chat
  terminal: FakeTerminal
  /** What left the chat: `bell`, `copy …`, `browse …`. */
  outside: string[]
  end(): Promise<void>
}

export function startChat(node: FakeNode, size = { columns: 80, rows: 24 }): RunningChat {
  const server = new ApiServer({ service: node, role: 'node' })
  const terminal = new FakeTerminal(size)
  const said: string[] = []
  const outside: ChatOutside = {
    alert: (how, who) => void said.push(`${how} ${who}`),
    copy: (text) => void said.push(`copy ${text}`),
    browse: async (url) => void said.push(`browse ${url}`),
  }
  const settings = settingsOf()
  const chat = new Chat({
    state: initialState(settings, size),
    name: 'chat-of-a-test',
    outside,
    settings: async () => settings,
    rejoin: async () => undefined,
  })
  const api = localClient(server)
  const running = chat.run({ api, transient: true })
  const shown = showScreen(chat, terminal, running)
  return {
    chat,
    terminal,
    outside: said,
    end: async () => {
      chat.quit()
      await shown
      api.close()
      await server.close(0)
    },
  }
}
