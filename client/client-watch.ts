import type { Fault } from '../src/base/fault.ts';
import type { NetworkView } from '../src/directory/network-view.ts';
import type { HeldLink, LinkStep } from './link-pool.ts';
import type { HopMoney, ManagedCircuit } from './managed-circuit.ts';
import type { RequestedStream, StreamStep } from './requested-stream.ts';

/** `extended`: one more hop is there. The last hop's is followed by `built`. */
export type CircuitStep = 'launched' | 'extended' | 'built' | 'ended';

/** A hop has credited one more payment; its money as it stands with it. */
export interface CreditedPayment extends HopMoney {
  /** Of the circuit's path, from 0. */
  readonly hop: number;
}

/** Hears every step as it happens; nothing in the client waits for it. */
export interface ClientWatch {
  onCircuit(circuit: ManagedCircuit, step: CircuitStep): void;
  onStream(stream: RequestedStream, step: StreamStep): void;
  /** `fault` says why a link ended, or never was. */
  onLink(link: HeldLink, step: LinkStep, fault?: Fault): void;
  onView(view: NetworkView): void;
  onPayment(circuit: ManagedCircuit, payment: CreditedPayment): void;
}
