/**
 * What is made of an envelope that no session opens (PROTOCOL 8): whether it tells that this home is older than the friend's
 * memory, whether it is one more reason for a new session, and whether it may go. What opens is the inbox's.
 */
import { SKIPPED_TAGS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { echoedSerial } from '../session/triple-ratchet.ts'
import { BEHIND, type Channel, type Lane, spokenRekey } from './channel.ts'
import { type InboxBatch, markBehind, progressOf } from './inbox-batch.ts'

/** Tags above the window among which those of what does not open are sought: a friend leaves 1000 out at each crash. */
const TAGS_SOUGHT_AHEAD = 16 * SKIPPED_TAGS
const DAY = 86_400

/** First 20 bytes of an envelope, and what is sealed. */
export interface EnvelopeParts {
  prefix: Uint8Array
  body: Uint8Array
}

/** An envelope that opened in none of `lanes`, in which it was tried. */
export interface ClosedMail {
  eid: Uint8Array
  expiryDay: number
  tag: Uint8Array
  parts: EnvelopeParts
  /** In the order in which they were tried: the one whose window has the tag first. */
  lanes: readonly Lane[]
  /** It lay in a mailbox, where the friend alone writes. */
  inMailbox: boolean
}

export interface ClosedMailInit {
  clock: Pick<Clock, 'now'>
  /** Seconds. */
  protocolTime: () => number
  /** There is more that no session opens. */
  unreadable: (channel: Channel) => void
}

export class ClosedMailJudge {
  readonly #init: ClosedMailInit

  constructor(init: ClosedMailInit) {
    this.#init = init
  }

  /** @returns whether it needs no second try: the friend writes in a session that was made for its sake, and has sealed it again */
  judge(channel: Channel, batch: InboxBatch, mail: ClosedMail): boolean {
    const { clock, protocolTime, unreadable } = this.#init
    const { eid, inMailbox } = mail
    const isAlive = mail.expiryDay * DAY > protocolTime()
    this.#learn(batch, mail, isAlive && inMailbox)
    if (!inMailbox) return false
    if (channel.unreadable.isGivenUp(eid, spokenRekey(channel))) return true
    if (isAlive && channel.unreadable.add(eid, clock.now())) unreadable(channel)
    return false
  }

  /**
   * It may tell that our state is older than the friend's memory. Its header may say so; a header under a key that we never
   * had says it too, when the friend is known to have written it: whoever keeps a copy for longer than it lives cannot make
   * one. Which session it was is then told by its tag.
   */
  #learn(batch: InboxBatch, { parts, lanes, tag }: ClosedMail, isTheirs: boolean): void {
    for (const lane of lanes) {
      const { session } = progressOf(batch, lane)
      const echoed = echoedSerial(session, parts)
      if (echoed === undefined) continue
      if (echoed > session.sentSerial) markBehind(batch, lane)
      return
    }
    if (!isTheirs) return
    const tagged = lanes.find(({ window }) => window.lookup(tag) !== undefined)
    if (tagged) markBehind(batch, tagged)
    // it may be of a session that crossed ours and is not known here yet, or of a friend who left tags out
    else batch.untagged.push(tag)
  }

  /**
   * A friend who crashed since left tags out: those of the whole batch are sought at once, above every window. That costs as
   * much as opening a hundred envelopes, so it is done once an hour; what comes between asks for a new session in the end.
   */
  seekAhead({ lanes, unreadable }: Channel, batch: InboxBatch): void {
    const others = lanes.filter((lane) => progressOf(batch, lane).behind !== BEHIND.friend)
    if (batch.untagged.length === 0 || others.length === 0) return
    if (!unreadable.maySeek(this.#init.clock.now())) return
    for (const lane of others) if (lane.window.isAnyAhead(batch.untagged, TAGS_SOUGHT_AHEAD)) markBehind(batch, lane)
  }
}
