import { coinsForgottenMax } from '../../base/limits.ts';
import type { Struct } from '../../base/struct.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { RecordBook } from '../record-book.ts';
import type { Value } from '../scheme.ts';
import { daySeconds } from './coin-times.ts';

/** What a broker's record of a coin says, whatever the scheme. */
export interface SoldCoin {
  readonly coin: { readonly value: Value; readonly expirySeconds: number };
  /** 1: it has come back. */
  readonly deposited: number;
  /** When somebody was first asked how it came to be spent twice, in seconds since 1970; 0: nobody was. */
  readonly askedSeconds: bigint;
  /** 1: somebody was convicted, and nobody is asked any more. */
  readonly judged?: number;
}

/** A broker's records of the coins that it sold, until nobody can have anything of them any more. */
export class SoldCoins<R extends SoldCoin> {
  readonly #coins: RecordBook<R>;
  readonly #asked = new Set<string>();
  /** Names, by the day after which they are looked at: that on which they expire, at first. */
  readonly #byDay = new Map<number, Set<string>>();
  #outstanding = 0n;
  /** When forgetting was first asked for, in seconds since 1970. */
  #begun: number | undefined;

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

  /**
   * Forgets coins that expired before that time. A process does so when it has run for a day: by then somebody has seen that its clock
   * is wrong.
   * @param end what else is written, as where the value of one goes that never came back; undefined: that one is kept for now.
   */
  forget(bySeconds: number, end: (record: R) => readonly StoreWrite[] | undefined): readonly StoreWrite[] {
    this.#begun ??= bySeconds;
    if (bySeconds < this.#begun + daySeconds) return [];
    const today = dayOf(bySeconds);
    const writes: StoreWrite[] = [];
    let looked = 0;
    for (const [day, names] of this.#byDay) {
      if (day >= today) continue;
      for (const name of names) {
        if (++looked > coinsForgottenMax) return writes;
        names.delete(name);
        const record = this.#coins.get(name);
        const ended = record === undefined || this.#asked.has(name) ? undefined : end(record);
        if (record === undefined || ended === undefined) this.#file(name, today);
        else writes.push(...ended, this.#drop(name, record));
      }
      this.#byDay.delete(day);
    }
    return writes;
  }

  #drop(name: string, { coin, deposited }: R): StoreWrite {
    if (deposited !== 1) this.#outstanding -= coin.value;
    return this.#coins.drop(name);
  }

  #file(name: string, day: number): void {
    const names = this.#byDay.get(day) ?? new Set<string>();
    this.#byDay.set(day, names.add(name));
  }

  #note(name: string, before: R | undefined, { coin, deposited, askedSeconds, judged }: R): void {
    if (before === undefined) this.#file(name, dayOf(coin.expirySeconds));
    const was = before === undefined || before.deposited === 1 ? 0n : coin.value;
    this.#outstanding += (deposited === 1 ? 0n : coin.value) - was;
    if (askedSeconds > 0n && judged !== 1) this.#asked.add(name);
    else this.#asked.delete(name);
  }
}

function dayOf(seconds: number): number {
  return Math.floor(seconds / daySeconds);
}
