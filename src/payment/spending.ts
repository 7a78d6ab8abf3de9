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

  /** Counts a payment that is about to be sent; the writes must be durable before it is. */
  take(relay: string, circuit: CircuitAllowance, msat: Value): readonly StoreWrite[] {
    this.#turnDay();
    circuit.take(msat);
    this.#byRelay.set(relay, (this.#byRelay.get(relay) ?? 0n) + msat);
    this.#daySpent += msat;
    if (this.#limits.dayMsat === undefined || msat === 0n) return [];
    return [{ key: dayKey, value: utf8(`${this.#day} ${this.#daySpent}`) }];
  }

  /** A payment that the payee refused is not spent. */
  giveBack(relay: string, circuit: CircuitAllowance, msat: Value): void {
    circuit.take(-msat);
    this.#byRelay.set(relay, (this.#byRelay.get(relay) ?? 0n) - msat);
    this.#daySpent -= msat;
  }

  #turnDay(): void {
    const today = Math.floor(this.#clock.wallMs() / dayMs);
    if (today === this.#day) return;
    this.#day = today;
    this.#daySpent = 0n;
  }
}
