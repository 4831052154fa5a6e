/** The recovery words as people write them down. */
import { table } from './layout.ts'

const COLUMNS = 4

/** Words in four columns, numbered downwards. */
export function wordRows(words: readonly string[]): string[] {
  const height = Math.ceil(words.length / COLUMNS)
  const cell = (index: number): string => `${String(index + 1).padStart(2)} ${words[index] ?? ''}`
  const columns = Array.from({ length: COLUMNS }, (_, column) => column)
  return table(
    Array.from({ length: height }, (_, row) => ['', ...columns.map((column) => cell(column * height + row))]),
  )
}
