/** What must hold at every moment of every run, whatever fails and whoever cheats. */
export const rules = {
  I1: 'contract value = both shares + fee, on every branch of the chain; coins issued = held',
  I2: 'cells relayed <= paid + free, and none is charged that was not relayed',
  I3: 'durable best payment >= receipted >= credited',
  I4: 'durable best payment <= the most that its payer signed, and kept, <= what the contract holds',
  I5: 'the refund is stored and signed before its contract is broadcast, and spendable at T',
  I6: 'settled = durable best payment',
  I7: 'each payment is credited once, to the circuit that carried it',
  I8: 'queues stay within their caps',
  I9: 'free cells never serve an exit',
  I10: 'what is at risk unpaid, or prepaid, is at most a window a hop; nothing on a contract known to be in no block',
  I11: 'secrets are on no wire, in no log and on no chain',
  I12: 'whoever charges too much, or shows what is not its own or less than before, is paid no more',
  honest: 'nobody who keeps the rules is blamed, and no core throws',
  live: 'once faults stop, everybody is served, every channel settled or refunded, nothing left behind',
  same: 'equal seeds give equal runs',
} as const;

export type Rule = keyof typeof rules;

/** The first rule that did not hold. */
export interface Breach {
  readonly rule: Rule;
  /** Who and what, with figures. */
  readonly detail: string;
  readonly step: number;
  readonly virtualMs: number;
}

/** Notes the first breach of a run; what follows from it is of no interest. */
export class RuleBook {
  breach: Breach | undefined;
  readonly #now: () => Pick<Breach, 'step' | 'virtualMs'>;

  constructor(now: () => Pick<Breach, 'step' | 'virtualMs'>) {
    this.#now = now;
  }

  break(rule: Rule, detail: string): void {
    this.breach ??= { rule, detail, ...this.#now() };
  }

  /** @param detail made only when the rule is broken. */
  hold(holds: boolean, rule: Rule, detail: () => string): void {
    if (!holds && this.breach === undefined) this.break(rule, detail());
  }
}
