import { equalBytes, toHex } from '../../base/bytes.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { BrokerHost } from '../../payment/broker-side.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Clock, Entropy, StoreWrite } from '../../ports.ts';
import {
  type Assistant,
  type AssistantList,
  assistantList,
  assistantsMax,
  type Coin,
  type Epoch,
  epoch,
  placeBytes,
} from './messages.ts';
import { type BrokerAddress, cutTo, epochOf, indexOfPlace, Ring, type Rings } from './ring.ts';

/** Lists kept ready to be told. */
const settledMax = 64;
/** Lists in one history: so often those around one coin may have been others, of all keys that ever had a bond. */
const historyListsMax = 64;

/** A list that counts or has counted, and so changes no more. */
interface Settled {
  readonly ring: Ring;
  readonly bytes: Uint8Array;
  readonly digest: Uint8Array;
}

/** The lists of assistants, which the broker makes and keeps. A change counts from the next epoch on. */
export class BrokerRings implements Rings {
  readonly #book: RecordBook<AssistantList>;
  /** The oldest first. */
  readonly #lists: AssistantList[];
  readonly #key: SigningKey;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  /** By hex of the key, of all that ever were on a list: whoever leaves and comes again has no second draw. */
  readonly #places = new Map<string, Uint8Array>();
  /** By the first epoch of their list. */
  readonly #settled = new Map<number, Settled>();
  #lastSigned: Epoch | undefined;

  constructor({ clock, entropy, key, store }: Pick<BrokerHost, 'clock' | 'entropy' | 'key' | 'store'>) {
    this.#book = new RecordBook(store, 'cpay/ring/', assistantList);
    this.#lists = [{ since: 0, assistants: [] }, ...[...this.#book.entries()].map(([, list]) => list)];
    for (const { assistants } of this.#lists)
      for (const each of assistants) this.#places.set(toHex(each.key), each.place);
    this.#clock = clock;
    this.#entropy = entropy;
    this.#key = key;
  }

  get now(): number {
    return epochOf(this.#clock.wallMs());
  }

  ring(number: number): Ring | undefined {
    return number > this.now ? undefined : this.#settle(this.#listOf(number)).ring;
  }

  fetch(_epochs: readonly number[], done: () => void): void {
    done();
  }

  history(
    made: Pick<Coin, 'guid' | 'assistants'>,
    from: number,
    to: number,
    done: (rings: readonly Ring[] | undefined) => void,
  ): void {
    done(this.cut(made, from, to)?.map(list => new Ring(list, this.#address)));
  }

  /** The lists of those epochs, cut to that coin. Undefined: they cannot be said in one message, or it is not all over yet. */
  cut(
    made: Pick<Coin, 'guid' | 'assistants'>,
    from: number,
    to: number,
  ): readonly AssistantList[] | undefined {
    if (to > this.now) return undefined;
    const cuts = new Map<string, AssistantList>();
    for (let at = this.#indexOf(from); at < this.#lists.length && this.#lists[at].since <= to; at++) {
      const { since, assistants } = this.#lists[at];
      const cut = cutTo(assistants, made);
      cuts.set(cut.map(({ key }) => toHex(key)).join(), { since: Math.max(since, from), assistants: cut });
      if (cuts.size > historyListsMax) return undefined;
    }
    return [...cuts.values()];
  }

  /** By which list an epoch is that has begun. */
  signed(number: number): Epoch | undefined {
    if (number > this.now) return undefined;
    if (this.#lastSigned?.number !== number) {
      const list = this.#listOf(number);
      const { digest } = this.#settle(list);
      this.#lastSigned = epoch.sign(this.#key, { number, since: list.since, digest });
    }
    return this.#lastSigned;
  }

  /** The list that has counted from that epoch on. */
  list(since: number): Uint8Array | undefined {
    const list = this.#listOf(since);
    return since > this.now || list.since !== since ? undefined : this.#settle(list).bytes;
  }

  /** From the next epoch on this assistant is there. Undefined: there are too many. */
  add({ key, at: endpoint }: Pick<Assistant, 'key' | 'at'>): readonly StoreWrite[] | undefined {
    const assistants = this.next;
    const place = this.#places.get(toHex(key)) ?? this.#entropy.bytes(placeBytes);
    const at = indexOfPlace(assistants, place);
    const known = at < assistants.length && equalBytes(assistants[at].key, key);
    if (known) {
      const { host, port } = assistants[at].at;
      if (host === endpoint.host && port === endpoint.port) return [];
    } else if (assistants.length >= assistantsMax) return undefined;
    this.#places.set(toHex(key), place);
    const assistant = { key, at: endpoint, place };
    return [this.#change([...assistants.slice(0, at), assistant, ...assistants.slice(known ? at + 1 : at)])];
  }

  /** Who assists from the next epoch on, as it stands. */
  get next(): readonly Assistant[] {
    return this.#listOf(this.now + 1).assistants;
  }

  /** From the next epoch on they are not. */
  remove(keys: readonly Uint8Array[]): readonly StoreWrite[] {
    const names = new Set(keys.map(toHex));
    const assistants = this.next;
    const rest = assistants.filter(each => !names.has(toHex(each.key)));
    return rest.length === assistants.length ? [] : [this.#change(rest)];
  }

  #change(assistants: readonly Assistant[]): StoreWrite {
    const list = { since: this.now + 1, assistants };
    if (this.#lists.at(-1)?.since === list.since) this.#lists.pop();
    this.#lists.push(list);
    return this.#book.put(list.since.toString(16).padStart(8, '0'), list);
  }

  #listOf(number: number): AssistantList {
    return this.#lists[this.#indexOf(number)];
  }

  /** Of the last that began by then. */
  #indexOf(number: number): number {
    let [at, end] = [0, this.#lists.length];
    while (end - at > 1) {
      const middle = (at + end) >>> 1;
      if (this.#lists[middle].since <= number) at = middle;
      else end = middle;
    }
    return at;
  }

  #settle(list: AssistantList): Settled {
    let settled = this.#settled.get(list.since);
    if (settled === undefined) {
      const bytes = assistantList.encode(list);
      settled = { ring: new Ring(list, this.#address), bytes, digest: sha256(bytes) };
      this.#settled.set(list.since, settled);
      const [oldest] = this.#settled.keys();
      if (this.#settled.size > settledMax) this.#settled.delete(oldest);
    }
    return settled;
  }

  /** The broker's own endpoint is never asked by itself. */
  get #address(): BrokerAddress {
    return { endpoint: { host: '', port: 0 }, key: this.#key.publicKey };
  }
}
