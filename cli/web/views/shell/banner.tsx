/** Across the page, while the node is gone. */
import { isGone } from '../../state/page.ts'

export function Banner() {
  return (
    <div class="banner-place" role="status">
      {isGone.value && (
        <p class="banner">
          <strong>Your node has stopped.</strong> What you write is kept here and not sent. The page goes on by itself
          when the node is back.
        </p>
      )}
    </div>
  )
}
