import { equalBytes } from '../../base/bytes.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Clock, StorePort, StoreWrite } from '../../ports.ts';
import { type Assistant, assistantsMax, type EpochList, epochList } from './messages.ts';
import { type BrokerAddress, epochOf, Ring, type Rings } from './ring.ts';

/** The lists of assistants, which the broker makes and keeps. A change counts from the next epoch on. */
export class BrokerRings implements Rings {
  readonly #lists: RecordBook<EpochList>;
  readonly #key: SigningKey;
  readonly #clock: Clock;
  /** By the first epoch of their list. */
  readonly #rings = new Map<number, Ring>();

  constructor(store: Pick<StorePort, 'list'>, clock: Clock, key: SigningKey) {
    this.#lists = new RecordBook(store, 'cpay/list/', epochList);
    this.#clock = clock;
    this.#key = key;
  }

  get now(): number {
    return epochOf(this.#clock.wallMs());
  }

  ring(epoch: number): Ring | undefined {
    if (epoch > this.now) return undefined;
    const list = this.#listOf(epoch);
    let ring = this.#rings.get(list.since);
    if (ring === undefined) {
      ring = new Ring(list, this.#address);
      this.#rings.set(list.since, ring);
    }
    return ring;
  }

  fetch(_epochs: readonly number[], done: () => void): void {
    done();
  }

  /** The signed list of an epoch that has begun. */
  signed(epoch: number): EpochList | undefined {
    if (epoch > this.now) return undefined;
    const { since, assistants } = this.#listOf(epoch);
    return epochList.sign(this.#key, { number: epoch, since, assistants });
  }

  /** From the next epoch on this assistant is there. Undefined: there are too many. */
  add(assistant: Assistant): readonly StoreWrite[] | undefined {
    const { assistants } = this.#listOf(this.now + 1);
    const known = assistants.find(each => equalBytes(each.key, assistant.key));
    if (known?.at.host === assistant.at.host && known.at.port === assistant.at.port) return [];
    const rest = assistants.filter(each => each !== known);
    return rest.length >= assistantsMax ? undefined : [this.#change([...rest, assistant])];
  }

  /** From the next epoch on it is not. */
  remove(key: Uint8Array): readonly StoreWrite[] {
    const { assistants } = this.#listOf(this.now + 1);
    const rest = assistants.filter(each => !equalBytes(each.key, key));
    return rest.length === assistants.length ? [] : [this.#change(rest)];
  }

  #change(assistants: readonly Assistant[]): StoreWrite {
    const since = this.now + 1;
    const list = epochList.sign(this.#key, { number: since, since, assistants });
    return this.#lists.put(since.toString(16).padStart(8, '0'), list);
  }

  #listOf(epoch: number): Pick<EpochList, 'number' | 'since' | 'assistants' | 'signature'> {
    const [, last] = [...this.#lists.entries()].filter(([, { since }]) => since <= epoch).at(-1) ?? [];
    return last ?? { number: epoch, since: 0, assistants: [], signature: new Uint8Array(64) };
  }

  /** The broker's own endpoint is never asked by itself. */
  get #address(): BrokerAddress {
    return { endpoint: { host: '', port: 0 }, key: this.#key.publicKey };
  }
}
