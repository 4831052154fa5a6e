/**
 * The method table as an OpenRPC document (https://spec.open-rpc.org, 1.3): what `rpc.discover` answers, and what the
 * reference page and tools for other languages are made of. Parameters go by name; what OpenRPC has no word for stands in
 * fields that begin with `x-`.
 */
import { z } from 'zod'

const OPENRPC_VERSION = '1.3.2'

/** Of an entry of the method table, what is told. */
export interface DescribedMethod {
  summary: string
  needs: string
  scope: string
  limited?: true
  example: unknown
  params: z.ZodType
  result: z.ZodType
}

export type JsonSchema = Record<string, unknown>

export interface ContentDescriptor {
  name: string
  required: boolean
  description?: string
  schema: JsonSchema
}

export interface OpenRpcMethod {
  name: string
  summary: string
  paramStructure: 'by-name'
  params: ContentDescriptor[]
  result: { name: string; schema: JsonSchema }
  examples: { name: string; params: { name: string; value: unknown }[] }[]
  /** Which node answers it: `node`, `relay` or `both`. */
  'x-needs': string
  /** What a token has to be good for; `none` for nothing. */
  'x-scope': string
  /** Whether a token of one conversation may call it. */
  'x-limited': boolean
}

export interface OpenRpcDocument {
  openrpc: string
  info: { title: string; version: string; description: string }
  methods: OpenRpcMethod[]
}

/** @param version of the API: a change that breaks callers raises it */
export function describeApi(methods: Readonly<Record<string, DescribedMethod>>, version: number): OpenRpcDocument {
  return {
    openrpc: OPENRPC_VERSION,
    info: {
      title: 'Kith',
      version: `${version}.0.0`,
      description: 'What a running node of Kith offers to programs. Times are ISO 8601 in UTC, lives are seconds.',
    },
    methods: Object.entries(methods).map(([name, method]) => describeMethod(name, method)),
  }
}

function describeMethod(name: string, method: DescribedMethod): OpenRpcMethod {
  const { summary, needs, scope, limited = false, example, params, result } = method
  return {
    name,
    summary,
    paramStructure: 'by-name',
    params: paramsOf(schemaOf(params, 'input')),
    result: { name: 'result', schema: schemaOf(result, 'output') },
    examples: [
      { name: 'example', params: Object.entries(example as object).map(([key, value]) => ({ name: key, value })) },
    ],
    'x-needs': needs,
    'x-scope': scope,
    'x-limited': limited,
  }
}

function paramsOf({ properties = {}, required = [] }: JsonSchema): ContentDescriptor[] {
  return Object.entries(properties as Record<string, JsonSchema>).map(([name, schema]) => ({
    name,
    required: (required as string[]).includes(name),
    ...(typeof schema.description === 'string' && { description: schema.description }),
    schema,
  }))
}

function schemaOf(shape: z.ZodType, io: 'input' | 'output'): JsonSchema {
  // draft 7 is what OpenRPC is defined by
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io, unrepresentable: 'any', target: 'draft-7' })
  return schema
}
