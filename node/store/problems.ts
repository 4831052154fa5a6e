/** What is wrong with an open store, in words: rows that were passed over, and a disk that takes nothing any more. */
import { TABLE } from '../ports.ts'
import type { RowStore } from './rows.ts'

/** Something that stays wrong until somebody does something about it. */
interface StoreProblem {
  code: string
  message: string
  hint: string
}

/** What the rows of a table are called. */
export function nameOfTable(table: number): string {
  return Object.entries(TABLE).find(([, number]) => number === table)?.[0] ?? `table ${table}`
}

export function storeProblems(store: Pick<RowStore, 'damaged' | 'failure'>): StoreProblem[] {
  const problems: StoreProblem[] = []
  const failure = store.failure()
  if (failure !== undefined) {
    problems.push({ code: failure.code, message: failure.message, hint: failure.hint ?? 'start kith again' })
  }
  const damaged = [...store.damaged()]
  if (damaged.length > 0) {
    problems.push({
      code: 'ROWS_DAMAGED',
      message: `rows that cannot be read any more were passed over: ${listTables(damaged)}`,
      hint: 'stop kith, then `kith doctor --repair` takes them out',
    })
  }
  return problems
}

/** `3 history, 1 session`. */
export function listTables(counts: Iterable<readonly [number, number]>): string {
  return [...counts].map(([table, count]) => `${count} ${nameOfTable(table)}`).join(', ')
}
