import type { Struct } from '../../base/struct.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { RecordBook } from '../record-book.ts';
import type { Value } from '../scheme.ts';

/** What a broker's record of a coin says, whatever the scheme. */
export interface SoldCoin {
  readonly coin: { readonly value: Value };
  /** 1: it has come back. */
  readonly deposited: number;
  /** When somebody was first asked how it came to be spent twice, in seconds since 1970; 0: nobody was. */
  readonly askedSeconds: bigint;
  /** 1: somebody was convicted, and nobody is asked any more. */
  readonly judged?: number;
}

/** A broker's records of the coins that it sold. */
export class SoldCoins<R extends SoldCoin> {
  readonly #coins: RecordBook<R>;
  readonly #asked = new Set<string>();
  #outstanding = 0n;

  constructor(store: Pick<StorePort, 'list'>, prefix: string, kind: Struct<R>) {
    this.#coins = new RecordBook(store, prefix, kind);
    for (const [name, record] of this.#coins.entries()) this.#note(name, undefined, record);
  }

  /** Value of coins that were sold and have not come back. */
  get outstandingMsat(): Value {
    return this.#outstanding;
  }

  get(name: string): R | undefined {
    return this.#coins.get(name);
  }

  all(): readonly R[] {
    return [...this.#coins.entries()].map(([, record]) => record);
  }

  put(name: string, record: R): StoreWrite {
    this.#note(name, this.#coins.get(name), record);
    return this.#coins.put(name, record);
  }

  /** Those about which somebody is asked. */
  asked(): readonly (readonly [name: string, record: R])[] {
    return [...this.#asked].flatMap(name => {
      const record = this.#coins.get(name);
      return record === undefined ? [] : [[name, record] as const];
    });
  }

  /** Those of them about which somebody was asked by that time, and has shown nothing. */
  overdue(bySeconds: bigint): readonly (readonly [name: string, record: R])[] {
    return this.#asked.size === 0
      ? []
      : this.asked().filter(([, { askedSeconds }]) => askedSeconds <= bySeconds);
  }

  #note(name: string, before: R | undefined, { coin, deposited, askedSeconds, judged }: R): void {
    const was = before === undefined || before.deposited === 1 ? 0n : coin.value;
    this.#outstanding += (deposited === 1 ? 0n : coin.value) - was;
    if (askedSeconds > 0n && judged !== 1) this.#asked.add(name);
    else this.#asked.delete(name);
  }
}
