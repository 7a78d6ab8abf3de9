import { timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that depends on their length alone. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
