/** Small pure parts of the page: addresses in texts, server-sent events, keys, routes, excerpts, groups, traces. */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { SseParser } from '../../../cli/web/api/sse-parser.ts'
import { excerpt } from '../../../cli/web/state/excerpt.ts'
import { actionOf, KEYS } from '../../../cli/web/state/keys.ts'
import { linkParts } from '../../../cli/web/state/links.ts'
import { fragmentOf, keyOf, parseRoute, type Route } from '../../../cli/web/state/route.ts'
import { messageRows } from '../../../cli/web/state/rows.ts'
import { emptyThread, type ShownMessage } from '../../../cli/web/state/thread.ts'
import { tracePicture } from '../../../cli/web/state/trace-picture.ts'
import { wordQuestion } from '../../../cli/web/state/word-check.ts'

describe('addresses in a text', () => {
  const hrefs = (text: string): string[] => linkParts(text).flatMap((part) => ('href' in part ? [part.href] : []))

  it('are found whole, without the punctuation around them', () => {
    expect(linkParts('see https://a.example/x?y=1, now')).to.deep.equal([
      { text: 'see ' },
      { text: 'https://a.example/x?y=1', href: 'https://a.example/x?y=1' },
      { text: ', now' },
    ])
    expect(hrefs('(https://a.example/b_(c))')).to.deep.equal(['https://a.example/b_(c)'])
    expect(hrefs('“https://a.example”')).to.deep.equal(['https://a.example/'])
  })

  it('T45 nothing but the web is one, and letters of other scripts show as what they are', () => {
    for (const text of [
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      'kith:add',
      'https://',
      'ahttps://b',
    ]) {
      expect(hrefs(text), text).to.deep.equal([])
    }
    expect(hrefs('https://\u0430pple.example/')).to.deep.equal(['https://xn--pple-43d.example/'])
    expect(hrefs('HTTPS://A.example')).to.deep.equal(['https://a.example/'])
  })

  it('joined, the parts are the text', () => {
    const piece = fc.constantFrom('https://', 'http://a.b', 'x', ' ', '.', ')', '(', '"', '\n', '\u202e', 'é')
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const text = pieces.join('')
        expect(
          linkParts(text)
            .map((part) => part.text)
            .join(''),
        ).to.equal(text)
      }),
    )
  })
})

describe('server-sent events', () => {
  const STREAM =
    ': hello\n\nid: 7\ndata: {"a":1}\n\nevent: lagged\ndata: x\ndata: y\n\nid: 8\r\ndata: z\r\n\r\nevent: empty\n\n'
  const EVENTS = [
    { id: '7', event: 'message', data: '{"a":1}' },
    { id: '7', event: 'lagged', data: 'x\ny' },
    { id: '8', event: 'message', data: 'z' },
  ]

  it('come out the same however the stream is cut', () => {
    expect(new SseParser().push(STREAM)).to.deep.equal(EVENTS)
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), STREAM.length]
        const parser = new SseParser()
        const told = at.slice(1).flatMap((end, i) => parser.push(STREAM.slice(at[i], end)))
        expect(told).to.deep.equal(EVENTS)
      }),
    )
  })

  it('a line without an end is given up', () => {
    const parser = new SseParser()
    expect(() => parser.push('data: '.padEnd(4_000_002, 'x'))).to.throw(RangeError)
  })
})

describe('keys, routes and words', () => {
  const pressed = (key: string, more: object = {}) => ({ key, altKey: false, ctrlKey: false, metaKey: false, ...more })

  it('letters are ours only while nobody types', () => {
    expect(actionOf(pressed('?'), false)).to.equal('help')
    expect(actionOf(pressed('?'), true)).to.equal(undefined)
    expect(actionOf(pressed('k', { ctrlKey: true }), true)).to.equal('search')
    expect(actionOf(pressed('k', { metaKey: true }), true)).to.equal('search')
    expect(actionOf(pressed('k'), false)).to.equal(undefined)
    expect(actionOf(pressed('ArrowDown', { altKey: true }), true)).to.equal('next')
    expect(actionOf(pressed('c', { ctrlKey: true }), false), 'copies').to.equal(undefined)
  })

  it('no two lines of the table are of one key', () => {
    const names = KEYS.map(({ key, alt = false, control = false }) => `${alt} ${control} ${key}`)
    expect(new Set(names).size).to.equal(names.length)
  })

  it('a fragment leads back to its route; what is none leads home', () => {
    const routes: Route[] = [{ view: 'home' }, { view: 'conversation', id: 'kith1abc' }, { view: 'settings' }]
    for (const route of routes) expect(parseRoute(fragmentOf(route))).to.deep.equal(route)
    for (const other of ['', '#', '#/x', '#/with/', '#/with/<b>', '#/with/A']) {
      expect(parseRoute(other), other).to.deep.equal({ view: 'home' })
    }
    expect(keyOf('#key=Ab-_9')).to.equal('Ab-_9')
    expect(keyOf('#/key=Ab')).to.equal(undefined)
    expect(keyOf('#key=')).to.equal(undefined)
  })

  it('asks for a word of the phrase, and takes it as people type it', () => {
    const words = Array.from({ length: 24 }, (_, i) => `word${i + 1}`).join(' ')
    expect(wordQuestion(words, 0).number).to.equal(1)
    expect(wordQuestion(words, 0.999).number).to.equal(24)
    const question = wordQuestion(words, 0.5)
    expect(question.isRight(' Word13 ')).to.equal(true)
    expect(question.isRight('word1')).to.equal(false)
  })

  it('an excerpt holds what was searched', () => {
    const text = `${'a'.repeat(200)} Needle ${'b'.repeat(200)}`
    const { before, match, after } = excerpt(text, 'needle')
    expect(match).to.equal('Needle')
    expect(before.length).to.be.below(70)
    expect(after.length).to.be.below(70)
    expect(excerpt('short', 'other')).to.deep.equal({ before: 'short', match: '', after: '' })
  })
})

describe('what stands between messages', () => {
  const at = (minute: number, changes: Partial<ShownMessage> = {}): ShownMessage => ({
    key: `k${minute}`,
    messageId: `m${minute}`,
    direction: 'out',
    from: 'me',
    type: 'text',
    text: 'x',
    sentAt: new Date(2026, 10, 21, 10, minute).toISOString(),
    state: 'custody',
    ...changes,
  })

  it('groups, days, the unread line, and where the state stands in words', () => {
    const messages = [
      at(0),
      at(1),
      at(20),
      at(21, { state: 'delivered' }),
      at(22, { direction: 'in', from: 'bob', state: 'delivered' }),
      at(23, { sentAt: new Date(2026, 10, 22, 10, 0).toISOString() }),
    ]
    const rows = messageRows({ ...emptyThread('bob'), messages, firstUnread: 'm22' })
    expect(rows.map(({ startsDay }) => startsDay)).to.deep.equal([true, false, false, false, false, true])
    expect(rows.map(({ startsGroup }) => startsGroup)).to.deep.equal([true, false, true, false, true, true])
    expect(rows.map(({ showsState }) => showsState)).to.deep.equal([false, true, true, true, false, true])
    expect(rows.findIndex(({ startsUnread }) => startsUnread)).to.equal(4)
  })
})

describe('the picture of a way', () => {
  const AT = '2026-11-21T10:00:00.000Z'
  const step = (name: string, by: string) => ({ step: name, at: AT, by, detail: '' })

  it('draws each place once, with the last that is known of it', () => {
    const steps = [
      step('queued', 'me'),
      step('published', 'gossip'),
      step('refused', 'relay1'),
      step('receipt', 'relay1'),
    ]
    const picture = tracePicture({ messageId: 'm', state: 'sent', steps: [...steps, step('waiting', 'relay2')] })
    expect(picture.places.map(({ by, to, from }) => [by, to, from])).to.deep.equal([
      ['gossip', 'done', 'none'],
      ['relay1', 'done', 'none'],
      ['relay2', 'open', 'none'],
    ])
    expect(picture.isDelivered).to.equal(false)
  })

  it('a friend’s own node that took it is the end of the way once they say so', () => {
    const steps = [{ ...step('receipt', '12D3peer'), detail: "at the friend's own node" }]
    expect(tracePicture({ messageId: 'm', state: 'sent', steps }).places[0]).to.include({
      label: 'their node',
      from: 'none',
    })
    expect(tracePicture({ messageId: 'm', state: 'delivered', steps }).places[0]).to.include({ from: 'done' })
  })

  it('a fetched copy has gone on; a dropped one has not; people and this node are no places', () => {
    const steps = [
      step('receipt', 'r1'),
      step('fetched', 'r1'),
      step('receipt', 'r2'),
      step('caught', 'r2'),
      step('delivered', 'kith1bob'),
    ]
    const { places, isDelivered } = tracePicture({ messageId: 'm', state: 'delivered', steps })
    expect(places.map(({ to, from }) => [to, from])).to.deep.equal([
      ['done', 'done'],
      ['bad', 'none'],
    ])
    expect(isDelivered).to.equal(true)
  })
})
