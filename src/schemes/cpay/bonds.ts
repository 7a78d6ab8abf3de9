import { toHex } from '../../base/bytes.ts';
import { assistantBondMsat } from '../../base/limits.ts';
import type { BrokerHost } from '../../payment/broker-side.ts';
import type { StoreWrite } from '../../ports.ts';
import type { BrokerRings } from './broker-rings.ts';
import { type Leases, leaseMs } from './leases.ts';
import { type Assistant, assistantsMax } from './messages.ts';

interface Offer extends Pick<Assistant, 'key' | 'at'> {
  readonly madeMs: number;
}

/**
 * Who of those that offer it may assist. Keys cost nothing, so whoever has a bond at the broker goes before all who have none: those
 * assist only while nobody has, since relays begin with empty accounts. What is offered too early is looked at again in each epoch.
 */
export class Bonds {
  readonly #host: BrokerHost;
  readonly #rings: BrokerRings;
  readonly #leases: Leases;
  /** Offers of those without a bond, by key, the oldest first; they come again after a restart. */
  readonly #waiting = new Map<string, Offer>();

  constructor(host: BrokerHost, rings: BrokerRings, leases: Leases) {
    this.#host = host;
    this.#rings = rings;
    this.#leases = leases;
  }

  /** What an offer changes. */
  offer({ key, at }: Pick<Assistant, 'key' | 'at'>): readonly StoreWrite[] {
    const [name, made] = [toHex(key), { key, at, madeMs: this.#host.clock.wallMs() }];
    this.#waiting.delete(name);
    if (this.#isBonded(key)) return [...this.#dropUnbonded(), ...this.#enlist(made)];
    if (!this.#isAnyBonded) return this.#enlist(made);
    this.#waiting.set(name, made);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > assistantsMax) this.#waiting.delete(oldest);
    return [];
  }

  /** An epoch has begun: whoever has a bond by now comes in, and whoever has none any more goes. */
  look(isConvict: (key: Uint8Array) => boolean): readonly StoreWrite[] {
    const writes: StoreWrite[] = [];
    for (const [name, offer] of [...this.#waiting]) {
      const isOver = offer.madeMs + leaseMs <= this.#host.clock.wallMs() || isConvict(offer.key);
      if (!isOver && !this.#isBonded(offer.key)) continue;
      this.#waiting.delete(name);
      if (!isOver) writes.push(...this.#enlist(offer));
    }
    return this.#isAnyBonded ? [...writes, ...this.#dropUnbonded()] : writes;
  }

  #enlist({ key, at, madeMs }: Offer): readonly StoreWrite[] {
    const added = this.#rings.add({ key, at });
    return added === undefined ? [] : [...added, this.#leases.renew(key, madeMs)];
  }

  #dropUnbonded(): readonly StoreWrite[] {
    const dropped = this.#rings.next.filter(({ key }) => !this.#isBonded(key));
    return this.#rings.remove(dropped.map(({ key }) => key));
  }

  get #isAnyBonded(): boolean {
    return this.#rings.next.some(({ key }) => this.#isBonded(key));
  }

  #isBonded(key: Uint8Array): boolean {
    return (this.#host.accounts.balanceMsat(key) ?? 0n) >= assistantBondMsat;
  }
}
