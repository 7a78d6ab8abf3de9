import { equalBytes, toHex } from '../../base/bytes.ts';
import type { BrokerHost } from '../../payment/broker-side.ts';
import { secondsOf } from '../../payment/coins/coin-times.ts';
import type { SoldCoins } from '../../payment/coins/sold-coins.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { refused, type Served } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import type { BrokerRings } from './broker-rings.ts';
import { type BrokerCoin, isSame, withSeen } from './coin-record.ts';
import { Damages } from './damages.ts';
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
  isSameWord,
  signersOf,
} from './ring.ts';

/**
 * An assistant that shows nothing for so long, though it must, is charged and assists no more until it answers. That is no proof of
 * guilt: it may be away.
 */
const assistantAnswerSeconds = 7n * 86_400n;
interface Conviction {
  readonly assistant: Uint8Array;
  readonly proof: CheatProof;
}

/** Finds out how a coin came to be handed in twice: which of the assistants that authorised its payments has cheated. */
export class Inquest {
  readonly #host: BrokerHost;
  readonly #rings: BrokerRings;
  readonly #coins: SoldCoins<BrokerCoin>;
  readonly #damages: Damages;
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
    this.#damages = new Damages(host);
    for (const { convicted } of coins.all()) for (const each of convicted) this.#convicts.add(toHex(each));
  }

  /** True for one that assists no more, whatever it offers, or not until it answers. */
  isBarred(assistant: Uint8Array): boolean {
    return this.#convicts.has(toHex(assistant)) || this.#damages.isSilent(assistant);
  }

  /** Charges assistants that have shown nothing for too long. */
  chargeOverdue(): readonly StoreWrite[] {
    const before = this.#nowSeconds - assistantAnswerSeconds;
    return this.#coins.overdue(before).flatMap(([, record]) => this.#chargeSilent(record));
  }

  /** A coin that had come back is handed in again, by an account that is short of its value then. */
  handedInAgain(record: BrokerCoin, given: Auth, account: Uint8Array): readonly StoreWrite[] {
    const seen = withSeen(record, given);
    if (seen === record) return [];
    return [this.#damages.add(record.coin, account), ...this.#lookInto(seen)];
  }

  /** Whoever handed a coin in shows how it got that. Undefined: nobody asks. */
  told(record: BrokerCoin, given: Auth): readonly StoreWrite[] | undefined {
    return record.askedSeconds === 0n ? undefined : this.#lookInto(withSeen(record, given));
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
      isAuthorised({ ...held, coin: record.coin }, publicKey, this.#rings) &&
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
        return proof === undefined ? [] : [{ assistant: by, proof }];
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
    const proofs = record.seen.flatMap(({ auth: one }, at) =>
      record.seen.slice(at + 1).flatMap(({ auth: other }) => this.#signedTwice(record, one, other)),
    );
    const before = this.#coins.get(toHex(record.coin.guid));
    // Whoever signed what is new to us has all the time to answer.
    const isNews = before === undefined || record.seen.length > before.seen.length;
    const askedSeconds = isNews ? this.#nowSeconds : record.askedSeconds;
    return this.#convict({ ...record, askedSeconds }, [...found, ...proofs]);
  }

  #signedTwice(record: BrokerCoin, one: Auth, other: Auth): readonly Conviction[] {
    if (holdingOf(one) !== holdingOf(other) || isSameWord(one, other)) return [];
    const { publicKey } = this.#host.key;
    const others = signersOf(other, record.coin, publicKey, this.#rings);
    return signersOf(one, record.coin, publicKey, this.#rings).flatMap((assistant, at) => {
      const second = others.findIndex(each => equalBytes(each, assistant));
      if (second < 0) return [];
      const proof = doubleAuthorisation(assistant, statementOf(one, at), statementOf(other, second));
      return proof === undefined ? [] : [{ assistant, proof }];
    });
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
      ...this.#damages.chargeSilent(record.coin, keys),
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
      .flatMap(key => this.#damages.heard(record.coin, key));
  }

  /** Each once for each coin: the proof is filed, and it assists no more. All of them pay those that are short of the coin's value. */
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
    writes.push(...this.#damages.convict(record.coin, convicted));
    return [...writes, this.#put({ ...record, convicted, askedSeconds: 0n })];
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

/** True when it was seen what made the payer the holder. */
function isGrounded({ seen }: BrokerCoin, { payer, sinceMs }: Auth): boolean {
  return seen.some(({ auth: before }) => equalBytes(before.payee, payer) && before.timeMs === sinceMs);
}

function statementOf({ signatures, ...said }: Auth, at: number): AuthStatement {
  return { ...said, signature: signatures[at].signature };
}
