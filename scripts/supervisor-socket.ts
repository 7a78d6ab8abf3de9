import { rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { type ExitCode, exitCode, OperatorError } from '../src/base/fault.ts';
import type { NodeState } from './network-state.ts';

/**
 * The supervisor of a running network takes one request a connection, from commands of the same user: the folder that
 * its socket stands in is that user's alone. One line of JSON each way: a request, then the node or a fault.
 */
const requestSchema = z.strictObject({
  add: z.enum(['relay', 'tor']),
  exit: z.boolean(),
  nickname: z.string().optional(),
  price: z.string().optional(),
});

/** One more relay; `tor` is the real C tor. */
export type AddRequest = z.output<typeof requestSchema>;

type Answer = { readonly added: NodeState } | { readonly fault: ToldFault };

interface ToldFault {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
}

const socketOf = (dir: string): string => join(dir, 'supervisor');

/** Serves requests until the returned function is called. */
export async function serveSupervisor(
  dir: string,
  add: (request: AddRequest) => Promise<NodeState>,
): Promise<() => void> {
  const path = socketOf(dir);
  rmSync(path, { force: true });
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).once(
      'line',
      line => void serve(line, add).then(answer => reply(socket, answer)),
    );
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(path, listening);
  });
  return () => {
    server.close();
    rmSync(path, { force: true });
  };
}

async function serve(line: string, add: (request: AddRequest) => Promise<NodeState>): Promise<Answer> {
  try {
    return { added: await add(requestSchema.parse(JSON.parse(line))) };
  } catch (error) {
    if (error instanceof OperatorError) {
      const { code, message, exitCode } = error;
      return { fault: { code, message, exitCode } };
    }
    return { fault: { code: 'USAGE', message: `not a request: ${line}`, exitCode: exitCode.usage } };
  }
}

function reply(socket: Socket, answer: Answer): void {
  if (!socket.destroyed) socket.end(`${JSON.stringify(answer)}\n`);
}

/** Asks the supervisor of the network in `dir`; its fault is thrown. */
export async function askSupervisor(dir: string, request: AddRequest): Promise<NodeState> {
  const socket = createConnection({ path: socketOf(dir) });
  const gone = new OperatorError('NETWORK_ENDED', `the network in ${dir} does not answer`, exitCode.timeout);
  const line = await new Promise<string>((answered, failed) => {
    socket.once('error', () => failed(gone)).once('close', () => failed(gone));
    createInterface({ input: socket }).once('line', answered);
    socket.write(`${JSON.stringify(request)}\n`);
  });
  socket.destroy();
  const answer = JSON.parse(line) as Answer;
  if ('added' in answer) return answer.added;
  const { code, message, exitCode: end } = answer.fault;
  throw new OperatorError(code, message, end);
}
