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
  let stop = (): void => control.close();
  const abort = (): void => stop();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const { id } = await openPaidCircuit(control, options, host, port, out);
    const ticket = await control.call<StreamTicket>('connect-stream', { circuit: id });
    const socket = await connectThrough(ticket, host, port);
    stop = () => socket.destroy();
    const error = await join(socket);
    const report = await control.call<CircuitReport>('close-circuit', { circuit: id });
    const paidMsat = report.hops.reduce((sum, hop) => sum + BigInt(hop.paidMsat), 0n);
    const broken = circuitError(report);
    if (broken !== undefined) throw broken;
    if (error !== undefined)
      throw new OperatorError('STREAM_BROKEN', `${target}: ${error.message}`, exitCode.badAnswer);
    const { bytesIn, bytesOut } = report;
    out.object({ target, bytesIn, bytesOut, paidMsat: String(paidMsat), circuit: report }, true);
    out.say(`${bytesOut} bytes sent, ${bytesIn} received, ${satText(paidMsat)} sat`);
    return options.signal?.aborted ? exitCode.interrupted : exitCode.ok;
  } catch (error) {
    if (options.signal?.aborted) return exitCode.interrupted;
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
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

/** Until both directions are done, or an error is. */
function join(socket: Socket): Promise<Error | undefined> {
  return new Promise(done => {
    process.stdin.pipe(socket);
    socket.pipe(process.stdout, { end: false });
    let broken: Error | undefined;
    socket.on('error', error => {
      broken = error;
    });
    socket.on('end', () => {
      process.stdin.unpipe(socket);
      process.stdin.pause();
      socket.end();
    });
    socket.on('close', () => done(broken));
  });
}
