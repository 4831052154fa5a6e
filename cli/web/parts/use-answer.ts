/** What the node answers to one question, asked again when the question changes. */
import { useEffect, useState } from 'preact/hooks'
import { failureText } from '../state/failure.ts'

export type Answer<T> = { state: 'asking' } | { state: 'there'; value: T } | { state: 'failed'; why: string }

/** @param question what the answer depends on; a new one makes the old answer void */
export function useAnswer<T>(ask: () => Promise<T>, question: string): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ state: 'asking' })
  useEffect(() => {
    let isWanted = true
    ask().then(
      (value) => isWanted && setAnswer({ state: 'there', value }),
      (error: unknown) => isWanted && setAnswer({ state: 'failed', why: failureText(error) }),
    )
    return () => {
      isWanted = false
    }
  }, [question])
  return answer
}
