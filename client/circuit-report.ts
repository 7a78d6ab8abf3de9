import type { ManagedCircuit } from './managed-circuit.ts';

/** A circuit as the control socket tells of it. */
export interface CircuitReport {
  readonly id: number;
  readonly purpose: string;
  readonly state: string;
  /** Seconds since it was asked for. */
  readonly ageSeconds: number;
  readonly streams: number;
  /** Bytes of streams. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly hops: readonly HopReport[];
  /** Why it ended, once it has. */
  readonly fault?: { readonly code: string; readonly detail?: string };
}

export interface HopReport {
  readonly relay: string;
  /** msat for 2^20 cells; 0: free of charge. */
  readonly priceMsat: bigint;
  /** Cells that have passed the hop, either way, by the client's count. */
  readonly cells: number;
  /** Cells that are paid for and not used. */
  readonly balance: number;
  /** Congestion control was agreed on with the hop; otherwise windows are fixed. */
  readonly congestionControl: boolean;
  readonly payments: number;
  readonly paidMsat: bigint;
  /** True when the hop is free, or paid so that streams can be opened. */
  readonly paid: boolean;
  /** The contract's output, where the scheme has one. */
  readonly contract?: { readonly txid: string; readonly index: number };
}

export function circuitReport(circuit: ManagedCircuit, nowMs: number): CircuitReport {
  const money = circuit.payments?.hops();
  const { id, purpose, state, openStreams, bytesIn, bytesOut, fault } = circuit;
  const hops = circuit.path.map(({ nickname, relay }, hop): HopReport => {
    const priceMsat = relay?.priceMsatPer2Pow20 ?? 0n;
    const paid = money?.[hop];
    const state = circuit.circuit?.hops[hop];
    return {
      relay: nickname,
      priceMsat,
      cells: state?.cells ?? 0,
      congestionControl: state !== undefined && !state.flow.streamWindows,
      balance: paid?.balance ?? 0,
      payments: paid?.payments ?? 0,
      paidMsat: paid?.paidMsat ?? 0n,
      paid: priceMsat === 0n || (paid?.paid ?? false),
      contract: paid?.contract,
    };
  });
  const ageSeconds = Math.floor((nowMs - circuit.createdMs) / 1000);
  return { id, purpose, state, ageSeconds, streams: openStreams, bytesIn, bytesOut, hops, fault };
}
