import { join } from 'node:path';
import { z } from 'zod';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { askProcess, serveCommands } from '../src/node-io/command-socket.ts';
import type { NodeState } from './network-state.ts';

/** What commands ask of the supervisor of a running network. */
const requestSchema = z.strictObject({
  add: z.enum(['relay', 'tor']),
  exit: z.boolean(),
  nickname: z.string().optional(),
  price: z.string().optional(),
});

/** One more relay; `tor` is the real C tor. */
export type AddRequest = z.output<typeof requestSchema>;

const socketOf = (dir: string): string => join(dir, 'supervisor');

/** Serves requests until the returned function is called. */
export function serveSupervisor(
  dir: string,
  add: (request: AddRequest) => Promise<NodeState>,
): Promise<() => Promise<void>> {
  return serveCommands(socketOf(dir), request => add(requestSchema.parse(request)));
}

/** Asks the supervisor of the network in `dir`; its fault is thrown. */
export async function askSupervisor(dir: string, request: AddRequest): Promise<NodeState> {
  const added = await askProcess(socketOf(dir), request);
  if (added === undefined)
    throw new OperatorError('NETWORK_ENDED', `the network in ${dir} does not answer`, exitCode.timeout);
  return added as NodeState;
}
