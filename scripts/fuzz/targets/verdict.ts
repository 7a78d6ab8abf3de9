import type { Result } from '../../../src/base/fault.ts';

/** What a decoder said, without the parts that are different each time. */
export function verdictOf(result: Result<unknown>): string {
  if (result.ok) return 'ok';
  const { code, detail } = result.fault;
  return detail === undefined ? code : `${code} ${detail.replace(/[0-9]+/g, '#').slice(0, 60)}`;
}
