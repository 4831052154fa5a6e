/** Opens an address in the person's browser, where there is a desktop. */
import { spawn } from 'node:child_process'

/** The program that opens addresses; undefined where there is no desktop. */
export function openerOf(
  env: Record<string, string | undefined>,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  if (platform === 'darwin') return 'open'
  if (platform !== 'linux') return undefined
  const isDesktop = [env.DISPLAY, env.WAYLAND_DISPLAY].some((value) => value !== undefined && value !== '')
  return isDesktop ? 'xdg-open' : undefined
}

/** @returns whether something was started; whether a window came of it nobody says */
export async function openBrowser(url: string, env: Record<string, string | undefined>): Promise<boolean> {
  const opener = openerOf(env)
  if (opener === undefined) return false
  return await new Promise((resolve) => {
    const child = spawn(opener, [url], { detached: true, stdio: 'ignore' })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}
