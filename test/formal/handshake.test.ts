/**
 * The handshake against a Dolev-Yao intruder, for every set of leaked keys and broken primitives (PROTOCOL 7, 8). What it finds
 * stands as tables in docs/THREAT-MODEL.md, and what is planted it must find.
 *
 * What this does not show: cryptography is perfect here, so nothing is said of the primitives, of bad randomness, lengths,
 * timing, low-order points, or of AEADs and KEMs that open under two keys. People come in a fixed number and choose from
 * keys that were seen or drawn: a search over those, not a proof over all runs; `docs/formal/handshake.pv` asks that of
 * ProVerif. Every person accepts every request, nobody remembers replays, records are always fresh, and invites are known
 * to the intruder: what those add is tested elsewhere. Leaks in the live columns are there from the beginning.
 */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Flaws } from './handshake.ts'
import { ALWAYS, isEnough, NEVER } from './intruder.ts'
import { groupRows, leakRows, markdown, maskOf } from './tables.ts'
import {
  type Goal,
  GOALS,
  hostileWorld,
  type Leak,
  type LeakConditions,
  LEAKS,
  type Reached,
  recordedWorld,
} from './world.ts'

const everySet: LeakConditions = (leak) => [maskOf([leak])]

function reach(flaws: Flaws, leaks: LeakConditions): Reached {
  return { ...recordedWorld(flaws, leaks), ...hostileWorld(flaws, leaks) } as Reached
}

const LONG_TERM: readonly Leak[] = [
  'DIKa',
  'DIKb',
  'SPKb',
  'KEMb',
  'signing key of B',
  'root key of A',
  'root key of B',
]
const DRAWN_BY_A: readonly Leak[] = ['EKa', 'coins of ct1', 'OTa', 'KEMa', 'RKa']
const DRAWN_BY_B: readonly Leak[] = ['EKb', 'coins of ct2', 'RKb']
const RECORDED: readonly Goal[] = ['whoAsks', 'note', 'answer', 'firstOfB', 'firstOfA', 'secondOfB']
const IN_SESSION: readonly Goal[] = ['answer', 'firstOfB', 'firstOfA', 'secondOfB']
const EVERYTHING = Object.keys(GOALS) as Goal[]

describe('the handshake against an intruder', function () {
  this.timeout(180_000)
  let reached: Reached
  before(() => {
    reached = reach({}, everySet)
  })

  function gives(leaks: readonly Leak[], goals: readonly Goal[]): Goal[] {
    return goals.filter((goal) => isEnough(maskOf(leaks), reached[goal]))
  }

  it('gives nothing without a leak', () => {
    expect(gives([], EVERYTHING)).to.deep.equal([])
  })

  it('T10 keys that one side drew for a handshake let nobody pose as their owner', () => {
    expect(gives(DRAWN_BY_A, ['requestAsA', 'writeAsA'])).to.deep.equal([])
    expect(gives(DRAWN_BY_B, ['writeAsB'])).to.deep.equal([])
  })

  it("T14 B's stolen keys make nobody a friend of B's in A's name, with A's ephemerals or without", () => {
    const keysOfB: readonly Leak[] = ['root key of B', 'signing key of B', 'DIKb', 'SPKb', 'KEMb']
    expect(gives([...keysOfB, ...DRAWN_BY_A], ['writeAsA'])).to.deep.equal([])
    // a request is a claim, and here anybody's
    expect(gives(['SPKb'], ['requestAsA'])).to.deep.equal(['requestAsA'])
  })

  it('keeps a recorded session from whoever steals all long-term keys of both later', () => {
    expect(gives(LONG_TERM, IN_SESSION)).to.deep.equal([])
    expect(gives(LONG_TERM, RECORDED)).to.deep.equal(['whoAsks', 'note'])
  })

  it('keeps all that was recorded when X25519 alone or ML-KEM alone is broken', () => {
    expect(gives(['X25519 broken', 'root key of A', 'root key of B', 'signing key of B'], RECORDED)).to.deep.equal([])
    expect(gives(['ML-KEM broken'], EVERYTHING)).to.deep.equal([])
  })

  it("heals a stolen session with the first pair that the thief does not have, against X25519's strength", () => {
    expect(gives(["A's session"], ['firstOfB', 'firstOfA', 'secondOfB'])).to.deep.equal(['firstOfB'])
    expect(gives(["B's session"], ['firstOfB', 'firstOfA', 'secondOfB'])).to.deep.equal(['firstOfB', 'firstOfA'])
    expect(gives(["B's session", 'X25519 broken'], ['secondOfB'])).to.deep.equal(['secondOfB'])
  })

  it('stands in the threat model as it was found', () => {
    // the formatter pads cells
    const plain = (line: string): string => line.replace(/ +/g, ' ').replace(/-+/g, '-')
    const document = readFileSync(join(import.meta.dirname, '../../docs/THREAT-MODEL.md'), 'utf8')
      .split('\n')
      .map(plain)
    for (const table of [leakRows(reached), groupRows(reached)]) {
      const lines = markdown(table).map(plain)
      const from = document.indexOf(lines[0]!)
      const found = document.slice(from, from + lines.length)
      expect(found.join('\n'), `the table of docs/THREAT-MODEL.md should be\n${lines.join('\n')}\n`).to.equal(
        lines.join('\n'),
      )
    }
  })

  describe('finds what is planted', () => {
    const PLANTED: { flaw: keyof Flaws; leaks: readonly Leak[]; gives: readonly Goal[] }[] = [
      { flaw: 'noIdentityOfB', leaks: ['SPKb', 'KEMb'], gives: ['note', 'writeAsB'] },
      { flaw: 'noIdentityOfAInLeg2', leaks: ['SPKb'], gives: ['writeAsA'] },
      { flaw: 'noIdentityOfAInLeg1', leaks: [], gives: ['requestAsA'] },
      { flaw: 'noSecondLeg', leaks: ['DIKb', 'SPKb', 'KEMb'], gives: ['answer', 'writeAsA'] },
      { flaw: 'noKem', leaks: ['X25519 broken'], gives: ['whoAsks', 'note', ...IN_SESSION] },
      { flaw: 'noOneTimeKeys', leaks: ['ML-KEM broken', 'DIKa', 'DIKb', 'SPKb'], gives: ['answer'] },
      { flaw: 'noRecordsInTranscript', leaks: [], gives: ['requestAsA'] },
      { flaw: 'noConfirmation', leaks: [], gives: ['writeAsB'] },
    ]
    for (const { flaw, leaks, gives: goals } of PLANTED) {
      it(`${flaw}: ${leaks.join(', ') || 'nothing'} gives ${goals.map((goal) => GOALS[goal]).join(', ')}`, () => {
        const flawed = reach({ [flaw]: true }, (leak) => (leaks.includes(leak) ? everySet(leak) : NEVER))
        for (const goal of goals) {
          expect(isEnough(maskOf(leaks), flawed[goal]), goal).to.equal(true)
          expect(isEnough(maskOf(leaks), reached[goal]), `${goal} without the flaw`).to.equal(false)
        }
      })
    }
  })

  it('finds for all sets at once what it finds for one', () => {
    let state = 20_261_121
    for (let run = 0; run < 60; run++) {
      // a linear congruence is random enough for picking sets
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      const set = state >>> (32 - LEAKS.length)
      const one: LeakConditions = (leak) => (set & maskOf([leak]) ? ALWAYS : NEVER)
      const found = run < 2 ? reach({}, one) : (recordedWorld({}, one) as Reached)
      for (const [goal, conditions] of Object.entries(found)) {
        expect(conditions.length > 0, `${goal} with ${set}`).to.equal(isEnough(set, reached[goal as Goal]))
      }
    }
  })
})
