import { fromUtf8, utf8 } from '../base/bytes.ts';
import type { Clock, StorePort, StoreWrite } from '../ports.ts';
import type { Value } from './scheme.ts';

/** The most that may be spent, in msat; absent: no limit of that kind. */
export interface SpendingLimits {
  readonly relayMsat?: Value;
  readonly dayMsat?: Value;
}

/** What one circuit may still spend, over all its hops. */
export class CircuitAllowance {
  #leftMsat: Value | undefined;

  /** @param maxMsat absent: no limit of its own. */
  constructor(maxMsat: Value | undefined) {
    this.#leftMsat = maxMsat;
  }

  get leftMsat(): Value | undefined {
    return this.#leftMsat;
  }

  take(msat: Value): void {
    if (this.#leftMsat !== undefined) this.#leftMsat -= msat;
  }
}

/** What counts against the limits until it is given back. */
export interface Spent {
  readonly relay: string;
  readonly circuit: CircuitAllowance;
  readonly msat: Value;
  /** Days since 1970. */
  readonly day: number;
}

const dayMs = 86_400_000;
const dayKey = 'payer/spent-on-day';

/**
 * What a client has spent, against its limits by relay and by day. The day's sum is durable before the payment that
 * raises it is sent, so a restart does not open the purse anew. The sum by relay lasts as long as the client runs.
 */
export class Spending {
  readonly #limits: SpendingLimits;
  readonly #clock: Clock;
  readonly #byRelay = new Map<string, Value>();
  #day: number;
  #daySpent = 0n;

  constructor(limits: SpendingLimits, clock: Clock, store: StorePort) {
    this.#limits = limits;
    this.#clock = clock;
    this.#day = Math.floor(clock.wallMs() / dayMs);
    const stored = store.get(dayKey);
    const [day, spent] = stored === undefined ? [] : fromUtf8(stored).split(' ');
    if (spent !== undefined && Number(day) === this.#day) this.#daySpent = BigInt(spent);
  }

  /** How much may go to this relay now on this circuit; undefined: any amount. */
  leftMsat(relay: string, circuit: CircuitAllowance): Value | undefined {
    this.#turnDay();
    const { relayMsat, dayMsat } = this.#limits;
    const left = [
      circuit.leftMsat,
      relayMsat === undefined ? undefined : relayMsat - (this.#byRelay.get(relay) ?? 0n),
      dayMsat === undefined ? undefined : dayMsat - this.#daySpent,
    ].filter(each => each !== undefined);
    return left.length === 0 ? undefined : left.reduce((least, each) => (each < least ? each : least));
  }

  /** Counts a payment that is about to be made. */
  take(relay: string, circuit: CircuitAllowance, msat: Value): Spent {
    this.#turnDay();
    circuit.take(msat);
    this.#byRelay.set(relay, (this.#byRelay.get(relay) ?? 0n) + msat);
    this.#daySpent += msat;
    return { relay, circuit, msat, day: this.#day };
  }

  /** What must be durable before a payment that was taken is sent. */
  get writes(): readonly StoreWrite[] {
    if (this.#limits.dayMsat === undefined) return [];
    return [{ key: dayKey, value: utf8(`${this.#day} ${this.#daySpent}`) }];
  }

  /** The payment was not made, or its payee refused it. */
  giveBack({ relay, circuit, msat, day }: Spent): void {
    circuit.take(-msat);
    this.#byRelay.set(relay, (this.#byRelay.get(relay) ?? 0n) - msat);
    // What counted for a day that is over is no allowance for another.
    if (day === this.#day) this.#daySpent -= msat;
  }

  #turnDay(): void {
    const today = Math.floor(this.#clock.wallMs() / dayMs);
    if (today === this.#day) return;
    this.#day = today;
    this.#daySpent = 0n;
  }
}
