import { equalBytes, toHex, utf8 } from '../../base/bytes.ts';
import type { BrokerHost } from '../../payment/broker-side.ts';
import { secondsOf } from '../../payment/coins/coin-times.ts';
import type { SoldCoins } from '../../payment/coins/sold-coins.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { refused, type Served } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import type { BrokerRings } from './broker-rings.ts';
import { type BrokerCoin, isSame, withSeen } from './coin-record.ts';
import { accountNonce } from './dealings.ts';
import { doubleAuthorisation, falseRelease } from './fraud.ts';
import { gatherReleases } from './leaving.ts';
import { type Auth, type AuthStatement, type Grant, release, showRequest, wish } from './messages.ts';
import {
  epochOf,
  holdingOf,
  isAuthorised,
  isBuyersOwn,
  isOrigin,
  isSamePayment,
  ownHoldingOf,
  signersOf,
} from './ring.ts';
import { type Fork, Shortfalls } from './shortfalls.ts';

/**
 * An assistant that shows nothing for so long, though it must, is charged and assists no more until it answers. That is no proof of
 * guilt: it may be away.
 */
const assistantAnswerSeconds = 7n * 86_400n;
/** Authorisations in a coin's record beyond which only what belongs to another is put to them. */
const claimsMax = 32;

interface Conviction {
  readonly assistant: Uint8Array;
  readonly proof: CheatProof;
  /** What it gave to two. */
  readonly holding: string;
}

/** Finds out how a coin came to be handed in twice: which of the assistants that authorised its payments has cheated. */
export class Inquest {
  readonly #host: BrokerHost;
  readonly #rings: BrokerRings;
  readonly #coins: SoldCoins<BrokerCoin>;
  readonly #shortfalls: Shortfalls;
  readonly #granted: (holding: string) => Grant | undefined;
  /** In hex. */
  readonly #convicts = new Set<string>();

  /** @param granted what the broker authorised of a holding, where nobody else assists. */
  constructor(
    host: BrokerHost,
    rings: BrokerRings,
    coins: SoldCoins<BrokerCoin>,
    granted: (holding: string) => Grant | undefined,
  ) {
    this.#host = host;
    this.#granted = granted;
    this.#rings = rings;
    this.#coins = coins;
    this.#shortfalls = new Shortfalls(host);
    for (const { convicted } of coins.all()) for (const each of convicted) this.#convicts.add(toHex(each));
  }

  /** True for one that assists no more, whatever it offers, or not until it answers. */
  isBarred(assistant: Uint8Array): boolean {
    return this.#convicts.has(toHex(assistant)) || this.#shortfalls.isSilent(assistant);
  }

  /** Nobody can be short of that coin any more. */
  forget(made: BrokerCoin['coin']): readonly StoreWrite[] {
    return this.#shortfalls.forget(made);
  }

  /** Charges assistants that have shown nothing for too long. */
  chargeOverdue(): readonly StoreWrite[] {
    const before = this.#nowSeconds - assistantAnswerSeconds;
    return this.#coins.overdue(before).flatMap(([, record]) => this.#chargeSilent(record));
  }

  /** A coin that had come back is handed in again, by an account that is short of its value then. */
  handedInAgain(record: BrokerCoin, given: Auth, account: Uint8Array): readonly StoreWrite[] {
    const seen = withSeen(record, given);
    if (seen !== record) return [this.#shortfalls.add(record.coin, account), ...this.#lookInto(seen)];
    if (record.seen.some(({ auth: known }) => isSame(known, given))) return [];
    // More than are kept: what it says is counted alone, and held against those.
    const noted = this.#shortfalls.note(record.coin, wordOf(given));
    if (noted === undefined) return [];
    const more = { ...record, seen: [...record.seen, { auth: given, shown: 0 }] };
    const found = this.#signedTwice(more).filter(({ holding }) => holding === holdingOf(given));
    const demanded = this.#shortfalls.demand(record.coin, forksOf(more, found)) ?? [];
    const added = this.#shortfalls.add(record.coin, account);
    return [...noted, ...demanded, added, ...this.#convict(record, found)];
  }

  /**
   * Whoever handed a coin in shows how it got that, or somebody claims it: as long as it has not come back, nobody is asked what it did.
   * Undefined: it is not looked at.
   */
  told(record: BrokerCoin, given: Auth): readonly StoreWrite[] | undefined {
    // Else whoever is guilty could fill the record with what nobody has to do with.
    const belongs = record.seen.some(
      ({ auth: known }) => isGroundOf(given, known) || holdingOf(known) === holdingOf(given),
    );
    if (!belongs && record.seen.length >= claimsMax) return undefined;
    const seen = withSeen(record, given);
    return record.deposited === 1 ? this.#lookInto(seen) : this.#convict(seen, this.#signedTwice(seen));
  }

  /** Somebody who claimed that holding has nothing of the coin: where it was given to another too, whoever gave it to both pays. */
  leftOut(record: BrokerCoin, holding: string, account: Uint8Array): readonly StoreWrite[] {
    const given = record.seen.find(({ auth: known }) => ownHoldingOf(known) === holding)?.auth;
    const isHeld = record.seen.every(({ auth: known }) => holdingOf(known) !== holding);
    const isForked = this.#signedTwice(record).some(fork => given && fork.holding === holdingOf(given));
    if (!isHeld || !isForked) return [];
    return [
      this.#shortfalls.add(record.coin, account),
      ...this.#shortfalls.settle(record.coin, record.convicted),
    ];
  }

  /** The grounds of an authorisation lead to the one before it, until two of them contradict each other. */
  show(request: Uint8Array): Served {
    const message = showRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { held, wish: said, auth: given } = message.grant;
    const record = this.#coins.get(toHex(held.coin.guid));
    if (record === undefined || record.askedSeconds === 0n) return refused('unknownChannel');
    const { publicKey } = this.#host.key;
    const grounded =
      wish.isBy(said.payer, said) &&
      equalBytes(said.payer, held.auth.payee) &&
      equalBytes(said.guid, held.auth.guid) &&
      equalBytes(given.payer, said.payer) &&
      isSamePayment(given, said) &&
      given.sinceMs === held.auth.timeMs &&
      isAuthorised({ ...held, coin: record.coin }, publicKey, this.#rings, { coin: record.coin }) &&
      this.#wasLeft(record, message.grant);
    if (!grounded) return refused('badSignature');
    if (!record.seen.some(({ auth: known }) => isSame(known, given))) return refused('unknownChannel');
    const { found, shown } = this.#withGrounds(record, message.grant);
    const persist = [...this.#heard(shown, given), ...this.#lookInto(shown, found)];
    return { kind: 'reply', reply: new Uint8Array(0), persist };
  }

  /** True when all that assisted the holder before had left the holding to who authorised it: else that had no business to. */
  #wasLeft({ coin }: BrokerCoin, { auth: given, held, releases }: Grant): boolean {
    const present = this.#rings.ring(epochOf(given.timeMs));
    let wasLeft = false;
    if (present !== undefined)
      gatherReleases({ rings: this.#rings }, { ...held, coin }, present, releases, left => {
        wasLeft = left.releases !== undefined;
      });
    return wasLeft;
  }

  #withGrounds(record: BrokerCoin, { auth: given, held, releases }: Grant) {
    const seen = record.seen.map(each => (isSame(each.auth, given) ? { ...each, shown: 1 } : each));
    const shown = withSeen({ ...record, seen }, held.auth);
    return { shown, found: this.#falselyReleased(shown, releases) };
  }

  /** Who authorised what it had left to another. */
  #falselyReleased(record: BrokerCoin, releases: Grant['releases']): readonly Conviction[] {
    const { publicKey } = this.#host.key;
    return releases.flatMap(({ by, said }) =>
      record.seen.flatMap(({ auth: given }) => {
        const at = signersOf(given, record.coin, publicKey, this.#rings).findIndex(key =>
          equalBytes(key, by),
        );
        const proof =
          at < 0 || !release.isBy(by, said) ? undefined : falseRelease(by, said, statementOf(given, at));
        return proof === undefined ? [] : [{ assistant: by, proof, holding: holdingOf(given) }];
      }),
    );
  }

  /** Two authorisations of one holding convict whoever signed both. Else the grounds of all are asked for; the broker has its own. */
  #lookInto(record: BrokerCoin, found: readonly Conviction[] = []): readonly StoreWrite[] {
    for (const given of this.#unshown(record)) {
      const own = this.#granted(holdingOf(given));
      if (own === undefined || !isSame(own.auth, given)) continue;
      const grounds = this.#withGrounds(record, own);
      return this.#lookInto(grounds.shown, [...found, ...grounds.found]);
    }
    const before = this.#coins.get(toHex(record.coin.guid));
    // Whoever signed what is new to us has all the time to answer.
    const isNews = before === undefined || record.seen.length > before.seen.length;
    const askedSeconds = isNews ? this.#nowSeconds : record.askedSeconds;
    return this.#convict({ ...record, askedSeconds }, [...found, ...this.#signedTwice(record)]);
  }

  /** Whoever signed two authorisations of one holding. */
  #signedTwice(record: BrokerCoin): readonly Conviction[] {
    const all = record.seen.map(({ auth: given }) => ({ given, holding: holdingOf(given) }));
    const holdings = all.map(({ holding }) => holding);
    const known = new Map<string, AuthStatement>();
    const found: Conviction[] = [];
    for (const { given, holding } of all) {
      if (holdings.indexOf(holding) === holdings.lastIndexOf(holding)) continue;
      for (const [at, assistant] of this.#signersOf(record, given).entries()) {
        const name = `${holding} ${toHex(assistant)}`;
        const [one, other] = [known.get(name), statementOf(given, at)];
        const proof = one === undefined ? undefined : doubleAuthorisation(assistant, one, other);
        if (proof === undefined) known.set(name, other);
        else found.push({ assistant, proof, holding });
      }
    }
    return found;
  }

  #chargeSilent(record: BrokerCoin): readonly StoreWrite[] {
    const silent = new Map(
      this.#unshown(record).flatMap(given =>
        this.#signersOf(record, given).map(key => [toHex(key), key] as const),
      ),
    );
    const keys = [...silent.values()];
    return [
      ...this.#rings.remove(keys),
      ...this.#shortfalls.chargeSilent(record.coin, keys),
      this.#put({ ...record, askedSeconds: this.#nowSeconds }),
    ];
  }

  /** Whoever has nothing left to show of this coin is not silent any more. */
  #heard(record: BrokerCoin, given: Auth | AuthStatement): readonly StoreWrite[] {
    const answered = record.seen.find(({ auth: known }) => isSame(known, given));
    if (answered === undefined) return [];
    const open = this.#unshown(record).flatMap(each => this.#signersOf(record, each));
    return this.#signersOf(record, answered.auth)
      .filter(key => !open.some(each => equalBytes(each, key)))
      .flatMap(key => this.#shortfalls.heard(record.coin, key));
  }

  /**
   * Each once for each coin: the proof is filed, and it assists no more. Each pays for what it gave to two; as long as somebody is
   * short of more than that, others are guilty too, and all are asked.
   */
  #convict(record: BrokerCoin, found: readonly Conviction[]): readonly StoreWrite[] {
    const convicted = [...record.convicted];
    const writes: StoreWrite[] = [];
    for (const { assistant, proof } of found) {
      if (convicted.some(each => equalBytes(each, assistant))) continue;
      convicted.push(assistant);
      this.#convicts.add(toHex(assistant));
      writes.push(...this.#host.file(proof), ...this.#rings.remove([assistant]));
    }
    if (convicted.length === 0) return [this.#put(record)];
    writes.push(...(this.#shortfalls.demand(record.coin, forksOf(record, found)) ?? []));
    writes.push(...this.#shortfalls.settle(record.coin, convicted));
    const since = record.askedSeconds === 0n ? this.#nowSeconds : record.askedSeconds;
    const askedSeconds = this.#shortfalls.isAnyShort(record.coin) ? since : 0n;
    return [...writes, this.#put({ ...record, convicted, askedSeconds })];
  }

  /** Authorisations that this account signed, or handed a coin in by, and whose grounds are asked for. */
  wantedOf(account: Uint8Array): readonly AuthStatement[] {
    const nonce = accountNonce(account);
    return this.#coins.asked().flatMap(([, record]) => {
      const signed = this.#unshown(record).flatMap(given => {
        const at = this.#signersOf(record, given).findIndex(each => equalBytes(each, account));
        return at < 0 ? [] : [statementOf(given, at)];
      });
      const handedIn = record.seen.filter(
        ({ auth: given }) => equalBytes(given.nonce, nonce) && !isGrounded(record, given),
      );
      return [...signed, ...handedIn.map(({ auth: given }) => statementOf(given, 0))];
    });
  }

  /** What its assistants have not shown the grounds of. */
  #unshown(record: BrokerCoin): readonly Auth[] {
    const { publicKey } = this.#host.key;
    return record.seen
      .filter(({ auth: given, shown }) => shown === 0 && !isOrigin(given, publicKey) && !isBuyersOwn(given))
      .map(({ auth: given }) => given);
  }

  #signersOf({ coin: made }: BrokerCoin, given: Auth): readonly Uint8Array[] {
    return signersOf(given, made, this.#host.key.publicKey, this.#rings);
  }

  #put(record: BrokerCoin): StoreWrite {
    return this.#coins.put(toHex(record.coin.guid), record);
  }

  get #nowSeconds(): bigint {
    return BigInt(secondsOf(this.#host.clock));
  }
}

/** Holdings that these gave to more than one, and to whom all of them went. */
function forksOf({ seen }: BrokerCoin, found: readonly Conviction[]): readonly Fork[] {
  return [...new Set(found.map(({ holding }) => holding))].map(holding => {
    const guilty = new Map(
      found.filter(each => each.holding === holding).map(({ assistant }) => [toHex(assistant), assistant]),
    );
    const said = seen
      .filter(({ auth: given }) => holdingOf(given) === holding)
      .map(({ auth: given }) => wordOf(given));
    return { guilty: [...guilty.values()], spends: { fork: utf8(holding), said } };
  });
}

function wordOf({ nonce, payee, timeMs }: Auth): Uint8Array {
  return utf8(`${toHex(payee)} ${toHex(nonce)} ${timeMs}`);
}

/** True when it was seen what made the payer the holder. */
function isGrounded({ seen }: BrokerCoin, given: Auth): boolean {
  return seen.some(({ auth: before }) => isGroundOf(before, given));
}

/** True for what made the payer the holder. */
function isGroundOf(before: Auth, { payer, sinceMs }: Auth): boolean {
  return equalBytes(before.payee, payer) && before.timeMs === sinceMs;
}

function statementOf({ signatures, ...said }: Auth, at: number): AuthStatement {
  return { ...said, signature: signatures[at].signature };
}
