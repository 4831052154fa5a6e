/** What the terminal chat tells people to press and to write: each of it does something, and is called as it is bound. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect } from 'chai'
import { frameOf } from '../../../../cli/chat/frame.ts'
import { type HintName, HINTS, type HintPart, hintOf, hintText } from '../../../../cli/chat/hints.ts'
import { chordText, KEY_NAMES, KEYS, keyMapOf } from '../../../../cli/chat/keys.ts'
import { SLASH_COMMANDS, SLASH_NAMES } from '../../../../cli/chat/slash-commands.ts'
import type { ChatState } from '../../../../cli/chat/state.ts'
import { ConfigError } from '../../../../node/errors.ts'
import { message, messages, person, Player, settingsOf } from '../../../support/chat-states.ts'

/** Situations in which each hint is shown. */
const SITUATIONS: Record<HintName, () => Player> = {
  alone: () => Player.with([]),
  nobody: () => {
    const player = Player.with([person('bob'), person('carol')], messages(1, 2))
    player.meet([person('carol'), person('dave')])
    return player
  },
  news: () => {
    const player = Player.with([person('bob')], messages(1, 2))
    player.meet([person('bob'), person('carol', { unread: 1 })])
    return player
  },
  scrolled: () => {
    const player = Player.with([person('bob')], messages(1, 200))
    player.press('pageup')
    return player
  },
  quiet: () => Player.with([person('bob')], messages(1, 2)),
  selecting: () => {
    const text = `https://example.org/ ${'x\n'.repeat(60)}`
    const player = Player.with([person('bob')], [message(1, { text, direction: 'out' })])
    player.press('alt+up')
    return player
  },
  link: () => {
    const player = Player.with([person('bob')], [message(1, { text: 'https://example.org/' })])
    player.press('alt+up', 'o')
    return player
  },
  page: () => {
    const player = Player.with([person('bob')], messages(1, 2))
    player.press('?')
    player.press('pagedown')
    return player
  },
  choices: () => {
    const player = Player.with([person('bob')], messages(1, 2))
    const choice = { label: 'x', detail: '', commands: { enter: '/help' } }
    const choices = [choice, choice, choice]
    player.play({ type: 'view', view: { kind: 'choices', title: 'x', choices, selected: 1, keys: '' } })
    return player
  },
  changed: () => Player.with([person('bob', { keysChanged: true })], messages(1, 2)),
  unsent: () => Player.with([person('bob')], [message(1, { direction: 'out', state: 'unsent' })]),
}

const WORDS: Record<string, string> = { LINK: 'kithinvite1x', WHO: 'carol' }

function follow(player: Player, part: HintPart): void {
  if ('text' in part) return
  if ('key' in part) {
    const chord = player.state.settings.keys[part.key][0]!
    if (part.key === 'complete') player.type('/hel')
    player.play(chord.length === 1 ? { type: 'typed', text: chord } : { type: 'chord', chord })
    return
  }
  const argument = part.argument === undefined ? '' : ` ${WORDS[part.argument]}`
  player.type(`/${part.command}${argument}`)
  player.press('enter')
}

describe('hints of the terminal chat', () => {
  for (const name of Object.keys(HINTS) as HintName[]) {
    it(`“${hintText({ settings: settingsOf() }, name)}” is shown where each of it works`, () => {
      expect(hintOf(SITUATIONS[name]().state)).to.equal(name)
      const parts: readonly HintPart[] = HINTS[name]
      for (const part of parts.filter((each) => !('text' in each))) {
        const player = SITUATIONS[name]()
        player.effects.length = 0
        const before: ChatState = player.state
        follow(player, part)
        const isChanged = player.effects.length > 0 || changed(before, player.state)
        expect(isChanged, JSON.stringify(part)).to.equal(true)
        expect(player.state.notice?.tone, player.state.notice?.text).to.not.equal('error')
      }
    })
  }

  it('are called as the keys are bound', () => {
    const keys = ['help=ctrl+g']
    expect(hintText({ settings: settingsOf({ keys }) }, 'quiet')).to.match(/^Ctrl\+G keys/)
    const player = Player.with([person('bob')], messages(1, 2))
    player.state = { ...player.state, settings: settingsOf({ keys }) }
    player.press('ctrl+g')
    expect(player.state.view).to.include({ kind: 'page' })
  })
})

function changed(before: ChatState, after: ChatState): boolean {
  const { notice: _before, ...then } = before
  const { notice: _after, ...now } = after
  return JSON.stringify(then) !== JSON.stringify(now) || before.unfolded !== after.unfolded
}

describe('keys and commands of the terminal chat', () => {
  it('each key does one thing where it works', () => {
    for (const mode of ['anywhere', 'writing', 'selecting', 'page', 'choices'] as const) {
      const chords = KEY_NAMES.filter((name) => KEYS[name].mode === mode).flatMap((name) => KEYS[name].chords)
      expect(new Set(chords).size, mode).to.equal(chords.length)
    }
    const anywhere: readonly string[] = KEY_NAMES.filter((name) => KEYS[name].mode === 'anywhere').flatMap(
      (name) => KEYS[name].chords,
    )
    for (const name of KEY_NAMES.filter((each) => KEYS[each].mode !== 'anywhere')) {
      for (const chord of KEYS[name].chords) expect(anywhere, `${name} ${chord}`).to.not.include(chord)
    }
  })

  it('the help shows every key and every command', () => {
    const player = Player.with([person('bob')], [])
    player.press('?')
    const { view } = player.state
    const text = view.kind === 'page' ? view.lines.join('\n') : ''
    for (const name of KEY_NAMES) {
      expect(text).to.include(`(${name})`).and.include(chordText(KEYS[name].chords[0]))
    }
    for (const name of SLASH_NAMES) expect(text).to.include(`/${name} ${SLASH_COMMANDS[name].takes}`.trimEnd())
    expect(frameOf(player.state).lines).to.have.length(24)
  })

  it('no command throws, with or without what it takes, with nobody and with somebody', () => {
    for (const name of SLASH_NAMES) {
      for (const argument of ['', ' ', ' bob', ' "a b" c', ` ${'x'.repeat(5000)}`]) {
        for (const people of [[], [person('bob')]]) {
          const player = Player.with(people, people.length === 0 ? [] : messages(1, 2))
          player.play({ type: 'command', line: `/${name}${argument}` })
          expect(frameOf(player.state).lines).to.have.length(24)
        }
      }
    }
  })

  it('a key that is none is refused by name', () => {
    expect(() => keyMapOf(['nosuch=alt+n'])).to.throw(ConfigError, 'no key is called "nosuch"')
    expect(() => keyMapOf(['help=hyper+n'])).to.throw(ConfigError, 'is no key')
    expect(keyMapOf(['help=f', 'help=ctrl+g']).help).to.deep.equal(['f', 'ctrl+g'])
  })

  it('the document names all of them', async () => {
    const padded = await readFile(resolve(import.meta.dirname, '../../../../docs/TERMINAL.md'), 'utf8')
    const text = padded.replaceAll(/ +/g, ' ')
    for (const name of KEY_NAMES) {
      const chords = KEYS[name].chords.map((chord) => `\`${chordText(chord)}\``).join(', ')
      expect(text).to.include(`| \`${name}\` | ${chords} | ${KEYS[name].summary} |`)
    }
    for (const name of SLASH_NAMES) {
      const { takes, summary } = SLASH_COMMANDS[name]
      expect(text).to.include(`| \`/${name}${takes === '' ? '' : ` ${takes}`}\` | ${summary} |`)
    }
  })
})
