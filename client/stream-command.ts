import type { Socket } from 'node:net';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import type { CircuitReport } from './circuit-report.ts';
import { type CommandOutput, satText } from './command-output.ts';
import { openControl } from './control-client.ts';
import { type CircuitOptions, circuitError, openPaidCircuit } from './get-command.ts';
import { connectThrough, type StreamTicket } from './socks-connect.ts';

export interface StreamOptions extends CircuitOptions {
  /** The client's control socket. */
  readonly control: string;
  readonly signal?: AbortSignal;
}

/** `naulon stream HOST:PORT`: standard input and output over a paid circuit of its own, as nc does. */
export async function streamCommand(
  target: string,
  options: StreamOptions,
  out: CommandOutput,
): Promise<number> {
  const { host, port } = parseTarget(target);
  const control = await openControl(options.control);
  try {
    const { id } = await openPaidCircuit(control, options, host, port, out);
    const ticket = await control.call<StreamTicket>('connect-stream', { circuit: id });
    const socket = await connectThrough(ticket, host, port);
    const abort = (): void => {
      socket.destroy();
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    await join(socket);
    const report = await control.call<CircuitReport>('close-circuit', { circuit: id });
    const paidMsat = report.hops.reduce((sum, hop) => sum + BigInt(hop.paidMsat), 0n);
    const broken = circuitError(report);
    if (broken !== undefined) throw broken;
    out.say(`${report.bytesOut} bytes sent, ${report.bytesIn} received, ${satText(paidMsat)} sat`);
    return options.signal?.aborted ? exitCode.interrupted : exitCode.ok;
  } finally {
    control.close();
  }
}

export function parseTarget(target: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(target);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new OperatorError('USAGE', `${target}: HOST:PORT is needed`, exitCode.usage);
  }
  return { host: match[1] ?? match[2], port };
}

/** Until both directions are done. */
function join(socket: Socket): Promise<void> {
  return new Promise((done, failed) => {
    process.stdin.pipe(socket);
    socket.pipe(process.stdout, { end: false });
    socket.on('error', failed);
    socket.on('end', () => {
      process.stdin.unpipe(socket);
      process.stdin.pause();
      socket.end();
    });
    socket.on('close', () => done());
  });
}
