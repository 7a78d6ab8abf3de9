import { type Struct, struct, u64 } from '../../base/struct.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { RecordBook } from '../record-book.ts';
import { type CoinWords, syncBody } from './coin-messages.ts';
import type { CoinSetup } from './coin-setup.ts';
import { StandingQuestion } from './standing-question.ts';

/** How often an owner at rest asks whether it must say what became of a coin. */
const askEveryMs = 6 * 3_600_000;

const cursorRecord = struct({ last: u64 });

/** What a broker tells an owner. */
export interface Told<N> {
  /** Number of the last entry of the news, for the next question. */
  readonly last: bigint;
  /** What the broker did in the owner's place; none when all of it is told. */
  readonly news: readonly N[];
  /** Coins that were spent twice, by whom is not known: their owner is to show what became of them. */
  readonly wanted: readonly Uint8Array[];
}

/** What an owner does with what it is told. */
export interface OwnerNews<N> {
  /** Its first byte says so to the broker. */
  readonly op: number;
  readonly kind: Struct<N>;
  read(reply: Uint8Array): Told<N> | undefined;
  /** Names what the news is about, once for each state of a coin. */
  placeOf(news: N): string;
  /** Called again in each life. */
  learn(news: N): void;
  /** Shows the broker what became of a coin. */
  show(coin: Uint8Array): void;
}

/** An owner hears from the broker what it did in its place while it was away. Until then it must answer nobody. */
export class OwnerSync<N> {
  readonly #news: OwnerNews<N>;
  readonly #setup: CoinSetup;
  readonly #question: StandingQuestion;
  readonly #cursor: RecordBook<{ readonly last: bigint }>;
  /** Apart from the purse's records, which requests change. */
  readonly #told: RecordBook<N>;
  #synced = false;

  constructor(setup: CoinSetup, words: CoinWords, news: OwnerNews<N>) {
    const { store } = setup.host;
    const { name } = words;
    this.#setup = setup;
    this.#news = news;
    this.#cursor = new RecordBook(store, `${name}/sync/`, cursorRecord);
    this.#told = new RecordBook(store, `${name}/told/`, news.kind);
    for (const [, each] of this.#told.entries()) news.learn(each);
    this.#question = new StandingQuestion({
      setup,
      words,
      prefix: `${name}/errand/sync/`,
      everyMs: askEveryMs,
      body: () => syncBody.encode({ op: news.op, after: this.#cursor.get('cursor')?.last ?? 0n }),
      told: reply => this.#onTold(reply),
    });
  }

  /** True: all that the broker did is known. */
  get synced(): boolean {
    return this.#synced;
  }

  onAnswer(answer: Answer): boolean {
    return this.#question.onAnswer(answer);
  }

  /** The broker has done something since. */
  again(): void {
    this.#synced = false;
    this.#question.ask();
  }

  #onTold(reply: Uint8Array): readonly StoreWrite[] | undefined {
    const told = this.#news.read(reply);
    if (told === undefined) return undefined;
    const writes = told.news.map(each => {
      this.#news.learn(each);
      return this.#told.put(this.#news.placeOf(each), each);
    });
    for (const coin of told.wanted) this.#news.show(coin);
    if (told.news.length === 0) this.#synced = true;
    else this.#setup.host.clock.after(0, () => this.#question.ask());
    return [...writes, this.#cursor.put('cursor', { last: told.last })];
  }
}
