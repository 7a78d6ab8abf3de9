import { equalBytes, fromHex, toHex } from '../base/bytes.ts';
import type { Entropy } from '../ports.ts';
import { relayWeight } from './bandwidth-weights.ts';
import type { NetworkView } from './network-view.ts';
import { isGuardCandidate } from './path-choice.ts';
import type { RelayInfo } from './relay-info.ts';
import { chooseWeighted } from './weighted-choice.ts';

interface Guard {
  readonly rsaId: Uint8Array;
  readonly nickname: string;
  readonly addedMs: number;
  /** Wall clock of the latest failure to reach it; undefined: it worked, or was not tried. */
  failedMs: number | undefined;
}

export interface GuardSetOptions {
  /** Guards sampled; the first of them that works is used. torrc NumEntryGuards asks for more at once. */
  readonly sampleSize: number;
  /** A guard is replaced after this long. spec: guard-spec (GUARD_LIFETIME: 120 days) */
  readonly lifetimeMs: number;
  /** A guard that failed is tried again after this long. */
  readonly retryMs: number;
}

const defaults: GuardSetOptions = { sampleSize: 20, lifetimeMs: 120 * 86_400_000, retryMs: 600_000 };

/**
 * The few first hops that a client keeps, so that it does not meet a hostile one sooner or later. A list in the order
 * of sampling: an earlier guard is always preferred to a later one. spec: guard-spec/algorithm (simplified)
 */
export class GuardSet {
  readonly #options: GuardSetOptions;
  #guards: Guard[] = [];

  constructor(options: Partial<GuardSetOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  get size(): number {
    return this.#guards.length;
  }

  /** Drops guards that are too old or listed no more, and samples new ones by bandwidth. True: something changed, persist it. */
  refresh(
    view: NetworkView,
    wallMs: number,
    entropy: Entropy,
    exclude?: (relay: RelayInfo) => boolean,
  ): boolean {
    const before = this.encode();
    this.#guards = this.#guards.filter(guard => {
      const relay = view.relayById(guard.rsaId);
      return (
        relay !== undefined && isGuardCandidate(relay) && wallMs - guard.addedMs < this.#options.lifetimeMs
      );
    });
    while (this.#guards.length < this.#options.sampleSize) {
      const free = view.relays.filter(
        relay => isGuardCandidate(relay) && !this.#has(relay.rsaId) && !exclude?.(relay),
      );
      const relay = chooseWeighted(free, each => relayWeight(each, 'guard', view.bandwidthWeights), entropy);
      if (relay === undefined) break;
      const { rsaId, nickname } = relay;
      this.#guards.push({ rsaId: rsaId.slice(), nickname, addedMs: wallMs, failedMs: undefined });
    }
    return this.encode() !== before;
  }

  /** For choosePath: identities, those that failed of late behind the others. */
  usable(wallMs: number): readonly Uint8Array[] {
    const failed = (guard: Guard): boolean =>
      guard.failedMs !== undefined && wallMs - guard.failedMs < this.#options.retryMs;
    const working = this.#guards.filter(guard => !failed(guard));
    return [...working, ...this.#guards.filter(failed)].map(guard => guard.rsaId);
  }

  markFailed(rsaId: Uint8Array, wallMs: number): void {
    const guard = this.#guards.find(each => equalBytes(each.rsaId, rsaId));
    if (guard !== undefined) guard.failedMs = wallMs;
  }

  markWorking(rsaId: Uint8Array): void {
    const guard = this.#guards.find(each => equalBytes(each.rsaId, rsaId));
    if (guard !== undefined) guard.failedMs = undefined;
  }

  /** Text to persist; failures are not kept. */
  encode(): string {
    return this.#guards
      .map(guard => `${toHex(guard.rsaId)} ${guard.nickname} ${Math.floor(guard.addedMs)}\n`)
      .join('');
  }

  /** Takes what `encode` wrote; lines that are none are dropped. */
  decode(text: string): void {
    this.#guards = [];
    for (const line of text.split('\n')) {
      const match = /^([0-9a-f]{40}) ([A-Za-z0-9]{1,19}) ([0-9]{1,15})$/.exec(line);
      const rsaId = fromHex(match?.[1] ?? '');
      if (match === null || rsaId === undefined || this.#has(rsaId)) continue;
      this.#guards.push({ rsaId, nickname: match[2], addedMs: Number(match[3]), failedMs: undefined });
    }
  }

  #has(rsaId: Uint8Array): boolean {
    return this.#guards.some(guard => equalBytes(guard.rsaId, rsaId));
  }
}
