import { toHex } from '../../base/bytes.ts';
import { countedList, fixedBytes, type Holds, struct, u8, u16, u64 } from '../../base/struct.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Value } from '../../payment/scheme.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { claim, coin, type News, news, step } from './messages.ts';

/** All that the broker knows of a coin that it sold. */
const coinRecord = struct({
  coin,
  claim,
  /** What its holders ordered, as far as the broker was told: the oldest first, and what it did about it. */
  known: countedList(u16, news),
  /** 1: the last of these was a deposit. */
  deposited: u8,
  /** Orders that contradict these, and by which nobody is convicted yet. */
  claims: countedList(u16, step),
  /** When the owner was first asked about them, in seconds since 1970; 0: it was not. */
  askedSeconds: u64,
  /** 1: somebody was convicted of spending it twice. */
  judged: u8,
});
export type BrokerCoin = Holds<typeof coinRecord>;

const counterRecord = struct({ last: u64 });
const queuedNews = struct({ owner: fixedBytes(33), entry: u64, news });
type QueuedNews = Holds<typeof queuedNews>;

/** The broker's records of coins, and of what owners that were away must hear. */
export class BrokerBooks {
  readonly #coins: RecordBook<BrokerCoin>;
  readonly #queue: RecordBook<QueuedNews>;
  readonly #counter: RecordBook<{ readonly last: bigint }>;
  readonly #asked = new Set<string>();
  #outstanding = 0n;

  constructor(store: Pick<StorePort, 'list'>) {
    this.#coins = new RecordBook(store, 'whopay/coin/', coinRecord);
    this.#queue = new RecordBook(store, 'whopay/queue/', queuedNews);
    this.#counter = new RecordBook(store, 'whopay/queued/', counterRecord);
    for (const [name, record] of this.#coins.entries()) {
      if (record.deposited === 0) this.#outstanding += record.coin.value;
      this.#noteAsked(name, record);
    }
  }

  /** Value of coins that were sold and not handed in. */
  get outstandingMsat(): Value {
    return this.#outstanding;
  }

  get(name: string): BrokerCoin | undefined {
    return this.#coins.get(name);
  }

  sold(made: Pick<BrokerCoin, 'coin' | 'claim'>): StoreWrite {
    this.#outstanding += made.coin.value;
    const name = toHex(made.coin.coinKey);
    return this.#coins.put(name, {
      ...made,
      known: [],
      deposited: 0,
      claims: [],
      askedSeconds: 0n,
      judged: 0,
    });
  }

  put(record: BrokerCoin): StoreWrite {
    const name = toHex(record.coin.coinKey);
    if (this.#coins.get(name)?.deposited === 0 && record.deposited === 1)
      this.#outstanding -= record.coin.value;
    this.#noteAsked(name, record);
    return this.#coins.put(name, record);
  }

  /** Coins whose owners were first asked before that time, and have shown nothing. */
  overdue(beforeSeconds: bigint): readonly BrokerCoin[] {
    return this.#askedCoins().filter(({ askedSeconds }) => askedSeconds <= beforeSeconds);
  }

  /** Keys of the coins that this account is asked about. */
  wantedOf(account: Uint8Array): readonly Uint8Array[] {
    return this.#askedCoins()
      .filter(record => toHex(record.claim.account) === toHex(account))
      .map(record => record.coin.coinKey);
  }

  /** The owner must hear of it when it comes back. */
  queue(owner: Uint8Array, told: News): readonly StoreWrite[] {
    const entry = (this.#counter.get('last')?.last ?? 0n) + 1n;
    const id = entry.toString(16).padStart(16, '0');
    return [this.#counter.put('last', { last: entry }), this.#queue.put(id, { owner, entry, news: told })];
  }

  /** What that owner must hear beyond the entry of that number. */
  queued(owner: Uint8Array, after: bigint): readonly QueuedNews[] {
    return this.#queueOf(owner).filter(({ entry }) => entry > after);
  }

  /** That owner has heard all up to the entry. */
  heard(owner: Uint8Array, upTo: bigint): readonly StoreWrite[] {
    return this.#queueOf(owner)
      .filter(({ entry }) => entry <= upTo)
      .map(({ entry }) => this.#queue.drop(entry.toString(16).padStart(16, '0')));
  }

  #queueOf(owner: Uint8Array): readonly QueuedNews[] {
    return [...this.#queue.entries()]
      .map(([, queued]) => queued)
      .filter(queued => toHex(queued.owner) === toHex(owner))
      .sort((a, b) => (a.entry < b.entry ? -1 : 1));
  }

  #askedCoins(): readonly BrokerCoin[] {
    return [...this.#asked].map(name => this.#coins.get(name)).filter(record => record !== undefined);
  }

  #noteAsked(name: string, { askedSeconds, judged }: BrokerCoin): void {
    if (askedSeconds > 0n && judged === 0) this.#asked.add(name);
    else this.#asked.delete(name);
  }
}
