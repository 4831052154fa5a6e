/** Rows in the memory of a simulated disk, in order of position inside each table and scope. */
import type { Row, RowChange, RowKey, RowRange } from '../../node/ports.ts'

const DEFAULT_LIMIT = 1000

interface Scope {
  /** Positions as text with one character a byte, which sorts as the bytes do. */
  order: string[]
  values: Map<string, Uint8Array>
}

export class SortedRows {
  readonly #scopes = new Map<string, Scope>()

  get(key: RowKey): Uint8Array | undefined {
    return this.#scopes.get(scopeName(key))?.values.get(text(key.position))?.slice()
  }

  list({ table, scope, from, to, limit = DEFAULT_LIMIT, reverse = false }: RowRange): Row[] {
    const found = this.#scopes.get(scopeName({ table, scope }))
    if (found === undefined) return []
    const start = from === undefined ? 0 : placeOf(found.order, text(from))
    const end = to === undefined ? found.order.length : placeOf(found.order, text(to))
    const first = reverse ? Math.max(start, end - limit) : start
    const names = found.order.slice(first, reverse ? end : Math.min(end, start + limit))
    if (reverse) names.reverse()
    return names.map((name) => ({
      position: new Uint8Array(Buffer.from(name, 'latin1')),
      value: found.values.get(name)!.slice(),
    }))
  }

  /** Takes the values as they are; the caller gives them away. */
  apply(changes: readonly RowChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#delete(key)
      else this.#put(key, value)
    }
  }

  /** How many there are, in all tables. */
  count(): number {
    let sum = 0
    for (const { order } of this.#scopes.values()) sum += order.length
    return sum
  }

  copy(): SortedRows {
    const copy = new SortedRows()
    for (const [name, scope] of this.#scopes) {
      copy.#scopes.set(name, { order: [...scope.order], values: new Map(scope.values) })
    }
    return copy
  }

  #put(key: RowKey, value: Uint8Array): void {
    const name = scopeName(key)
    let scope = this.#scopes.get(name)
    if (scope === undefined) {
      scope = { order: [], values: new Map() }
      this.#scopes.set(name, scope)
    }
    const position = text(key.position)
    if (!scope.values.has(position)) scope.order.splice(placeOf(scope.order, position), 0, position)
    scope.values.set(position, value)
  }

  #delete(key: RowKey): void {
    const name = scopeName(key)
    const scope = this.#scopes.get(name)
    const position = text(key.position)
    if (scope === undefined || !scope.values.delete(position)) return
    scope.order.splice(placeOf(scope.order, position), 1)
    if (scope.order.length === 0) this.#scopes.delete(name)
  }
}

function scopeName({ table, scope }: { table: number; scope: Uint8Array }): string {
  return `${table}:${text(scope)}`
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** Index of the first position that is not before `position`. */
function placeOf(order: readonly string[], position: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order[middle]! < position) low = middle + 1
    else high = middle
  }
  return low
}
