import { connect } from 'node:net';
import { type ExitCode, exitCode, type Fault, OperatorError } from '../src/base/fault.ts';
import { adviceOn } from './advice.ts';
import { LineReader } from './control-protocol.ts';

export type ControlEvent = Readonly<Record<string, unknown>> & { readonly event: string };

/** A command's connection to the running client. */
export interface ControlClient {
  /** The result, or an OperatorError with the exit code that fits. */
  call<T>(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    onEvent?: (event: ControlEvent) => void,
  ): Promise<T>;
  close(): void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: (event: ControlEvent) => void;
}

/** Connects to a client's control socket. */
export function openControl(path: string): Promise<ControlClient> {
  return new Promise((opened, failed) => {
    const socket = connect({ path });
    const pending = new Map<number, Pending>();
    const lines = new LineReader();
    let lastId = 0;
    let gone: OperatorError | undefined;
    const lose = (): void => {
      gone = new OperatorError('CLIENT_GONE', 'the client closed its control socket', exitCode.missing);
      for (const { reject } of pending.values()) reject(gone);
      pending.clear();
    };
    socket.on('error', error => {
      const code = (error as NodeJS.ErrnoException).code ?? error.message;
      const what = `no client runs here (${path}: ${code}); start one with: naulon up, or naulon client -f torrc`;
      failed(new OperatorError('CLIENT_NOT_RUNNING', what, exitCode.missing));
    });
    socket.on('close', lose);
    socket.on('data', chunk => {
      for (const line of lines.push(chunk) ?? []) onLine(JSON.parse(line), pending);
    });
    socket.on('connect', () =>
      opened({
        call: <T>(method: string, params = {}, onEvent = (_: ControlEvent): void => {}) =>
          new Promise<T>((resolve, reject) => {
            if (gone !== undefined) {
              reject(gone);
              return;
            }
            lastId += 1;
            pending.set(lastId, { resolve: value => resolve(value as T), reject, onEvent });
            const text = JSON.stringify({ id: lastId, method, params }, (_, value) =>
              typeof value === 'bigint' ? String(value) : value,
            );
            socket.write(`${text}\n`);
          }),
        close: () => socket.destroy(),
      }),
    );
  });
}

function onLine(message: Record<string, unknown>, pending: Map<number, Pending>): void {
  const waiting = pending.get(message.id as number);
  if (waiting === undefined) return;
  if (typeof message.event === 'string') {
    waiting.onEvent(message as ControlEvent);
    return;
  }
  pending.delete(message.id as number);
  const fault = message.error as Fault | undefined;
  if (fault === undefined) waiting.resolve(message.result);
  else waiting.reject(errorOf(fault));
}

/** A client's fault as the end of a command. */
export function errorOf({ code, detail }: Fault): OperatorError {
  return new OperatorError(code, adviceOn(code, detail), exitCodeOf(code));
}

function exitCodeOf(code: string): ExitCode {
  if (code === 'WALLET_ABSENT') return exitCode.missing;
  if (code === 'CIRCUIT_UNPAID' || code.startsWith('PAY_') || code.startsWith('WALLET_'))
    return exitCode.unpaid;
  if (code === 'CIRCUIT_CHEATED') return exitCode.cheated;
  if (code === 'CIRCUIT_TIMEOUT' || code === 'NO_VIEW') return exitCode.timeout;
  if (code === 'PSBT_REFUSED') return exitCode.usage;
  if (code.startsWith('CONTROL_') || code.startsWith('PATH_') || code.endsWith('_UNKNOWN'))
    return exitCode.usage;
  return exitCode.badAnswer;
}
