import { concatBytes, equalBytes, toHex, utf8 } from '../../base/bytes.ts';
import { countedList, type Holds, struct, u8, u64 } from '../../base/struct.ts';
import type { BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { sell, serveAccount } from '../../payment/coins/coin-counter.ts';
import { syncBody } from '../../payment/coins/coin-messages.ts';
import { answerSeconds, coinSeconds, hasExpired, secondsOf } from '../../payment/coins/coin-times.ts';
import { Damages } from '../../payment/coins/damages.ts';
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
import { type Fraud, fraudIn, proofOf, spendsIn } from './fraud.ts';
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
  /** Paths that contradict these. */
  claims: countedList(u8, coinPath),
  /** When the owner was asked about them last, in seconds since 1970; 0: it need not say any more. */
  askedSeconds: u64,
  /** Of earlier versions. */
  judged: u8,
});
type BrokerCoin = Holds<typeof coinRecord>;

/** Sells coins and takes them back, assigns them while their owner is away, and finds out who spent one twice. */
export class PPayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  /** By serial number. */
  readonly #coins: SoldCoins<BrokerCoin>;
  readonly #queue: OwnerQueue<CoinPath>;
  readonly #damages: Damages;

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#coins = new SoldCoins(host.store, 'ppay/coin/', coinRecord);
    this.#queue = new OwnerQueue(host.store, schemeName, coinPath, serialOf);
    this.#damages = new Damages(host.accounts, host.store, schemeName);
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

  /** An owner that has shown nothing when that time is over pays. Nothing more comes of the coin then, and it is forgotten. */
  onTick(): readonly StoreWrite[] {
    const charged = this.#coins
      .asked()
      .filter(([, { coin }]) => hasExpired(coin.expirySeconds + answerSeconds, this.#host.clock))
      .flatMap(([serial, record]) => [
        ...this.#chargeOwner(serial, record),
        this.#coins.put(serial, { ...record, claims: [], askedSeconds: 0n }),
      ]);
    const forgotten = this.#coins.forget(this.#nowSeconds() - answerSeconds, record => this.#end(record));
    return [...charged, ...forgotten];
  }

  /** What nobody handed in is again whose it was at first. */
  #end({ coin, deposited }: BrokerCoin): readonly StoreWrite[] {
    const serial = toHex(coin.serial);
    return [
      ...(deposited === 1 ? [] : this.#host.accounts.deposit(schemeId, coin.owner, coin.value)),
      ...this.#damages.forget(serial),
      ...this.#queue.forget(coin.owner, serial),
    ];
  }

  /**
   * By what hand-over it signed the coin over its owner must be able to show: it pays who is short by its word. That convicts nobody:
   * it may be away.
   */
  #chargeOwner(serial: string, record: BrokerCoin): readonly StoreWrite[] {
    const { coin, claims, paths } = record;
    const { publicKey } = this.#host.key;
    const guilty = this.#fraudsAmong(record, claims).map(({ fraud }) => toHex(fraud.guilty));
    const short = new Map<string, Deposit>();
    for (const claim of claims) {
      const deposit = depositIn(claim, publicKey);
      if (deposit === undefined || guilty.includes(toHex(deposit.by))) continue;
      const rival = paths.some(path => isOwners(path) && contradict(path, claim, publicKey));
      if (!isOwners(claim) && !rival) continue;
      if (!this.#damages.hasPaid(serial, deposit.name)) short.set(toHex(deposit.name), deposit);
    }
    const names = [...short.values()].map(({ name }) => name);
    if (names.length === 0) return [];
    // The coin itself has paid one.
    const spends = { fork: utf8('not shown'), said: [utf8('first'), ...names] };
    const demanded = this.#damages.demand(serial, coin.value, [coin.owner], spends) ?? [];
    const paid = [...short.values()].flatMap(({ by, name }) =>
      this.#damages.pay(serial, [{ account: by, msat: coin.value }], name),
    );
    return [...demanded, ...paid];
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
    if (!isGenuine(path, this.#host.key.publicKey, record.coin)) return refused('badSignature');
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
    const found = this.#fraudsAmong(record, [path]);
    const [first] = found;
    const reply =
      first === undefined
        ? Uint8Array.of(answerOp.undecided)
        : contradictedAnswer.encode({ op: answerOp.contradicted, path: first.known });
    const claims = withClaim(record, path);
    const isNews = claims.length > record.claims.length && first === undefined;
    const askedSeconds = isNews ? BigInt(this.#nowSeconds()) : record.askedSeconds;
    const claimed = this.#coins.put(serialOf(path), { ...record, claims, askedSeconds });
    return { kind: 'reply', reply, persist: [claimed, ...this.#convict({ ...record, claims }, found)] };
  }

  /** Two paths of a coin, or what its owner knows of it twice. */
  #serveReport(request: Uint8Array): Served {
    const message = reportRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { first, second } = message;
    const record = this.#coins.get(serialOf(first));
    if (record === undefined || serialOf(second) !== serialOf(first)) return refused('unknownChannel');
    const { publicKey } = this.#host.key;
    const shown = [first, second];
    if (!shown.every(path => isGenuine(path, publicKey, record.coin, historyMax)))
      return refused('badSignature');
    const found = this.#fraudsAmong(record, shown);
    const persist = [...this.#convict(record, found), ...this.#explained(record, shown, found)];
    return { kind: 'reply', reply: new Uint8Array(0), persist };
  }

  /** What an owner shows may say how a coin came to be where it was claimed, if not how it came to be elsewhere too. */
  #explained(
    record: BrokerCoin,
    [history]: readonly CoinPath[],
    found: readonly Found[],
  ): readonly StoreWrite[] {
    const isTold = (path: CoinPath) =>
      agree(history, path) && (startOf(path) <= endOf(history) || !isOwners(path));
    // From the first holder on: where it begins later, its owner may have made up what it begins with.
    const isShown =
      startOf(history) === 1n && (record.paths.every(isTold) || found.some(({ path }) => path === history));
    const claims = isShown
      ? record.claims.filter(claim => !(covers(history, claim) && agree(history, claim)))
      : record.claims;
    const isOpen = claims.some(claim => !(isShown && leadsTo(history, claim)) && !isSettled(claim, found));
    const askedSeconds = isOpen ? record.askedSeconds : 0n;
    if (claims.length === record.claims.length && askedSeconds === record.askedSeconds) return [];
    return [this.#coins.put(toHex(record.coin.serial), { ...record, claims, askedSeconds })];
  }

  #fraudsAmong({ paths, claims }: BrokerCoin, shown: readonly CoinPath[]): readonly Found[] {
    return shown.flatMap(path =>
      [...paths, ...claims, ...shown].flatMap(known => {
        const fraud = fraudIn(path, known, this.#host.key.publicKey);
        return fraud === undefined ? [] : [{ fraud, path, known }];
      }),
    );
  }

  /** For each spend once: a proof is filed, and what the coin is worth is taken from who is guilty, for who handed it in besides. */
  #convict({ coin, claims }: BrokerCoin, found: readonly Found[]): readonly StoreWrite[] {
    const [serial, { publicKey }] = [toHex(coin.serial), this.#host.key];
    const writes: StoreWrite[] = [];
    for (const { fraud } of found) {
      const demanded = this.#damages.demand(serial, coin.value, [fraud.guilty], spendsIn(fraud));
      if (demanded !== undefined) writes.push(...this.#host.file(proofOf(fraud)), ...demanded);
    }
    for (const claim of claims) {
      const deposit = depositIn(claim, publicKey);
      if (deposit === undefined || !isSettled(claim, found)) continue;
      if (found.some(({ fraud }) => equalBytes(fraud.guilty, deposit.by))) continue;
      writes.push(...this.#damages.pay(serial, [{ account: deposit.by, msat: coin.value }], deposit.name));
    }
    return writes;
  }

  #nowSeconds(): number {
    return secondsOf(this.#host.clock);
  }
}

/** Somebody's fraud, by two paths. */
interface Found {
  readonly fraud: Fraud;
  readonly path: CoinPath;
  readonly known: CoinPath;
}

/** True when it is by the owner's word that the first in it holds the coin; else by the broker's. */
function isOwners({ assigned }: CoinPath): boolean {
  return assignedCoin.isBy(assigned.coin.owner, assigned);
}

/** A coin that was handed in: who did, and what names that it did so there. */
interface Deposit {
  readonly by: Uint8Array;
  readonly name: Uint8Array;
}

function depositIn(claim: CoinPath, broker: Uint8Array): Deposit | undefined {
  const by = holderAt(claim, endOf(claim) - 1n);
  if (by === undefined || !equalBytes(holderOf(claim), broker)) return undefined;
  return { by, name: concatBytes(utf8(`${endOf(claim)} `), by) };
}

/** True when one of these frauds is why the claim is not the only one: whoever is guilty of it pays. */
function isSettled(claim: CoinPath, found: readonly Found[]): boolean {
  return found.some(({ path, known }) => leadsTo(path, claim) || leadsTo(known, claim));
}

/** True when the second goes on from the first, or is part of it. */
function leadsTo(one: CoinPath, other: CoinPath): boolean {
  return startOf(other) >= startOf(one) && startOf(other) <= endOf(one) && agree(one, other);
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
  const isKnown = claims.some(claim => covers(claim, path) && agree(claim, path));
  return isKnown || claims.length >= pathsMax ? claims : [...claims, path];
}
