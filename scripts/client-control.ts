import type { OutputName } from './settlement.ts';

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
  /** Builds a circuit over these relays, by nickname, with a channel opened at each priced hop; waits until it is open. */
  openCircuit(path: readonly string[], isolation: string): Promise<CircuitReport>;
  circuits(): Promise<CircuitReport[]>;
  /** Ends a circuit in order: its channels may be settled. */
  closeCircuit(id: number): Promise<void>;
  close(): void;
}

/** Connects to the client whose control socket that is. */
export async function openControl(_socket: string): Promise<ClientControl> {
  throw new Error('not there');
}
