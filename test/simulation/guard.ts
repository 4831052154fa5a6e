/**
 * The guard of a simulation: while a world runs, whatever would make it depend on this machine throws: real time and
 * timers, randomness without coins, threads, files, sockets, garbage collection, locale. The wrappers are laid over the
 * globals and Node's modules once for each process and let everything through while no world runs.
 */
import childProcess from 'node:child_process'
import nodeCrypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import workerThreads from 'node:worker_threads'
import zlib from 'node:zlib'

/** Who is told of a violation; the call throws as well, but a node may swallow that. */
export interface Guarded {
  fail(error: Error): void
}

/** A forbidden thing was called while a world ran. */
class GuardError extends Error {
  constructor(what: string) {
    super(`${what} is not for simulated code: time, timers, randomness, storage and network come through the ports`)
    this.name = 'GuardError'
  }
}

let guarded: Guarded | undefined
let installed = false

/** From now on violations throw and are told to `world`. Another world that was guarded is guarded no more. */
export function guard(world: Guarded): void {
  if (!installed) install()
  installed = true
  guarded = world
}

/** Ends what `guard` began, when it is still for `world`. */
export function unguard(world: Guarded): void {
  if (guarded === world) guarded = undefined
}

/** Whether violations are told to `world` now. */
export function isGuarded(world: Guarded): boolean {
  return guarded === world
}

function refuseIfGuarded(what: string): void {
  if (guarded === undefined) return
  const error = new GuardError(what)
  guarded.fail(error)
  throw error
}

const CRYPTO_WITHOUT_COINS = [
  'randomBytes',
  'pseudoRandomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
  'generateKey',
  'generateKeySync',
  'generateKeyPair',
  'generateKeyPairSync',
  'generatePrime',
  'generatePrimeSync',
  'checkPrime',
  'encapsulate',
  'argon2',
  'scrypt',
  'pbkdf2',
  'hkdf',
  'createDiffieHellman',
  'createECDH',
]

type AnyFunction = (...args: unknown[]) => unknown

function install(): void {
  // Streams that are made on first use would find the wrappers instead of the file system.
  void process.stdout.writable
  void process.stderr.writable
  wrap(Date, 'Date', ['now'])
  wrap(Math, 'Math', ['random'])
  wrap(AbortSignal, 'AbortSignal', ['timeout'])
  wrap(Object.getPrototypeOf(performance) as object, 'performance', ['now', 'mark', 'measure', 'toJSON'])
  wrap(process, 'process', ['hrtime', 'uptime', 'cpuUsage', 'memoryUsage'])
  wrap(process.hrtime, 'process.hrtime', ['bigint'])
  wrap(String.prototype, 'String', ['localeCompare', 'toLocaleLowerCase', 'toLocaleUpperCase'])
  wrap(Crypto.prototype, 'crypto', ['getRandomValues', 'randomUUID'])
  wrap(SubtleCrypto.prototype, 'crypto.subtle', functionsOf(SubtleCrypto.prototype))
  wrap(Intl, 'Intl', ['Collator', 'DateTimeFormat'])
  wrap(globalThis, '', [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'WeakRef',
    'FinalizationRegistry',
    'fetch',
    'WebSocket',
    'MessageChannel',
    'BroadcastChannel',
  ])
  wrapDate()
  wrap(timers, 'timers', ['setTimeout', 'setInterval', 'setImmediate'])
  wrap(timersPromises, 'timers/promises', ['setTimeout', 'setInterval', 'setImmediate'])
  wrap(nodeCrypto, 'crypto', CRYPTO_WITHOUT_COINS)
  const zlibNames = functionsOf(zlib).filter((name) => !name.endsWith('Sync') && name !== 'crc32')
  wrap(zlib, 'zlib', zlibNames)
  wrap(fs, 'fs', functionsOf(fs))
  wrap(fs.promises, 'fs.promises', functionsOf(fs.promises))
  wrap(childProcess, 'child_process', functionsOf(childProcess))
  wrap(net, 'net', ['connect', 'createConnection', 'createServer', 'Socket'])
  wrap(dgram, 'dgram', ['createSocket'])
  wrap(dns, 'dns', functionsOf(dns))
  wrap(workerThreads, 'worker_threads', ['Worker', 'MessageChannel'])
  syncBuiltinESMExports()
}

function functionsOf(owner: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(owner))
    .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
    .map(([name]) => name)
    .filter((name) => /^[a-z]/.test(name) && !name.startsWith('_'))
}

function wrap(owner: object, prefix: string, names: readonly string[]): void {
  for (const name of names) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name)
    const what = prefix === '' ? name : `${prefix}.${name}`
    const original: unknown = Reflect.get(owner, name)
    // An accessor that cannot be replaced reads a wrapped one (node:crypto's getRandomValues).
    if (descriptor === undefined || typeof original !== 'function' || descriptor.configurable === false) continue
    const wrapped = refusing(original as AnyFunction, what)
    const { configurable, enumerable } = descriptor
    Object.defineProperty(owner, name, { configurable, enumerable, writable: true, value: wrapped })
  }
}

function refusing(original: AnyFunction, what: string): AnyFunction {
  return new Proxy(original, {
    apply(target, self, args: unknown[]) {
      refuseIfGuarded(what)
      return Reflect.apply(target, self, args)
    },
    construct(target, args, newTarget) {
      refuseIfGuarded(`new ${what}`)
      return Reflect.construct(target, args, newTarget) as object
    },
  })
}

/** A date of given milliseconds is a function of its argument and stays allowed; the present is not. */
function wrapDate(): void {
  const original = Date
  globalThis.Date = new Proxy(original, {
    apply(target) {
      refuseIfGuarded('Date()')
      return Reflect.apply(target, undefined, [])
    },
    construct(target, args, newTarget) {
      if (args.length === 0) refuseIfGuarded('new Date()')
      return Reflect.construct(target, args, newTarget) as Date
    },
  })
}
