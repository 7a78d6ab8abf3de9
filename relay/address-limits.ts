import { trackedAddressesMax } from '../src/base/limits.ts';
import { TokenBucket } from '../src/flow/token-bucket.ts';
import type { Admission, Clock, Entropy } from '../src/ports.ts';
import type { DosRules } from './dos-rules.ts';

/** What is known of one address. */
interface Tracked {
  connections: number;
  /** Begun connections and CREATE cells; made when the first is counted. */
  connects: TokenBucket | undefined;
  circuits: TokenBucket | undefined;
  connectsRefusedUntilMs: number;
  circuitsRefusedUntilMs: number;
}

/**
 * Keeps clients at one address to the rules, as C tor's denial-of-service defences do. Addresses of relays are not looked
 * at: an exit's clients come from there, and so do the nodes of a lab on one machine.
 */
export class AddressLimits implements Admission {
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  #rules: DosRules;
  #relays: ReadonlySet<string> = new Set();
  /** The one that was heard of last stands last. */
  readonly #tracked = new Map<string, Tracked>();

  constructor(clock: Clock, entropy: Entropy, rules: DosRules) {
    this.#clock = clock;
    this.#entropy = entropy;
    this.#rules = rules;
  }

  /** A new consensus. @param relays addresses of all relays. */
  update(rules: DosRules, relays: ReadonlySet<string>): void {
    this.#rules = rules;
    this.#relays = relays;
  }

  admits(host: string): boolean {
    const tracked = this.#track(host);
    if (!this.#mayConnect(host, tracked)) return false;
    tracked.connections += 1;
    return true;
  }

  left(host: string): void {
    const tracked = this.#tracked.get(host);
    if (tracked !== undefined) tracked.connections -= 1;
  }

  /** Counts a CREATE cell of a client there; false: it is refused. */
  mayCreate(host: string): boolean {
    const { enabled, linksMin, perSecond, burst, refusedMs } = this.#rules.circuits;
    if (!enabled || this.#relays.has(host)) return true;
    const tracked = this.#track(host);
    const now = this.#clock.monotonicMs();
    if (now < tracked.circuitsRefusedUntilMs) return false;
    tracked.circuits ??= new TokenBucket(this.#clock, perSecond, burst);
    if (tracked.circuits.level() >= 1) {
      tracked.circuits.take(1);
      return true;
    }
    if (tracked.connections < linksMin) return true;
    const [high, low] = this.#entropy.bytes(2);
    tracked.circuitsRefusedUntilMs = now + refusedMs * (1 + (high * 256 + low) / 131_072);
    return false;
  }

  #mayConnect(host: string, tracked: Tracked): boolean {
    const { enabled, atOnce, perSecond, burst, refusedMs } = this.#rules.links;
    if (!enabled || this.#relays.has(host)) return true;
    const now = this.#clock.monotonicMs();
    if (now < tracked.connectsRefusedUntilMs || tracked.connections >= atOnce) return false;
    tracked.connects ??= new TokenBucket(this.#clock, perSecond, burst);
    if (tracked.connects.level() >= 1) {
      tracked.connects.take(1);
      return true;
    }
    tracked.connectsRefusedUntilMs = now + refusedMs;
    return false;
  }

  #track(host: string): Tracked {
    let tracked = this.#tracked.get(host);
    if (tracked === undefined) {
      this.#forgetOldest();
      tracked = {
        connections: 0,
        connects: undefined,
        circuits: undefined,
        connectsRefusedUntilMs: 0,
        circuitsRefusedUntilMs: 0,
      };
    } else this.#tracked.delete(host);
    this.#tracked.set(host, tracked);
    return tracked;
  }

  /** Beyond the cap whoever was heard of longest ago is forgotten, unless it is connected. */
  #forgetOldest(): void {
    if (this.#tracked.size < trackedAddressesMax) return;
    for (const [host, { connections }] of this.#tracked) {
      if (connections > 0) continue;
      this.#tracked.delete(host);
      return;
    }
  }
}
