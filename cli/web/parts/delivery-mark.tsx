/** How far a message has come: a small mark, and the word for it. */
import { markOf, STATE_MEANINGS, STATE_WORDS } from '../state/states.ts'
import type { ShownState } from '../state/thread.ts'
import { Icon } from './icon.tsx'

export function DeliveryMark({ state, isWordShown }: { state: ShownState; isWordShown: boolean }) {
  return (
    <span class={`mark mark-${state}`} title={STATE_MEANINGS[state]}>
      <Icon name={markOf(state)} size={15} />
      <span class={isWordShown ? '' : 'aside'}>{STATE_WORDS[state]}</span>
    </span>
  )
}
