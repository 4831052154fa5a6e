/** The full-screen chat: Ink prints the frame, and hands over what is typed. The terminal gets its old content back. */
// oxlint-disable-next-line import/no-unassigned-import -- it has to be in force before React is loaded
import './fast-react.ts'
import type { Readable, Writable } from 'node:stream'
import { Box, render, Text, useCursor, useInput, usePaste, useWindowSize } from 'ink'
import { createElement as h, type ReactElement, useEffect, useState } from 'react'
import type { Chat } from './chat.ts'
import { IGNORE_FOCUS, REPORT_FOCUS, withoutFocusReports } from './focus.ts'
import { frameOf } from './frame.ts'
import { inputActions } from './input.ts'
import type { Line, Span } from './message-block.ts'

/** What happens by itself is drawn at most this often, so that typing is never slower for a busy node. */
const QUIET_FRAME_MS = 50
const FRAMES_PER_SECOND = 60

export interface ScreenStreams {
  stdin: Readable
  stdout: Writable
}

/** Draws until `ended`. */
export async function showScreen(chat: Chat, { stdin, stdout }: ScreenStreams, ended: Promise<void>): Promise<void> {
  const instance = render(h(ChatScreen, { chat }), {
    stdin: withoutFocusReports(stdin, (focused) => chat.dispatch({ type: 'focus', focused })),
    stdout,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
    alternateScreen: true,
    incrementalRendering: true,
    maxFps: FRAMES_PER_SECOND,
  })
  stdout.write(REPORT_FOCUS)
  try {
    await ended
  } finally {
    stdout.write(IGNORE_FOCUS)
    instance.unmount()
    await instance.waitUntilExit()
  }
}

/** The whole screen. */
export function ChatScreen({ chat }: { chat: Chat }): ReactElement {
  const [state, setState] = useState(chat.state)
  const { columns, rows } = useWindowSize()
  const { setCursorPosition } = useCursor()
  useEffect(() => follow(chat, setState), [chat])
  useEffect(() => chat.dispatch({ type: 'resized', rows, columns }), [chat, rows, columns])
  useInput((input, key) => {
    for (const action of inputActions(input, key)) chat.dispatch(action)
  })
  usePaste((text) => chat.dispatch({ type: 'pasted', text }))
  const { lines, cursor } = frameOf({ ...state, rows, columns })
  setCursorPosition(cursor)
  return h(
    Box,
    { flexDirection: 'column', height: rows, width: columns },
    ...lines.map((line, row) => h(Text, { key: row, wrap: 'truncate' }, ...spans(line))),
  )
}

/** What the person does is drawn at once, what else happens is gathered. */
function follow(chat: Chat, draw: (state: Chat['state']) => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const now = (): void => {
    clearTimeout(timer)
    timer = undefined
    draw(chat.state)
  }
  now()
  const end = chat.watch((byPerson) => {
    if (byPerson) now()
    else timer ??= setTimeout(now, QUIET_FRAME_MS)
  })
  return () => {
    clearTimeout(timer)
    end()
  }
}

function spans(line: Line): (ReactElement | string)[] {
  // A line without anything still takes its row.
  if (line.length === 0) return [' ']
  return line.map((span, index) => h(Text, { key: index, ...styleOf(span) }, span.text))
}

function styleOf({ tone, bold, dim, inverse }: Span): Record<string, unknown> {
  return {
    ...(tone === undefined ? {} : { color: tone }),
    ...(bold === true ? { bold } : {}),
    ...(dim === true ? { dimColor: true } : {}),
    ...(inverse === true ? { inverse } : {}),
  }
}
