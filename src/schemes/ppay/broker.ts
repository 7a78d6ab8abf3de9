import { equalBytes, toHex } from '../../base/bytes.ts';
import { countedList, type Holds, struct, u8, u64 } from '../../base/struct.ts';
import type { BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { sell, serveAccount } from '../../payment/coins/coin-counter.ts';
import { syncBody } from '../../payment/coins/coin-messages.ts';
import { coinSeconds, secondsOf } from '../../payment/coins/coin-times.ts';
import { OwnerQueue } from '../../payment/coins/owner-queue.ts';
import { SoldCoins } from '../../payment/coins/sold-coins.ts';
import { refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import {
  agree,
  contradict,
  covers,
  endOf,
  extended,
  holderAt,
  holderOf,
  isGenuine,
  serialOf,
  startOf,
} from './coin-path.ts';
import { type Fraud, fraudIn, isUnjustified, proofOf, unanswered, unansweredProof } from './fraud.ts';
import {
  accountOp,
  answerOp,
  assignedAnswer,
  assignedCoin,
  boughtReply,
  buyBody,
  type CoinPath,
  coinPath,
  contradictedAnswer,
  historyMax,
  pathRequest,
  rawCoin,
  reportRequest,
  requestOp,
  schemeId,
  schemeName,
  syncPathsMax,
  syncReply,
} from './messages.ts';

/** An owner that cannot be reached for so long, and that must say by whose hand-over it assigned a coin, is convicted. */
const ownerAnswerSeconds = 7n * 86_400n;
/** Paths kept of one coin, and claims: those beyond are told no more. */
const pathsMax = 32;
/** Hand-overs in one of them; of all together no more than an owner keeps. */
const pathHandoversMax = 60;

/** All that the broker knows of a coin that it sold. */
const coinRecord = struct({
  coin: rawCoin,
  /** What became of it, as far as the broker was told: the oldest first, no two of them in contradiction. */
  paths: countedList(u8, coinPath),
  /** 1: the last of these ends with the broker. */
  deposited: u8,
  /** Paths that contradict these, and by which nobody is convicted yet. */
  claims: countedList(u8, coinPath),
  /** When the owner was first asked about them, in seconds since 1970; 0: it was not. */
  askedSeconds: u64,
  /** 1: somebody was convicted of spending it twice. */
  judged: u8,
});
type BrokerCoin = Holds<typeof coinRecord>;

/** Sells coins and takes them back, assigns them while their owner is away, and finds out who spent one twice. */
export class PPayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  /** By serial number. */
  readonly #coins: SoldCoins<BrokerCoin>;
  readonly #queue: OwnerQueue<CoinPath>;

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#coins = new SoldCoins(host.store, 'ppay/coin/', coinRecord);
    this.#queue = new OwnerQueue(host.store, schemeName, coinPath, serialOf);
  }

  outstandingMsat(): Value {
    return this.#coins.outstandingMsat;
  }

  serve(request: Uint8Array): Served {
    switch (request[0]) {
      case requestOp.account:
        return serveAccount(this.#host, request, {
          [accountOp.buy]: (account, body) => this.#sell(account, body),
          [accountOp.sync]: (account, body) => this.#tell(account, body),
        });
      case requestOp.reassign:
      case requestOp.deposit:
        return this.#servePath(request);
      case requestOp.report:
        return this.#serveReport(request);
      default:
        return refused('malformed');
    }
  }

  /** Convicts owners that have shown nothing for too long. */
  onTick(): readonly StoreWrite[] {
    const before = BigInt(this.#nowSeconds()) - ownerAnswerSeconds;
    return this.#coins.overdue(before).flatMap(([serial, record]) => this.#convictSilent(serial, record));
  }

  #sell(account: Uint8Array, body: Uint8Array): Served {
    const wish = buyBody.decode(body);
    const sold = sell(this.#host, schemeId, account, wish?.exponents ?? []);
    if (typeof sold === 'string') return refused(sold);
    const { entropy, key } = this.#host;
    const expirySeconds = this.#nowSeconds() + coinSeconds;
    const coins = sold.values.map(value =>
      rawCoin.sign(key, { serial: entropy.bytes(20), owner: account, value, expirySeconds }),
    );
    const fresh = { paths: [], deposited: 0, claims: [], askedSeconds: 0n, judged: 0 };
    const records = coins.map(coin => this.#coins.put(toHex(coin.serial), { coin, ...fresh }));
    return { kind: 'reply', reply: boughtReply.encode({ coins }), persist: [...sold.persist, ...records] };
  }

  #tell(owner: Uint8Array, body: Uint8Array): Served {
    const wish = syncBody.decode(body);
    if (wish === undefined) return refused('malformed');
    const entries = this.#queue.after(owner, wish.after).slice(0, syncPathsMax);
    const wanted = this.#coins
      .asked()
      .filter(([, { coin }]) => equalBytes(coin.owner, owner))
      .map(([, { coin }]) => coin.serial);
    const last = entries.at(-1)?.entry ?? wish.after;
    const reply = syncReply.encode({ last, paths: entries.map(({ news }) => news), wanted });
    return { kind: 'reply', reply, persist: this.#queue.heard(owner, wish.after) };
  }

  #servePath(request: Uint8Array): Served {
    const message = pathRequest.decode(request);
    if (message === undefined || message.path.layers.length === 0) return refused('malformed');
    const { op, path } = message;
    const record = this.#coins.get(serialOf(path));
    if (record === undefined) return refused('unknownChannel');
    if (!isGenuine(path, this.#host.key.publicKey)) return refused('badSignature');
    const isDeposit = equalBytes(holderOf(path), this.#host.key.publicKey);
    if (isDeposit !== (op === requestOp.deposit)) return refused('badTerms');
    if (record.coin.expirySeconds <= this.#nowSeconds()) return refused('expired');
    if (record.paths.some(known => contradict(known, path, this.#host.key.publicKey)))
      return this.#contradict(record, path);
    const known = record.paths.at(-1);
    const isNews = known === undefined || endOf(path) > endOf(known);
    // What is neither new nor known was passed over: its owner has assigned the coin past it.
    if (!isNews && !record.paths.some(each => covers(each, path))) return this.#contradict(record, path);
    return isDeposit ? this.#credit(record, path, isNews) : this.#assign(record, path, isNews);
  }

  #credit(record: BrokerCoin, path: CoinPath, isNews: boolean): Served {
    const reply = new Uint8Array(0);
    if (!isNews) return { kind: 'reply', reply, persist: [] };
    const depositor = holderAt(path, endOf(path) - 1n) ?? path.assigned.holder;
    const written = this.#coins.put(serialOf(path), {
      ...record,
      paths: withPath(record.paths, path),
      deposited: 1,
    });
    const credited = this.#host.accounts.deposit(schemeId, depositor, record.coin.value);
    return { kind: 'reply', reply, persist: [written, ...credited] };
  }

  #assign(record: BrokerCoin, path: CoinPath, isNews: boolean): Served {
    const { coin } = record;
    if (isNews && this.#queue.isFull(coin.owner, serialOf(path))) return refused('busy');
    const assigned = assignedCoin.sign(this.#host.key, {
      coin,
      holder: holderOf(path),
      position: endOf(path),
    });
    const reply = assignedAnswer.encode({ op: answerOp.assigned, assigned });
    if (!isNews) return { kind: 'reply', reply, persist: [] };
    const written = this.#coins.put(serialOf(path), { ...record, paths: withPath(record.paths, path) });
    return { kind: 'reply', reply, persist: [written, ...this.#queue.add(coin.owner, path)] };
  }

  /** What somebody shows contradicts what is known: a cheat is proven by both, or the owner must say more. */
  #contradict(record: BrokerCoin, path: CoinPath): Served {
    const found = this.#fraudAmong(record, [path]);
    const other = found?.known;
    const reply =
      other === undefined ? undefined : contradictedAnswer.encode({ op: answerOp.contradicted, path: other });
    const claims = withClaim(record, path);
    const isNews = claims.length > record.claims.length;
    const asked = {
      ...record,
      claims,
      askedSeconds: isNews ? BigInt(this.#nowSeconds()) : record.askedSeconds,
    };
    const persist =
      found === undefined
        ? [this.#coins.put(serialOf(path), asked)]
        : this.#convict({ ...record, claims }, found.fraud);
    return { kind: 'reply', reply: reply ?? Uint8Array.of(answerOp.undecided), persist };
  }

  /** Two paths of a coin, or what its owner knows of it twice. */
  #serveReport(request: Uint8Array): Served {
    const message = reportRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { first, second } = message;
    const record = this.#coins.get(serialOf(first));
    if (record === undefined || serialOf(second) !== serialOf(first)) return refused('unknownChannel');
    const { publicKey } = this.#host.key;
    if (!isGenuine(first, publicKey, historyMax) || !isGenuine(second, publicKey, historyMax))
      return refused('badSignature');
    const found = this.#fraudAmong(record, [first, second]);
    const persist = found === undefined ? this.#explained(record, first) : this.#convict(record, found.fraud);
    return { kind: 'reply', reply: new Uint8Array(0), persist };
  }

  /** What an owner shows may say how a coin came past what was claimed. */
  #explained(record: BrokerCoin, history: CoinPath): readonly StoreWrite[] {
    const claims = record.claims.filter(claim => !(covers(history, claim) && agree(history, claim)));
    if (claims.length === record.claims.length || !record.paths.every(path => agree(history, path)))
      return [];
    const askedSeconds = claims.length === 0 ? 0n : record.askedSeconds;
    return [this.#coins.put(toHex(record.coin.serial), { ...record, claims, askedSeconds })];
  }

  #fraudAmong(
    { paths, claims }: BrokerCoin,
    shown: readonly CoinPath[],
  ): { readonly fraud: Fraud; readonly known: CoinPath } | undefined {
    for (const path of shown) {
      for (const known of [...paths, ...claims, ...shown]) {
        const fraud = fraudIn(path, known, this.#host.key.publicKey);
        if (fraud !== undefined) return { fraud, known };
      }
    }
    return undefined;
  }

  /** Once for each coin: the proof is filed, and what the coin is worth is taken from whoever spent it twice. */
  #convict(record: BrokerCoin, fraud: Fraud): readonly StoreWrite[] {
    if (record.judged === 1) return [];
    const { coin } = record;
    return [
      this.#coins.put(toHex(coin.serial), { ...record, judged: 1 }),
      ...this.#host.file(proofOf(fraud)),
      ...this.#host.accounts.charge(fraud.guilty, coin.value),
    ];
  }

  #convictSilent(serial: string, record: BrokerCoin): readonly StoreWrite[] {
    const { coin, askedSeconds } = record;
    const { owner } = coin;
    for (const one of [...record.paths, ...record.claims]) {
      for (const other of [...record.claims, ...record.paths]) {
        if (!isUnjustified(one, other, this.#host.key.publicKey)) continue;
        const word = unanswered.sign(this.#host.key, { serial: coin.serial, owner, askedSeconds });
        const proof = unansweredProof(this.#host.key.publicKey, one, other, unanswered.encode(word));
        return [
          this.#coins.put(serial, { ...record, judged: 1 }),
          ...this.#host.file(proof),
          ...this.#host.accounts.charge(owner, coin.value),
        ];
      }
    }
    // It was no contradiction, only a path that is long passed over.
    return [this.#coins.put(serial, { ...record, claims: [], askedSeconds: 0n })];
  }

  #nowSeconds(): number {
    return secondsOf(this.#host.clock);
  }
}

/** The coin's record is written anew with each hand-over, so what is told longest ago goes first. */
function withPath(paths: readonly CoinPath[], path: CoinPath): readonly CoinPath[] {
  const last = paths.at(-1);
  const goesOn = last !== undefined && startOf(path) <= endOf(last) && startOf(path) >= startOf(last);
  const longer = goesOn ? extended(last, path) : path;
  const kept =
    goesOn && longer.layers.length <= pathHandoversMax ? [...paths.slice(0, -1), longer] : [...paths, path];
  let handovers = kept.reduce((sum, { layers }) => sum + layers.length, 0);
  while (kept.length > pathsMax || (handovers > historyMax && kept.length > 1))
    handovers -= kept.shift()?.layers.length ?? 0;
  return kept;
}

function withClaim({ claims }: BrokerCoin, path: CoinPath): readonly CoinPath[] {
  return claims.length < pathsMax && !claims.some(claim => agree(claim, path) && endOf(claim) >= endOf(path))
    ? [...claims, path]
    : claims;
}
