import { fromHex, fromUtf8, toHex, utf8 } from '../src/base/bytes.ts';
import { X25519KeyPair } from '../src/crypto/x25519.ts';
import type { NetworkView } from '../src/directory/network-view.ts';
import type { Answer, AskId, Cancel, Clock, Entropy, StorePort } from '../src/ports.ts';

export interface OnionKeysOptions {
  /** That of a relay which has kept none yet. */
  readonly first: X25519KeyPair;
  readonly store: StorePort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly newAsk: () => AskId;
  readonly view: () => Pick<NetworkView, 'param'> | undefined;
  /** The keys by which handshakes are answered are others. */
  readonly onServed: (keys: readonly X25519KeyPair[]) => void;
  /** A new one is to be published: it outlives a crash. */
  readonly onNew: () => void;
}

interface Kept {
  readonly current: X25519KeyPair;
  /** Wall clock at which it became that. */
  readonly sinceMs: number;
  /** Clients may not have heard of the current one yet. */
  readonly previous: X25519KeyPair | undefined;
}

const recordKey = 'relay/onion-keys';
const dayMs = 86_400_000;
const lookMs = 3_600_000;

/**
 * A relay's onion keys: a new one every few weeks, so that whoever gets hold of one reads no older circuits' handshakes, and the one
 * before for as long as clients may know no other. spec: dir-spec/server-descriptor-format (ntor-onion-key)
 */
export class OnionKeys {
  readonly #options: OnionKeysOptions;
  #kept: Kept;
  /** On its way to the disk. */
  #next: { readonly ask: AskId; readonly kept: Kept } | undefined;
  #cancel: Cancel | undefined;

  constructor(options: OnionKeysOptions) {
    this.#options = options;
    const { store, clock, first } = options;
    const nowMs = clock.wallMs();
    const kept = readKept(store.get(recordKey));
    // A clock that was ahead is not to keep a key for ever.
    this.#kept = {
      current: first,
      previous: undefined,
      ...kept,
      sinceMs: Math.min(kept?.sinceMs ?? nowMs, nowMs),
    };
    options.onServed(this.#served);
  }

  get current(): X25519KeyPair {
    return this.#kept.current;
  }

  start(): void {
    this.#keep(this.#kept);
    this.#watch();
  }

  stop(): void {
    this.#cancel?.();
  }

  /** True when the answer was for these keys. */
  onAnswer(answer: Answer): boolean {
    const next = this.#next;
    if (next === undefined || answer.kind !== 'stored' || answer.ask !== next.ask) return false;
    this.#next = undefined;
    const { current } = this.#kept;
    this.#kept = next.kept;
    this.#options.onServed(this.#served);
    if (current !== next.kept.current) this.#options.onNew();
    return true;
  }

  get #served(): readonly X25519KeyPair[] {
    const { current, previous } = this.#kept;
    return previous === undefined ? [current] : [current, previous];
  }

  #watch(): void {
    this.#cancel = this.#options.clock.after(lookMs, () => {
      this.#look();
      this.#watch();
    });
  }

  #look(): void {
    const { clock, entropy, view } = this.#options;
    const days = (name: string, otherwise: number, most: number): number =>
      view()?.param(name, otherwise, 1, most) ?? otherwise;
    // spec: param-spec (onion-key-rotation-days, onion-key-grace-period-days)
    const lifeDays = days('onion-key-rotation-days', 28, 90);
    const graceDays = days('onion-key-grace-period-days', 7, lifeDays);
    const nowMs = clock.wallMs();
    const { current, sinceMs, previous } = this.#kept;
    if (this.#next !== undefined) return;
    if (nowMs - sinceMs >= lifeDays * dayMs) {
      const fresh = new X25519KeyPair(entropy.bytes(32));
      this.#keep({ current: fresh, sinceMs: nowMs, previous: current });
    } else if (previous !== undefined && nowMs - sinceMs >= graceDays * dayMs) {
      this.#keep({ current, sinceMs, previous: undefined });
    }
  }

  /** Serves and publishes nothing that a crash would take away. */
  #keep(kept: Kept): void {
    const { store, newAsk } = this.#options;
    const ask = newAsk();
    this.#next = { ask, kept };
    const { current, sinceMs, previous } = kept;
    const secrets = [current, ...(previous === undefined ? [] : [previous])].map(({ secret }) =>
      toHex(secret),
    );
    store.commit([{ key: recordKey, value: utf8([Math.floor(sinceMs), ...secrets].join(' ')) }], ask);
  }
}

function readKept(record: Uint8Array | undefined): Kept | undefined {
  const match = /^([0-9]{1,15}) ([0-9a-f]{64})(?: ([0-9a-f]{64}))?$/.exec(
    fromUtf8(record ?? new Uint8Array(0)),
  );
  const [current, previous] = (match?.slice(2) ?? []).map(hex => {
    const secret = fromHex(hex ?? '');
    return secret?.length === 32 ? new X25519KeyPair(secret) : undefined;
  });
  return current && { current, sinceMs: Number(match?.[1]), previous };
}
