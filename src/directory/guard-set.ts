import { equalBytes, fromHex, toHex } from '../base/bytes.ts';
import { guardsMax } from '../base/limits.ts';
import type { Entropy } from '../ports.ts';
import { relayWeight } from './bandwidth-weights.ts';
import type { NetworkView } from './network-view.ts';
import { isGuardCandidate } from './path-choice.ts';
import type { RelayInfo } from './relay-info.ts';
import { chooseWeighted, randomBelow } from './weighted-choice.ts';

interface Guard {
  readonly rsaId: Uint8Array;
  readonly nickname: string;
  /** When it was sampled, and up to a tenth of its life earlier. */
  readonly addedMs: number;
  /** Since when it is listed no more, or not as a guard; undefined: it is. */
  unlistedMs: number | undefined;
  /** Wall clock of the latest failure to reach it; undefined: it worked, or was not tried. */
  failedMs: number | undefined;
}

/** `up`: it worked when it was last tried, or was not tried. */
export interface GuardState {
  readonly rsaId: Uint8Array;
  readonly nickname: string;
  readonly state: 'up' | 'down' | 'unlisted';
}

export interface GuardSetOptions {
  /** Guards sampled; the first of them that works is used. torrc NumEntryGuards asks for more at once. */
  readonly sampleSize: number;
  /** A guard is replaced after this long. spec: guard-spec (GUARD_LIFETIME: 120 days) */
  readonly lifetimeMs: number;
  /** A guard that is gone is remembered for this long, so that taking relays down for a while does not move clients. */
  readonly unlistedMsMax: number;
  /** A guard that failed is tried again after this long. */
  readonly retryMs: number;
}

const dayMs = 86_400_000;
/** spec: guard-spec/appendices (parameters) */
const defaults: GuardSetOptions = {
  sampleSize: 20,
  lifetimeMs: 120 * dayMs,
  unlistedMsMax: 20 * dayMs,
  retryMs: 600_000,
};

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

  /** All guards in the order of preference, and how each is as far as we know. */
  states(wallMs: number): readonly GuardState[] {
    return this.#guards.map(guard => {
      const { rsaId, nickname, unlistedMs } = guard;
      const state = unlistedMs !== undefined ? 'unlisted' : this.#failed(guard, wallMs) ? 'down' : 'up';
      return { rsaId, nickname, state };
    });
  }

  get size(): number {
    return this.#guards.length;
  }

  /**
   * Drops guards that are too old or long gone, and samples new ones by bandwidth until there are enough that are listed
   * and accepted. True: something changed, persist it.
   */
  refresh(
    view: NetworkView,
    wallMs: number,
    entropy: Entropy,
    accepts: (relay: RelayInfo) => boolean = () => true,
  ): boolean {
    const before = this.encode();
    const { sampleSize, lifetimeMs, unlistedMsMax } = this.#options;
    // As if it had been earlier, by a part of the time that follows from it: those that were sampled, or have gone, together do not
    // expire together, and their times tell nobody when a client was new. spec: guard-spec/algorithm (ADDED_ON_DATE)
    const about = (spreadMs: number): number => wallMs - randomBelow(Math.ceil(spreadMs), entropy);
    this.#judge(view, wallMs, () => about(unlistedMsMax / 5));
    const listed = this.#guards.map(({ rsaId }) => view.relayById(rsaId));
    let enough = listed.filter(
      relay => relay !== undefined && isGuardCandidate(relay) && accepts(relay),
    ).length;
    for (; enough < sampleSize && this.#guards.length < guardsMax; enough++) {
      const free = view.relays.filter(
        relay => isGuardCandidate(relay) && !this.#has(relay.rsaId) && accepts(relay),
      );
      const relay = chooseWeighted(free, each => relayWeight(each, 'guard', view.bandwidthWeights), entropy);
      if (relay === undefined) break;
      const { rsaId, nickname } = relay;
      const fresh = { addedMs: about(lifetimeMs / 10), unlistedMs: undefined, failedMs: undefined };
      this.#guards.push({ rsaId: rsaId.slice(), nickname, ...fresh });
    }
    return this.encode() !== before;
  }

  /** For choosePath: identities of those that are listed; those that failed of late behind the others. */
  usable(wallMs: number): readonly Uint8Array[] {
    const failed = (guard: Guard): boolean => this.#failed(guard, wallMs);
    const listed = this.#guards.filter(({ unlistedMs }) => unlistedMs === undefined);
    const working = listed.filter(guard => !failed(guard));
    return [...working, ...listed.filter(failed)].map(guard => guard.rsaId);
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
      .map(({ rsaId, nickname, addedMs, unlistedMs }) => {
        const unlisted = unlistedMs === undefined ? '' : ` ${Math.floor(unlistedMs)}`;
        return `${toHex(rsaId)} ${nickname} ${Math.floor(addedMs)}${unlisted}\n`;
      })
      .join('');
  }

  /** Takes what `encode` wrote; lines that are none are dropped. */
  decode(text: string): void {
    this.#guards = [];
    for (const line of text.split('\n')) {
      const match = /^([0-9a-f]{40}) ([A-Za-z0-9]{1,19}) ([0-9]{1,15})(?: ([0-9]{1,15}))?$/.exec(line);
      const rsaId = fromHex(match?.[1] ?? '');
      if (match === null || rsaId === undefined || this.#has(rsaId)) continue;
      const [, , nickname, added, unlisted] = match;
      const unlistedMs = unlisted === undefined ? undefined : Number(unlisted);
      this.#guards.push({ rsaId, nickname, addedMs: Number(added), unlistedMs, failedMs: undefined });
    }
  }

  /** Notes who is listed, and drops who is too old or long gone. */
  #judge(view: NetworkView, wallMs: number, about: () => number): void {
    const { lifetimeMs, unlistedMsMax } = this.#options;
    this.#guards = this.#guards.filter(guard => {
      const relay = view.relayById(guard.rsaId);
      const listed = relay !== undefined && isGuardCandidate(relay);
      guard.unlistedMs = listed ? undefined : (guard.unlistedMs ?? about());
      const goneMs = wallMs - (guard.unlistedMs ?? wallMs);
      return wallMs - guard.addedMs < lifetimeMs && goneMs < unlistedMsMax;
    });
  }

  #failed({ failedMs }: Guard, wallMs: number): boolean {
    return failedMs !== undefined && wallMs - failedMs < this.#options.retryMs;
  }

  #has(rsaId: Uint8Array): boolean {
    return this.#guards.some(guard => equalBytes(guard.rsaId, rsaId));
  }
}
