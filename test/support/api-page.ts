/** The reference page of the API, made of its own description: `node test/support/make-api-page.ts` writes it. */
import type { JsonSchema, OpenRpcDocument, OpenRpcMethod } from '../../node/api/openrpc.ts'

const HEAD = `# The API: every method

Made of the method table by \`node test/support/make-api-page.ts\`; a node tells the same as an OpenRPC document by \`rpc.discover\`. How a call
reaches a node stands in the [README](../README.md#for-programs) (socket, \`kith rpc\`) and in [HTTP.md](HTTP.md) (tokens, scopes, events). Parameters go by name; those
that are unknown are refused. A caller ignores fields of results that it does not know. Times are ISO 8601 in UTC.
`

/** Markdown of the whole page. */
export function apiPage({ methods }: OpenRpcDocument): string {
  const groups = [...new Set(methods.map(({ name }) => groupOf(name)))].toSorted()
  const parts = groups.map((group) => {
    const members = methods.filter(({ name }) => groupOf(name) === group)
    return [`## ${group}`, ...members.map(methodPart)].join('\n\n')
  })
  return `${[HEAD.trimEnd(), ...parts].join('\n\n')}\n`
}

function groupOf(name: string): string {
  return name.split('.')[0]!
}

function methodPart(method: OpenRpcMethod): string {
  const { name, summary, params, result, examples } = method
  const scope = method['x-scope'] === 'none' ? 'any token' : `scope \`${method['x-scope']}\``
  const limited = method['x-limited'] ? ', also for a token of one conversation' : ''
  const needs = method['x-needs'] === 'both' ? 'node and relay' : method['x-needs']
  const given = Object.fromEntries(examples[0]!.params.map(({ name: key, value }) => [key, value]))
  return [
    `### ${name}`,
    summary,
    `Answered by: ${needs}. Over HTTP: ${scope}${limited}.`,
    ...paramsPart(params),
    `Result: ${inCode(typeOf(result.schema))}`,
    `\`\`\`json\n${JSON.stringify({ jsonrpc: '2.0', id: 1, method: name, params: given })}\n\`\`\``,
  ].join('\n\n')
}

function paramsPart(params: OpenRpcMethod['params']): string[] {
  if (params.length === 0) return []
  const rows = params.map(({ name, required, description, schema }) => {
    const byDefault = schema.default === undefined ? '' : `default ${inCode(JSON.stringify(schema.default))}`
    const meaning = [required || schema.default !== undefined ? '' : 'optional', byDefault, description ?? '']
    return [inCode(name), inCode(typeOf(schema)), meaning.filter((part) => part !== '').join('; ')]
  })
  const all = [['parameter', 'type', 'meaning'], ...rows].map((cells) =>
    cells.map((cell) => cell.replaceAll('|', '\\|')),
  )
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((cells) => cells[column]!.length)))
  const line = (cells: string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [[line(all[0]!), line(widths.map((width) => '-'.repeat(width))), ...all.slice(1).map(line)].join('\n')]
}

function inCode(text: string): string {
  return `\`${text}\``
}

/** A schema in a form like TypeScript's. */
function typeOf(schema: JsonSchema): string {
  const either = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined
  if (either) return either.map(typeOf).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.type === 'array') {
    const item = typeOf((schema.items ?? {}) as JsonSchema)
    return item.includes(' ') ? `Array<${item}>` : `${item}[]`
  }
  if (schema.type === 'object') return objectType(schema)
  return typeof schema.type === 'string' ? schema.type : 'unknown'
}

function objectType({ properties, required = [], additionalProperties }: JsonSchema): string {
  const fields = Object.entries((properties ?? {}) as Record<string, JsonSchema>)
  if (fields.length === 0) {
    const isMap = typeof additionalProperties === 'object' && Object.keys(additionalProperties as object).length > 0
    return isMap ? `{ [name]: ${typeOf(additionalProperties as JsonSchema)} }` : '{}'
  }
  const told = fields.map(([name, schema]) => {
    const isOptional = !(required as string[]).includes(name)
    return `${name}${isOptional ? '?' : ''}: ${typeOf(schema)}`
  })
  return `{ ${told.join(', ')} }`
}
