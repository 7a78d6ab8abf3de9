import { exitCode, OperatorError } from '../../src/base/fault.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { cellCodecs } from './targets/cell-codecs.ts';
import { clientCells } from './targets/client-cells.ts';
import { configTargets } from './targets/config.ts';
import { control } from './targets/control.ts';
import { documentTargets } from './targets/documents.ts';
import { httpRequests, httpResponses } from './targets/http.ts';
import { payments, receipts } from './targets/payments.ts';
import { records } from './targets/records.ts';
import { relayCells } from './targets/relay-cells.ts';
import { socks } from './targets/socks.ts';

/** All that takes bytes from others, in the order of the table. */
export const fuzzTargets: readonly FuzzTarget[] = [
  cellCodecs,
  relayCells,
  clientCells,
  ...documentTargets,
  httpRequests,
  httpResponses,
  socks,
  control,
  payments,
  receipts,
  ...configTargets,
  records,
];

export function targetNamed(name: string): FuzzTarget {
  const target = fuzzTargets.find(each => each.name === name);
  if (target !== undefined) return target;
  const names = fuzzTargets.map(each => each.name).join(', ');
  throw new OperatorError('USAGE', `there is no target ${name}: ${names}`, exitCode.usage);
}
