import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { OperatorError } from '../src/base/fault.ts';
import type { OutputName } from './settlement.ts';
import { splitAddress } from './socks-client.ts';

/** What the client says of one hop of a circuit. */
export interface HopReport {
  readonly relay: string;
  /** msat per 2^20 cells. */
  readonly priceMsat: bigint;
  /** Cells that passed this hop, as the client counted them. */
  readonly cells: number;
  /** Cells that are paid for and not yet used. */
  readonly balance: number;
  readonly payments: number;
  readonly paidMsat: bigint;
  /** The channel's contract output, once there is one. */
  readonly contract?: OutputName;
}

export interface CircuitReport {
  readonly id: number;
  readonly hops: readonly HopReport[];
}

/** A running client, as its control socket offers it. */
export interface ClientControl {
  /** An address that funds the client's wallet. */
  walletAddress(): Promise<string>;
  walletSat(): Promise<bigint>;
  /**
   * Builds a circuit over these relays, by nickname, with a channel opened at each priced hop; waits until streams can
   * be opened. SOCKS connections of that user go there and nowhere else.
   */
  openCircuit(path: readonly string[], user: string): Promise<CircuitReport>;
  circuit(id: number): Promise<CircuitReport>;
  /** Ends a circuit in order, so that its channels may be settled: what it came to. */
  closeCircuit(id: number): Promise<CircuitReport>;
  close(): void;
}

interface Reply {
  readonly id?: number;
  readonly event?: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
}

/** Connects to the client whose control socket that is: a path, or HOST:PORT. */
export async function openControl(address: string): Promise<ClientControl> {
  const socket = await connected(address);
  const pending = new Map<number, Pending>();
  let lastId = 0;
  createInterface(socket).on('line', line => {
    const { id, event, result, error } = JSON.parse(line) as Reply;
    const asked = id === undefined || event !== undefined ? undefined : pending.get(id);
    if (asked === undefined || id === undefined) return;
    pending.delete(id);
    if (error === undefined) asked.resolve(result as never);
    else
      asked.reject(
        new OperatorError(error.code, `the client refuses: ${error.message}`, exitCodeOf(error.code)),
      );
  });
  socket.once('close', () => {
    for (const { reject } of pending.values())
      reject(new OperatorError('CONTROL_LOST', 'the client ended, or closed its control socket', 4));
    pending.clear();
  });
  const call = <T>(method: string, params: Record<string, unknown> = {}) =>
    new Promise<T>((resolve, reject) => {
      if (socket.destroyed) {
        reject(new OperatorError('CONTROL_LOST', 'the client closed its control socket', 4));
        return;
      }
      lastId += 1;
      pending.set(lastId, { resolve, reject });
      socket.write(`${JSON.stringify({ id: lastId, method, params })}\n`);
    });
  return {
    walletAddress: async () => (await call<{ address: string }>('wallet.address')).address,
    walletSat: async () => BigInt((await call<{ confirmedSat: string }>('wallet.balance')).confirmedSat),
    openCircuit: async (path, user) => report(await call('open-circuit', { path, user })),
    circuit: async id => report(await call('circuit', { circuit: id })),
    closeCircuit: async id => report(await call('close-circuit', { circuit: id })),
    close: () => socket.destroy(),
  };
}

/** Amounts travel as decimal strings. */
function report(sent: CircuitReport): CircuitReport {
  const hops = sent.hops.map(hop => ({
    ...hop,
    priceMsat: BigInt(hop.priceMsat),
    paidMsat: BigInt(hop.paidMsat),
  }));
  return { ...sent, hops };
}

/** Payment faults are 5, whatever else stops a circuit is 4 (README, exit codes). */
function exitCodeOf(code: string): number {
  return code.startsWith('PAY_') ? 5 : 4;
}

function connected(address: string): Promise<Socket> {
  const [host, port] = splitAddress(address);
  return new Promise((ready, failed) => {
    const socket = connect(Number.isInteger(port) && port > 0 ? { host, port } : { path: address });
    socket.once('connect', () => ready(socket));
    socket.once('error', error =>
      failed(
        new OperatorError('CONTROL_UNREACHABLE', `no client answers at ${address}: ${error.message}`, 3),
      ),
    );
    socket.on('error', () => {});
  });
}
