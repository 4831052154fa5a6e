/**
 * Sessions as nodes of before wrote them go on: `sessions-1.json` holds rows with session states of version 1, and mail
 * that was on its way when they were written.
 */
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { laneRow } from '../../../node/delivery/channel.ts'
import { ForgedError } from '../../../node/errors.ts'
import { decodeSession, encodeSession } from '../../../node/session/session-codec.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import { openEnvelope } from '../../../node/session/triple-ratchet.ts'
import { decode } from '../../../node/wire/schema.ts'
import { NOW, sealText, seededRandom } from '../../support/session-fixtures.ts'

type Side = 'a' | 'b'

interface OldSessions {
  name: string
  a: string
  b: string
  mail: { to: Side; text: string; opens: boolean; prefix: string; body: string }[]
}

const { cases } = JSON.parse(readFileSync(new URL('sessions-1.json', import.meta.url), 'utf8')) as {
  cases: OldSessions[]
}

function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}

function sessionOf(row: string): SessionState {
  return decodeSession(decode(laneRow, bytes(row), 1_100_000).session)
}

/** Both sides, each read from its row and written again with every message. */
class Talk {
  readonly states: Record<Side, SessionState>
  readonly random = seededRandom('after the upgrade')

  constructor({ a, b }: OldSessions) {
    this.states = { a: sessionOf(a), b: sessionOf(b) }
  }

  open(to: Side, envelope: { prefix: Uint8Array; body: Uint8Array }): string {
    const opened = openEnvelope(this.states[to], { ...envelope, now: NOW + 3600 })
    this.states[to] = decodeSession(encodeSession(opened.session))
    return new TextDecoder().decode(opened.payload)
  }

  say(from: Side, text: string): void {
    const sealed = sealText(this.states[from], this.random, text)
    this.states[from] = decodeSession(encodeSession(sealed.session))
    expect(this.open(from === 'a' ? 'b' : 'a', sealed)).to.equal(text)
  }
}

describe('sessions written by version 1', () => {
  for (const old of cases) {
    for (const order of ['sent', 'turned round'] as const) {
      it(`${old.name}: read all that was on its way, ${order}, and talk on`, () => {
        const talk = new Talk(old)
        const mail = order === 'sent' ? old.mail : old.mail.toReversed()
        for (const { to, text, opens, prefix, body } of mail) {
          const envelope = { prefix: bytes(prefix), body: bytes(body) }
          if (opens) expect(talk.open(to, envelope)).to.equal(text)
          // what was opened, or lost before, stays closed
          expect(() => talk.open(to, envelope)).to.throw(ForgedError)
        }
        for (let turn = 0; turn < 3; turn++) for (const from of ['a', 'b'] as const) talk.say(from, `turn ${turn}`)
      })
    }

    it(`${old.name}: talk on, and read what was on its way afterwards`, () => {
      const talk = new Talk(old)
      talk.say('a', 'first after the upgrade')
      talk.say('b', 'and back')
      for (const { to, text, opens, prefix, body } of old.mail) {
        const envelope = { prefix: bytes(prefix), body: bytes(body) }
        if (opens) expect(talk.open(to, envelope)).to.equal(text)
      }
    })
  }
})
