/**
 * The routes of HTTP (docs/HTTP.md): calls, events, health, the page and its session. Every request passes the checks of
 * where it comes from, and all but the files of the page those of who sends it. Nothing changes by a GET.
 */
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import { UsageError } from '../../errors.ts'
import { MAX_API_REQUEST_BYTES } from '../../limits.ts'
import { checkCaller } from '../caller.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { beginOf } from '../event-page.ts'
import { consumerName, METHODS } from '../methods.ts'
import { cursorShape } from '../views.ts'
import { type Admission, PAGE_HEADER } from './admission.ts'
import type { EventStreams, StreamRequest } from './event-streams.ts'
import { answerHeaders, hostGuard, jsonGuard, originGuard } from './origin-guard.ts'
import type { PageFile } from './page-files.ts'
import { readinessOf } from './readiness.ts'
import { answerRefusal, Refusal } from './refusal.ts'

export interface AppInit {
  dispatcher: Dispatcher
  admission: Admission
  streams: EventStreams
  files: () => ReadonlyMap<string, PageFile>
  port: () => number
}

export type App = Hono<{ Bindings: HttpBindings }>

const keyShape = z.strictObject({ key: z.string().max(200) })
const KIND = /^[a-z]{1,32}$/
const MAX_KINDS = 32

export function createApp(init: AppInit): App {
  const { dispatcher, files, port } = init
  const app: App = new Hono()
  app.use(answerHeaders, hostGuard(port))
  addCalls(app, init)
  addEvents(app, init)
  addHealth(app, init)
  addSession(app, init)
  app.get('*', (c) => {
    const file = files().get(c.req.path)
    if (file === undefined) throw new Refusal(404, 'NOT_FOUND', 'there is nothing here')
    return c.body(file.body, 200, file.headers)
  })
  app.all('*', () => {
    throw new Refusal(405, 'WRONG_METHOD', 'this is not asked in this way')
  })
  app.onError((error, c) => {
    if (!(error instanceof UsageError)) dispatcher.onBug(error)
    return answerRefusal(c, error)
  })
  return app
}

const smallBody = bodyLimit({
  maxSize: MAX_API_REQUEST_BYTES,
  onError: () => {
    const close = { Connection: 'close' }
    throw new Refusal(413, 'TOO_LONG', `a request has at most ${MAX_API_REQUEST_BYTES} bytes`, close)
  },
})

function addCalls(app: App, { dispatcher, admission }: AppInit): void {
  app.post(
    '/rpc',
    originGuard,
    jsonGuard,
    async (c, next) => {
      // Who may not call is not read.
      admission.callerOf(c)
      await next()
    },
    smallBody,
    async (c) => {
      const caller = admission.callerOf(c)
      const text = decodeText(await c.req.arrayBuffer())
      let leave = (): void => undefined
      try {
        const answer = await dispatcher.answer(text, {
          caller,
          enter: (count) => (leave = admission.allowanceOf(caller).enter(count)),
          subscribe: refuseSubscription,
          unsubscribe: refuseSubscription,
        })
        return answer === undefined ? c.body(null, 204) : c.json(answer)
      } finally {
        leave()
      }
    },
  )
  app.get('/rpc', () => {
    throw new Refusal(405, 'WRONG_METHOD', 'calls are sent with POST', { Allow: 'POST' })
  })
}

function refuseSubscription(): never {
  throw new UsageError('WRONG_TRANSPORT', 'over HTTP events come from GET /events')
}

function addEvents(app: App, { dispatcher, admission, streams }: AppInit): void {
  app.get('/events', originGuard, async (c) => {
    const caller = admission.callerOf(c)
    checkCaller(caller, 'GET /events', METHODS['events.subscribe'])
    admission.allowanceOf(caller).enter(1)()
    const last = c.req.header('last-event-id') ?? c.req.query('since')
    const since = await beginOf(dispatcher.seenBy(caller), {
      ...(last !== undefined && last !== '' && { since: cursorOf(last) }),
      ...consumerOf(c.req.query('consumer')),
    })
    return streams.answer(c, caller, { since, ...kindsOf(c.req.query('kinds')) })
  })
}

function cursorOf(text: string): number {
  const cursor = cursorShape.safeParse(/^\d{1,16}$/.test(text) ? Number(text) : undefined)
  if (cursor.success) return cursor.data
  throw new UsageError('INVALID_PARAMS', 'since, or Last-Event-ID, is the cursor of an event')
}

function consumerOf(text: string | undefined): { consumer?: string } {
  if (text === undefined || text === '') return {}
  const consumer = consumerName.safeParse(text)
  if (consumer.success) return { consumer: consumer.data }
  throw new UsageError('INVALID_PARAMS', 'a consumer has a name of 1 to 64 letters, digits, dots, lines and hyphens')
}

function kindsOf(text: string | undefined): Pick<StreamRequest, 'kinds'> {
  if (text === undefined || text === '') return {}
  const kinds = text.split(',')
  if (kinds.length <= MAX_KINDS && kinds.every((kind) => KIND.test(kind))) return { kinds: new Set(kinds) }
  throw new UsageError('INVALID_PARAMS', `kinds are at most ${MAX_KINDS} names of events with commas between`)
}

function addHealth(app: App, { dispatcher, admission }: AppInit): void {
  const demands = { scope: 'metrics' } as const
  app.get('/healthz', originGuard, (c) => {
    checkCaller(admission.callerOf(c), 'GET /healthz', demands)
    return c.json({ ok: true })
  })
  app.get('/readyz', originGuard, async (c) => {
    checkCaller(admission.callerOf(c), 'GET /readyz', demands)
    const readiness = await readinessOf(dispatcher.service)
    return c.json(readiness, readiness.ready ? 200 : 503)
  })
}

function addSession(app: App, { admission }: AppInit): void {
  app.post('/session', originGuard, jsonGuard, smallBody, async (c) => {
    if (c.req.header(PAGE_HEADER) === undefined) {
      throw new Refusal(403, 'FORBIDDEN', `a page sends the header ${PAGE_HEADER}`)
    }
    const body = keyShape.safeParse(parseJson(decodeText(await c.req.arrayBuffer())))
    if (!body.success) throw new UsageError('INVALID_PARAMS', 'expected a key')
    return c.json({ proof: await admission.signIn(c, body.data.key) })
  })
  app.delete('/session', originGuard, async (c) => {
    await admission.signOut(c, admission.callerOf(c))
    return c.body(null, 204)
  })
}

function decodeText(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Refusal(400, 'NOT_UTF8', 'a request is UTF-8')
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
