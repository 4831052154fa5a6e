/** Small drawings beside words. They say nothing that no word says, so readers pass over them. */

const PATHS = {
  inbox: 'M4 13v5a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-5l-3-9H7l-3 9zm0 0h5l1 3h4l1-3h5',
  add: 'M10 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7 8c0-3.5 3-5 7-5 1.2 0 2.3.150 3.2.450M18 14v6m-3-3h6',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zm5-2 5 5',
  network:
    'M12 7a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM5 22a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zm14 0a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM10.7 6.7 6.3 17.3m7-10.6 4.4 10.6M7.5 19.5h9',
  settings:
    'M4 7h9m5 0h2M4 17h2m5 0h9M15.5 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zm-7 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  back: 'M15 5l-7 7 7 7',
  send: 'M5 12h13m-6-7 7 7-7 7',
  down: 'M12 5v13m-6-6 6 7 6-7',
  shield: 'M12 3l8 3v6c0 4.5-3.3 7.5-8 9-4.7-1.5-8-4.5-8-9V6l8-3zm-3.5 9 2.5 2.5 4.5-5',
  unverified: 'M12 3l8 3v6c0 4.5-3.3 7.5-8 9-4.7-1.5-8-4.5-8-9V6l8-3z',
  warning: 'M12 4 2.8 20h18.4L12 4zm0 6v5m0 2.5v.1',
  copy: 'M9 9h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1zm-4 6H4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1h10a1 1 0 0 1 1 1v1',
  more: 'M12 6v.1M12 12v.1M12 18v.1',
  key: 'M8 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm4-4h9m-3 0v3',
  close: 'M6 6l12 12M18 6 6 18',
  clock: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zm0-12v4l3 2',
  ring: 'M12 18a6 6 0 1 0 0-12 6 6 0 0 0 0 12z',
  check: 'M5 13l4.5 4.5L19 7',
  double: 'M1.5 13 6 17.5 15.5 7M12 16.5l1 1L22.5 7',
  filled: 'M1.5 13 6 17.5 15.5 7M12 16.5l1 1L22.5 7',
  cross: 'M7 7l10 10M17 7 7 17',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      class={`icon icon-${name}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  )
}
