import { rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { type ExitCode, exitCode, OperatorError } from '../base/fault.ts';
import { controlConnectionsMax, controlLineBytesMax } from '../base/limits.ts';
import { closeServer, listenAt } from './server-socket.ts';

/**
 * A running process takes one request a connection, from commands of the same user: the folder that the socket stands in is
 * that user's alone. One line of JSON each way: a request, then `{"value": …}` or `{"fault": …}`.
 */
type Answer = { readonly value: unknown } | { readonly fault: ToldFault };

interface ToldFault {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
}

/**
 * Serves requests until the returned function is called.
 * @param serve an OperatorError that it throws is the command's; anything else says that the request makes no sense.
 */
export async function serveCommands(
  path: string,
  serve: (request: unknown) => unknown,
): Promise<() => Promise<void>> {
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer(socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    let bytes = 0;
    socket.on('data', chunk => {
      bytes += chunk.length;
      if (bytes > controlLineBytesMax) socket.destroy();
    });
    firstLine(socket, line => {
      void answerTo(line, serve).then(answer => {
        if (!socket.destroyed) socket.end(`${JSON.stringify(answer)}\n`);
      });
    });
  });
  server.maxConnections = controlConnectionsMax;
  // The file is made inside the call: at no moment may others connect to it.
  const before = process.umask(0o177);
  const listening = listenAt(server, { path });
  process.umask(before);
  await listening;
  return async () => {
    for (const socket of open) socket.destroy();
    await closeServer(server);
    rmSync(path, { force: true });
  };
}

function firstLine(socket: Socket, onLine: (line: string) => void): void {
  // A socket's error is an error of its lines too.
  createInterface({ input: socket })
    .once('line', onLine)
    .on('error', () => {});
}

async function answerTo(line: string, serve: (request: unknown) => unknown): Promise<Answer> {
  try {
    return { value: await serve(JSON.parse(line)) };
  } catch (error) {
    if (!(error instanceof OperatorError))
      return { fault: { code: 'USAGE', message: `not a request: ${line}`, exitCode: exitCode.usage } };
    const { code, message, exitCode: end } = error;
    return { fault: { code, message, exitCode: end } };
  }
}

/** Asks the process that serves there; its fault is thrown. Undefined: none does. */
export async function askProcess(path: string, request: unknown): Promise<unknown> {
  const socket = createConnection({ path });
  const line = await new Promise<string | undefined>(answered => {
    socket.once('error', () => answered(undefined)).once('close', () => answered(undefined));
    firstLine(socket, answered);
    socket.write(`${JSON.stringify(request)}\n`);
  });
  socket.destroy();
  if (line === undefined) return undefined;
  const answer = JSON.parse(line) as Answer;
  if ('value' in answer) return answer.value;
  const { code, message, exitCode: end } = answer.fault;
  throw new OperatorError(code, message, end);
}
