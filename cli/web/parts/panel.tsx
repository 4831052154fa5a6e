/** A view that is no conversation: a heading that takes the focus when it opens, and room for cards. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Icon } from './icon.tsx'

export function Panel({ title, children }: { title: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <main class="panel" id="main">
      <header class="panel-head">
        <BackLink />
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
      </header>
      <div class="panel-body">{children}</div>
    </main>
  )
}

/** Back to the list, where there is room for one of both alone. */
export function BackLink() {
  return (
    <a class="icon-button back" href="#/" aria-label="Back to the conversations">
      <Icon name="back" />
    </a>
  )
}
