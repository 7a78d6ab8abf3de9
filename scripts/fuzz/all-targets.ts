import { exitCode, OperatorError } from '../../src/base/fault.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { documentTargets } from './targets/documents.ts';

/** All that takes bytes from others, in the order of the table. */
export const fuzzTargets: readonly FuzzTarget[] = [...documentTargets];

export function targetNamed(name: string): FuzzTarget {
  const target = fuzzTargets.find(each => each.name === name);
  if (target !== undefined) return target;
  const names = fuzzTargets.map(each => each.name).join(', ');
  throw new OperatorError('USAGE', `there is no target ${name}: ${names}`, exitCode.usage);
}
