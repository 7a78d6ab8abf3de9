import type { CreditedPayment } from '../client-watch.ts';
import type { ManagedCircuit } from '../managed-circuit.ts';
import { relayWord } from './circuit-words.ts';

/** Payments as our own event and GETINFO keys tell them: `CIRCUIT HOP $FINGERPRINT~Nickname KEY=VALUE…`, hops from 1. */
export function paymentWords(circuit: ManagedCircuit, payment: CreditedPayment): string {
  const { hop, balance, payments, paidMsat, contract } = payment;
  const planned = circuit.path[hop];
  const price = planned.relay?.priceMsatPer2Pow20 ?? 0n;
  const words = [circuit.id, hop + 1, relayWord(planned), `PRICE_MSAT=${price}`, `PAID_MSAT=${paidMsat}`];
  words.push(`PAYMENTS=${payments}`, `BALANCE_CELLS=${balance}`);
  if (contract !== undefined) words.push(`CONTRACT=${contract.txid}:${contract.index}`);
  return words.join(' ');
}

/** A line for each priced hop of a circuit that pays. */
export function circuitPayments(circuit: ManagedCircuit): string[] {
  const hops = circuit.payments?.hops() ?? [];
  return [...hops.entries()]
    .filter(([hop]) => (circuit.path[hop].relay?.priceMsatPer2Pow20 ?? 0n) > 0n)
    .map(([hop, money]) => paymentWords(circuit, { hop, ...money }));
}

/** An object that the control socket tells, as `KEY_NAME=value` words; what is null is left out. */
export function factWords(facts: object): string {
  return Object.entries(facts)
    .filter(([, value]) => value !== null && value !== undefined && typeof value !== 'object')
    .map(([name, value]) => `${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}=${value}`)
    .join(' ');
}
