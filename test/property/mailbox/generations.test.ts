/**
 * Two friends and the mailboxes of one direction, as pure states: everything that travels between them comes late, in any
 * order, repeatedly or, where it may be given up, never.
 */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { equal, u64 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import {
  adoptUpdate,
  compareGenerations,
  decodeMailboxes,
  encodeMailboxes,
  foundIn,
  goneFrom,
  heldSession,
  isReplacementDue,
  type Mailboxes,
  newestOf,
  NO_MAILBOXES,
  openedSession,
  replaceSecret,
  retireMailboxes,
} from '../../../node/mailbox/generations.ts'

const DAY = 86_400
/** From a PUT to the last moment at which the envelope is alive. */
const LIFE = 31 * DAY

interface Update {
  rekey: number
  replacement: number
  secret: Uint8Array
}

interface Session {
  rekey: number
  session: Uint8Array
  secret: Uint8Array
  /** Whether the reader asked: then the writer opens it first, and is sure of it last. */
  byReader: boolean
  steps: number
}

/** An envelope in a mailbox; sealed again when it expires unread. */
interface Mail {
  secret: Uint8Array
  expires: number
}

class Pair {
  now = 1_000_000 * DAY
  heard = 0
  reader: Mailboxes = NO_MAILBOXES
  writer: Mailboxes = NO_MAILBOXES
  /** Every update that ever left, whatever became of it since. */
  readonly sent: Update[] = []
  /** The one that will be sealed again until it arrived. */
  outstanding: Update | undefined
  readonly sessions: Session[] = []
  readonly released: Uint8Array[] = []
  mail: Mail[] = []
  readTotal = 0
  writtenTotal = 0
  #drawn = 0

  constructor() {
    this.rekey(true)
    this.step(0)
    this.step(0)
    this.step(0)
  }

  rekey(byReader: boolean): void {
    const rekey = this.sessions.length + 1
    this.sessions.push({ rekey, session: this.draw().slice(0, 8), secret: this.draw(), byReader, steps: 0 })
  }

  /** Takes a handshake one step further. */
  step(which: number): void {
    const session = this.sessions[which % this.sessions.length]!
    const step = session.steps++
    if (session.byReader) {
      if (step === 0) this.writer = this.#opened(this.writer, session, false)
      else if (step === 1) this.#readerOpens(session)
      else this.writer = heldSession(this.writer, { ...session, mailboxOut: session.secret })
    } else if (step === 0) this.#readerOpens(session)
    else this.writer = this.#opened(this.writer, session, true)
  }

  write(): void {
    this.writtenTotal++
    this.put()
  }

  put(): void {
    const { secret } = this.writer.writing!
    expect(
      this.released.some((gone) => equal(gone, secret)),
      'writes to a mailbox that was given up',
    ).to.equal(false)
    this.mail.push({ secret, expires: this.now + LIFE })
  }

  /** The reader finds one envelope, if it reads where that lies. */
  read(which: number): void {
    const found = this.mail[which % Math.max(1, this.mail.length)]
    const box = found && this.reader.reading.find(({ secret }) => equal(secret, found.secret))
    if (!found || !box) return
    this.mail = this.mail.filter((one) => one !== found)
    this.readTotal++
    this.heard++
    this.reader = foundIn(this.reader, box, this.now)
  }

  replace(): void {
    if (!isReplacementDue(this.reader, this)) return
    const secret = this.draw()
    const { after, box } = replaceSecret(this.reader, secret, this)
    this.reader = after
    this.outstanding = { rekey: box.rekey, replacement: box.replacement, secret }
    this.sent.push(this.outstanding)
  }

  /** What happens when both are there: the last update comes, the writer says something, the reader finds all that is new. */
  round(): void {
    this.arrive(this.outstanding)
    this.write()
    for (let i = this.mail.length; i > 0; i--) this.read(i - 1)
  }

  arrive(update: Update | undefined): void {
    if (!update) return
    const before = this.writer
    const opened = this.sessions.filter(({ byReader, steps }) => steps > (byReader ? 0 : 1))
    this.writer = adoptUpdate(before, update, Math.max(...opened.map(({ rekey }) => rekey)))
    expect(compareGenerations(this.writer.writing!, before.writing!), 'moves down').to.be.at.least(0)
    if (update === this.outstanding) this.outstanding = undefined
  }

  pass(days: number): void {
    for (let day = 0; day < days; day++) {
      this.now += DAY
      const dead = this.mail.filter(({ expires }) => expires <= this.now)
      this.mail = this.mail.filter(({ expires }) => expires > this.now)
      for (const _ of dead) this.put()
      const after = retireMailboxes(this.reader, this.now)
      for (const { secret } of goneFrom(this.reader, after)) {
        expect(
          this.mail.some((one) => equal(one.secret, secret)),
          'gives up what is alive and unread',
        ).to.equal(false)
        this.released.push(secret)
      }
      this.reader = after
    }
    // what is on the disk is all there is
    this.reader = decodeMailboxes(encodeMailboxes(this.reader))
    this.writer = decodeMailboxes(encodeMailboxes(this.writer))
  }

  draw(): Uint8Array {
    return sha256(u64(this.#drawn++))
  }

  #readerOpens(session: Session): void {
    const before = newestOf(this.reader)
    this.reader = this.#opened(this.reader, session, true)
    if (newestOf(this.reader) !== before) this.outstanding = undefined
  }

  #opened(before: Mailboxes, session: Session, held: boolean): Mailboxes {
    const { rekey, secret } = session
    const handshake = { rekey, session: session.session, mailboxIn: secret, mailboxOut: secret, held }
    return openedSession(before, handshake, this)
  }
}

type Step =
  | { do: 'write' | 'replace' | 'round' }
  | { do: 'read' | 'arrive' | 'step'; which: number }
  | { do: 'pass'; days: number }
  | { do: 'rekey'; byReader: boolean }

const which = fc.nat({ max: 1000 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'write' as const }) },
  { weight: 4, arbitrary: fc.constant({ do: 'replace' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'round' as const }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('arrive' as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('step' as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), days: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rekey' as const), byReader: fc.boolean() }) },
)

function run(pair: Pair, steps: readonly Step[]): void {
  for (const one of steps) {
    if (one.do === 'write') pair.write()
    else if (one.do === 'replace') pair.replace()
    else if (one.do === 'round') pair.round()
    else if (one.do === 'read') pair.read(one.which)
    else if (one.do === 'arrive') pair.arrive(pair.sent[one.which % Math.max(1, pair.sent.length)])
    else if (one.do === 'step') pair.step(one.which)
    else if (one.do === 'pass') pair.pass(one.days)
    else if (one.do === 'rekey' && pair.sessions.length < 4) pair.rekey(one.byReader)
  }
}

describe('property: mailboxes of a direction over time', () => {
  it('T51 end at one generation on both sides, with nothing unread, and none is written to once it was given up', () => {
    let replaced = 0
    let given = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 160, size: 'max' }), (steps) => {
        const pair = new Pair()
        run(pair, steps)
        // in the end everything arrives that is sent again until it does
        for (let i = 0; i < pair.sessions.length; i++) while (pair.sessions[i]!.steps < 3) pair.step(i)
        pair.arrive(pair.outstanding)
        pair.pass(32)
        pair.write()
        while (pair.mail.length > 0) {
          const before = pair.mail.length
          for (let i = 0; i < before; i++) pair.read(i)
          expect(pair.mail.length, 'lies where nobody reads').to.be.lessThan(before)
        }
        expect(pair.readTotal).to.equal(pair.writtenTotal)
        expect(compareGenerations(pair.writer.writing!, newestOf(pair.reader)!)).to.equal(0)
        expect([...pair.writer.writing!.secret]).to.deep.equal([...newestOf(pair.reader)!.secret])
        replaced += pair.sent.length
        given += pair.released.length
      }),
      { numRuns: 300 },
    )
    // the machine was at work in these runs
    expect(replaced).to.be.greaterThan(300)
    expect(given).to.be.greaterThan(100)
  })

  it('T51 does not move while the friend is away, whatever the time', () => {
    const pair = new Pair()
    pair.write()
    pair.read(0)
    pair.pass(29)
    pair.replace()
    const { reader } = pair
    for (let i = 0; i < 30; i++) {
      pair.pass(35)
      pair.replace()
    }
    expect(pair.reader).to.deep.equal(reader)
    expect(pair.sent).to.have.lengthOf(1)
    expect(pair.released).to.have.lengthOf(0)
  })

  it('takes no update of a session that does not exist: it would stand above the next rekey', () => {
    const pair = new Pair()
    pair.arrive({ rekey: 1000, replacement: 1, secret: pair.draw() })
    expect(pair.writer.writing!.rekey).to.equal(1)
    pair.rekey(false)
    pair.step(1)
    pair.step(1)
    expect(pair.writer.writing!.rekey).to.equal(2)
  })

  it('is written where the friend is known to read until the friend showed to hold a newer session', () => {
    const pair = new Pair()
    pair.rekey(true)
    pair.step(1)
    expect(pair.writer.writing!.rekey).to.equal(1)
    pair.step(1)
    expect(pair.writer.writing!.rekey).to.equal(1)
    pair.step(1)
    expect(pair.writer.writing!.rekey).to.equal(2)
  })

  it('is replaced after 1000 messages, and not while eight are read', () => {
    const pair = new Pair()
    for (let round = 1; round <= 12; round++) {
      for (let i = 0; i < 1000; i++) {
        expect(isReplacementDue(pair.reader, pair), `after ${i} in round ${round}`).to.equal(false)
        pair.write()
        pair.read(0)
      }
      pair.replace()
      pair.arrive(pair.outstanding)
      expect(pair.reader.reading.length).to.equal(Math.min(8, round + 1))
      if (round >= 8) break
    }
    expect(pair.sent).to.have.lengthOf(7)
    pair.pass(32)
    pair.replace()
    expect(pair.sent).to.have.lengthOf(8)
  })
})
