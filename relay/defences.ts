import type { NetworkView } from '../src/directory/network-view.ts';
import { TokenBucket } from '../src/flow/token-bucket.ts';
import type { Admission, Clock, Entropy, Observer } from '../src/ports.ts';
import { AddressLimits } from './address-limits.ts';
import { readDosRules } from './dos-rules.ts';

/** What keeps whoever asks for too much from the others: C tor's defences, as torrc and the consensus say. */
export class Defences<Circuit extends object> {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #own: ReadonlyMap<string, number>;
  readonly #addresses: AddressLimits;
  #streams: ReturnType<typeof readDosRules>['streams'];
  /** BEGINs and RESOLVEs that circuits may still send, where the rules count them. */
  readonly #streamsLeft = new WeakMap<Circuit, TokenBucket>();

  /** @param own what torrc says, by the names of options. */
  constructor(clock: Clock, entropy: Entropy, observer: Observer, own: ReadonlyMap<string, number>) {
    this.#clock = clock;
    this.#observer = observer;
    this.#own = own;
    const rules = readDosRules((_name, otherwise) => otherwise, own);
    this.#addresses = new AddressLimits(clock, entropy, rules);
    this.#streams = rules.streams;
  }

  /** Who may connect. */
  get admission(): Admission {
    return this.#addresses;
  }

  /** A stream too many ends its circuit. */
  get endsCircuits(): boolean {
    return this.#streams.endsCircuit;
  }

  onConsensus(view: NetworkView | undefined): void {
    const rules = readDosRules(
      (name, otherwise, low, high) => view?.param(name, otherwise, low, high) ?? otherwise,
      this.#own,
    );
    const hosts = (view?.relays ?? []).flatMap(({ address, ipv6 }) => [
      address.host,
      ipv6?.host ?? address.host,
    ]);
    this.#addresses.update(rules, new Set(hosts));
    this.#streams = rules.streams;
  }

  /** Counts a CREATE cell of a client at that address; false: it is refused. */
  mayCreate(host: string): boolean {
    return this.#addresses.mayCreate(host);
  }

  /** Counts a BEGIN or RESOLVE; false: the circuit has sent too many. */
  mayOpen(circuit: Circuit): boolean {
    const { enabled, perSecond, burst } = this.#streams;
    if (!enabled) return true;
    let left = this.#streamsLeft.get(circuit);
    if (left === undefined) {
      left = new TokenBucket(this.#clock, perSecond, burst);
      this.#streamsLeft.set(circuit, left);
    }
    const may = left.level() >= 1;
    if (may) left.take(1);
    else this.#observer.count('naulon_streams_refused_total');
    return may;
  }
}
