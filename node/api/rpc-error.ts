/**
 * Errors on the API: KithError to the error object of JSON-RPC 2.0 and back. The number says who is at fault, the
 * stable code in `data` says what happened; callers compare the code.
 */
import { z } from 'zod'
import {
  ConfigError,
  ForgedError,
  InternalError,
  KithError,
  type KithErrorOptions,
  NetworkError,
  PeerError,
  StoreError,
  UsageError,
} from '../errors.ts'

/** Numbers of JSON-RPC 2.0, section 5.1, then ours. */
export const RPC_ERROR = {
  parse: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
  internal: -32603,
  usage: -32000,
  config: -32001,
  peer: -32002,
  forged: -32003,
  store: -32004,
  network: -32005,
} as const

/** The error object of an answer. */
export const rpcErrorObject = z.object({
  code: z.number().int(),
  message: z.string(),
  data: z.object({ code: z.string(), hint: z.string().optional() }).optional(),
})
export type RpcErrorObject = z.output<typeof rpcErrorObject>

type KithErrorClass = new (code: string, message: string, options?: KithErrorOptions) => KithError

const CLASSES: [number, KithErrorClass][] = [
  [RPC_ERROR.usage, UsageError],
  [RPC_ERROR.config, ConfigError],
  [RPC_ERROR.peer, PeerError],
  [RPC_ERROR.store, StoreError],
  [RPC_ERROR.network, NetworkError],
]

/** What is told of an error: of one that is not ours nothing but that it happened. */
export function toRpcError(error: unknown): RpcErrorObject {
  if (!(error instanceof KithError)) {
    return { code: RPC_ERROR.internal, message: 'internal error', data: { code: 'INTERNAL' } }
  }
  const data = error.hint === undefined ? { code: error.code } : { code: error.code, hint: error.hint }
  if (error instanceof ForgedError) return { code: RPC_ERROR.forged, message: error.message, data }
  const known = CLASSES.find(([, type]) => error instanceof type)
  return { code: known?.[0] ?? RPC_ERROR.internal, message: error.message, data }
}

/** The error that an answer stands for: same class, code, text and hint. */
export function fromRpcError(object: RpcErrorObject): KithError {
  const { code, message, data } = object
  const options = { hint: data?.hint }
  if (code === RPC_ERROR.forged) return new ForgedError()
  const type = CLASSES.find(([number]) => number === code)?.[1]
  if (type !== undefined) return new type(data?.code ?? 'REFUSED', message, options)
  if (code === RPC_ERROR.unknownMethod) return new UsageError(data?.code ?? 'UNKNOWN_METHOD', message, options)
  if (code === RPC_ERROR.invalidParams) return new UsageError(data?.code ?? 'INVALID_PARAMS', message, options)
  return new InternalError(data?.code ?? 'INTERNAL', message, options)
}
