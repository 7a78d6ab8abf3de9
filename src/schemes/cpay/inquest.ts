import { equalBytes, toHex } from '../../base/bytes.ts';
import type { BrokerHost } from '../../payment/broker-side.ts';
import { secondsOf } from '../../payment/coins/coin-times.ts';
import type { SoldCoins } from '../../payment/coins/sold-coins.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { refused, type Served } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import type { BrokerRings } from './broker-rings.ts';
import { type BrokerCoin, isSame, withSeen } from './coin-record.ts';
import { doubleAuthorisation, falseRelease, unshown, unshownProof } from './fraud.ts';
import { type Auth, type AuthStatement, type Grant, release, showRequest, wish } from './messages.ts';
import { holdingOf, isAuthorised, isOrigin, isSamePayment, signersOf } from './ring.ts';

/** An assistant that cannot be reached for so long, and that must show on what it authorised a payment, is convicted. */
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
  /** In hex. */
  readonly #convicts = new Set<string>();

  constructor(host: BrokerHost, rings: BrokerRings, coins: SoldCoins<BrokerCoin>) {
    this.#host = host;
    this.#rings = rings;
    this.#coins = coins;
    for (const { convicted } of coins.all()) for (const each of convicted) this.#convicts.add(toHex(each));
  }

  /** True for one that assists no more, whatever it offers. */
  isConvict(assistant: Uint8Array): boolean {
    return this.#convicts.has(toHex(assistant));
  }

  /** Convicts assistants that have shown nothing for too long. */
  convictOverdue(): readonly StoreWrite[] {
    const before = BigInt(secondsOf(this.#host.clock)) - assistantAnswerSeconds;
    return this.#coins.overdue(before).flatMap(([, record]) => this.#convictSilent(record));
  }

  /** The grounds of an authorisation lead to the one before it, until two of them contradict each other. */
  show(request: Uint8Array): Served {
    const message = showRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { held, wish: said, auth: given, releases } = message.grant;
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
      isAuthorised({ ...held, coin: record.coin }, publicKey, this.#rings);
    if (!grounded) return refused('badSignature');
    const seen = record.seen.map(each => (isSame(each.auth, given) ? { ...each, shown: 1 } : each));
    if (!seen.some(({ auth: known }) => isSame(known, given))) return refused('unknownChannel');
    const shown = withSeen({ ...record, seen }, held.auth);
    const persist = this.lookInto(shown, this.#falselyReleased(shown, releases));
    return { kind: 'reply', reply: new Uint8Array(0), persist };
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

  /** Two authorisations of one holding convict whoever signed both. Else the grounds of all are asked for. */
  lookInto(record: BrokerCoin, found: readonly Conviction[] = []): readonly StoreWrite[] {
    const proofs = record.seen.flatMap(({ auth: one }, at) =>
      record.seen.slice(at + 1).flatMap(({ auth: other }) => this.#signedTwice(record, one, other)),
    );
    const before = this.#coins.get(toHex(record.coin.guid));
    // Whoever signed what is new to us has all the time to answer.
    const isNews = before === undefined || record.seen.length > before.seen.length;
    const askedSeconds = isNews ? BigInt(secondsOf(this.#host.clock)) : record.askedSeconds;
    return this.#convict({ ...record, askedSeconds }, [...found, ...proofs]);
  }

  #signedTwice(record: BrokerCoin, one: Auth, other: Auth): readonly Conviction[] {
    if (holdingOf(one) !== holdingOf(other) || isSamePayment(one, other)) return [];
    const { publicKey } = this.#host.key;
    const others = signersOf(other, record.coin, publicKey, this.#rings);
    return signersOf(one, record.coin, publicKey, this.#rings).flatMap((assistant, at) => {
      const second = others.findIndex(each => equalBytes(each, assistant));
      if (second < 0) return [];
      const proof = doubleAuthorisation(assistant, statementOf(one, at), statementOf(other, second));
      return proof === undefined ? [] : [{ assistant, proof }];
    });
  }

  #convictSilent(record: BrokerCoin): readonly StoreWrite[] {
    const { key } = this.#host;
    const silent = record.seen.filter(
      ({ auth: given, shown }) => shown === 0 && !isOrigin(given, key.publicKey),
    );
    const found = silent.flatMap(({ auth: given }) =>
      signersOf(given, record.coin, key.publicKey, this.#rings).map((assistant, at) => {
        const { guid, payer, sinceMs } = given;
        const word = unshown.sign(key, {
          assistant,
          guid,
          payer,
          sinceMs,
          askedSeconds: record.askedSeconds,
        });
        const proof = unshownProof(assistant, key.publicKey, statementOf(given, at), unshown.encode(word));
        return { assistant, proof };
      }),
    );
    return this.#convict({ ...record, askedSeconds: 0n }, found);
  }

  /** Each once for each coin: the proof is filed, the coin's value charged, and it assists no more. */
  #convict(record: BrokerCoin, found: readonly Conviction[]): readonly StoreWrite[] {
    const convicted = [...record.convicted];
    const writes: StoreWrite[] = [];
    for (const { assistant, proof } of found) {
      if (convicted.some(each => equalBytes(each, assistant))) continue;
      convicted.push(assistant);
      this.#convicts.add(toHex(assistant));
      writes.push(...this.#host.file(proof), ...this.#host.accounts.charge(assistant, record.coin.value));
      writes.push(...this.#rings.remove([assistant]));
    }
    const askedSeconds = convicted.length > record.convicted.length ? 0n : record.askedSeconds;
    return [...writes, this.#coins.put(toHex(record.coin.guid), { ...record, convicted, askedSeconds })];
  }

  /** Authorisations of that assistant whose grounds are asked for. */
  wantedOf(assistant: Uint8Array): readonly AuthStatement[] {
    const { publicKey } = this.#host.key;
    return this.#coins.asked().flatMap(([, record]) => {
      const open = record.seen.filter(({ auth: given, shown }) => shown === 0 && !isOrigin(given, publicKey));
      return open.flatMap(({ auth: given }) => {
        const signers = signersOf(given, record.coin, publicKey, this.#rings);
        const at = signers.findIndex(each => equalBytes(each, assistant));
        return at < 0 ? [] : [statementOf(given, at)];
      });
    });
  }
}

function statementOf({ signatures, ...said }: Auth, at: number): AuthStatement {
  return { ...said, signature: signatures[at].signature };
}
