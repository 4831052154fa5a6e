/** Overwriting of secrets that are used up, as far as JavaScript lets a program do it: copies that the runtime made stay. */

/** Writes zeros over buffers that the caller owns. */
export function wipe(...secrets: Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}
