/** Whether somebody wrote the words down: one of them is asked for. Pure. */

/** A word of the phrase, from 1, and whether an answer is it. */
export interface WordQuestion {
  number: number
  isRight(answer: string): boolean
}

/** @param draw a number from 0 to 1, 1 excluded */
export function wordQuestion(words: string, draw: number): WordQuestion {
  const list = words.split(' ')
  const index = Math.floor(draw * list.length)
  return {
    number: index + 1,
    isRight: (answer) => answer.trim().toLowerCase() === list[index],
  }
}
