import type { ManagedCircuit } from '../../../client/managed-circuit.ts';
import { congestionCellsMax, firstPaymentSatMin, topUpMarginCells } from '../../../src/base/limits.ts';
import type { RuleBook } from './rule-book.ts';
import type { TrialPlan } from './trial-plan.ts';

/** Rule I10 at the client: what it has prepaid at a hop, and would lose with it, stays near one window. */
export class PurseRules {
  readonly #book: RuleBook;
  readonly #prepaidMax: number;
  readonly #circuits = new Map<ManagedCircuit, number>();

  constructor(book: RuleBook, { window, priceMsatPer2Pow20 }: TrialPlan) {
    this.#book = book;
    const leastPaymentCells = Number((firstPaymentSatMin * 1_000n * 2n ** 20n) / priceMsatPer2Pow20);
    // What far ends may send unasked is bounded by the widest congestion window, here and at the hops behind.
    this.#prepaidMax = 2 * congestionCellsMax + topUpMarginCells + 2 * window + leastPaymentCells;
  }

  circuitOpened(client: number, circuit: ManagedCircuit): void {
    this.#circuits.set(circuit, client);
  }

  all(): void {
    for (const [circuit, client] of this.#circuits) {
      if (circuit.state === 'ended') {
        this.#circuits.delete(circuit);
        continue;
      }
      for (const [hop, { payer }] of (circuit.circuit?.hops ?? []).entries()) {
        const prepaid = payer?.spendable ?? 0;
        this.#book.hold(
          prepaid <= this.#prepaidMax,
          'I10',
          () => `client${client} has ${prepaid} cells prepaid at hop ${hop}`,
        );
      }
    }
  }
}
