import { equalBytes, toHex } from '../../base/bytes.ts';
import { countedList, fixedBytes, type Holds, struct, u8, u16, u64 } from '../../base/struct.ts';
import type { BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { sell, serveAccount } from '../../payment/coins/coin-counter.ts';
import { coinSeconds, secondsOf } from '../../payment/coins/coin-times.ts';
import { SoldCoins } from '../../payment/coins/sold-coins.ts';
import { refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { AssistantDesk } from './assistant.ts';
import { BrokerClaims, claimSeconds } from './broker-claims.ts';
import { BrokerRings } from './broker-rings.ts';
import { accountNonce } from './dealings.ts';
import { doubleAuthorisation, falseRelease, unshown, unshownProof } from './fraud.ts';
import { Leases } from './leases.ts';
import {
  type Auth,
  type AuthStatement,
  accountOp,
  assistBody,
  assistReply,
  auth,
  authStatement,
  boughtReply,
  buyBody,
  claimRequest,
  coin,
  depositRequest,
  epoch,
  epochRequest,
  type Grant,
  groupSize,
  listRequest,
  type PaidCoin,
  release,
  requestOp,
  schemeId,
  showRequest,
  wish,
} from './messages.ts';
import { holdingOf, isAuthorised, isOrigin, isSamePayment, placeOnRing, signersOf } from './ring.ts';

/** An assistant that cannot be reached for so long, and that must show on what it authorised a payment, is convicted. */
const assistantAnswerSeconds = 7n * 86_400n;
const casesMax = 64;

/** All that the broker knows of a coin that it sold. */
const coinRecord = struct({
  coin,
  deposited: u8,
  /** Authorisations that it has seen, and whether their grounds were shown. */
  seen: countedList(u8, struct({ auth, shown: u8 })),
  /** When assistants were first asked for grounds, in seconds since 1970; 0: they were not. */
  askedSeconds: u64,
  /** Whom it has convicted over this coin. */
  convicted: countedList(u16, fixedBytes(33)),
});
type BrokerCoin = Holds<typeof coinRecord>;

/** Sells coins and takes them back, says who assists whom, and finds out which assistant authorised one twice. */
export class CPayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  readonly #rings: BrokerRings;
  readonly #leases: Leases;
  readonly #claims: BrokerClaims;
  /** In hex: they assist no more. */
  readonly #convicts = new Set<string>();
  #lastEpoch = -1;
  /** By guid. */
  readonly #coins: SoldCoins<BrokerCoin>;
  /** While nobody offers to assist, the broker does. */
  readonly #desk: AssistantDesk;

  constructor(host: BrokerHost) {
    const { clock, key, store } = host;
    this.#host = host;
    this.#rings = new BrokerRings(store, clock, key);
    this.#leases = new Leases(store);
    this.#claims = new BrokerClaims(store);
    this.#coins = new SoldCoins(store, 'cpay/coin/', coinRecord);
    const broker = { endpoint: { host: '', port: 0 }, key: key.publicKey };
    this.#desk = new AssistantDesk({ store, clock, key, broker, rings: this.#rings });
    for (const { convicted } of this.#coins.all())
      for (const each of convicted) this.#convicts.add(toHex(each));
  }

  outstandingMsat(): Value {
    return this.#coins.outstandingMsat;
  }

  serve(request: Uint8Array): Served {
    switch (request[0]) {
      case requestOp.authorise:
        return atOnce(done => this.#desk.authorise(request, done));
      case requestOp.release:
        return atOnce(done => this.#desk.release(request, done));
      case requestOp.epoch:
        return this.#tellEpoch(request);
      case requestOp.list:
        return this.#tellList(request);
      case requestOp.deposit:
        return this.#serveDeposit(request);
      case requestOp.claim:
        return this.#serveClaim(request);
      case requestOp.show:
        return this.#serveShow(request);
      case requestOp.account:
        return serveAccount(this.#host, request, {
          [accountOp.buy]: (account, body) => this.#sell(account, body),
          [accountOp.assist]: (account, body) => this.#enlist(account, body),
        });
      default:
        return refused('malformed');
    }
  }

  /** Convicts assistants that have shown nothing for too long; with each epoch, ends leases and settles claims. */
  onTick(): readonly StoreWrite[] {
    const before = BigInt(this.#nowSeconds()) - assistantAnswerSeconds;
    const convicted = this.#coins.overdue(before).flatMap(([, record]) => this.#convictSilent(record));
    if (this.#rings.now === this.#lastEpoch) return convicted;
    this.#lastEpoch = this.#rings.now;
    const ended = this.#leases
      .end(this.#host.clock.wallMs())
      .flatMap(({ assistant, write }) => [write, ...this.#rings.remove(assistant)]);
    return [...convicted, ...ended, ...this.#settleClaims()];
  }

  #sell(account: Uint8Array, body: Uint8Array): Served {
    const order = buyBody.decode(body);
    if (order === undefined) return refused('malformed');
    const { assistants, coins: wanted } = order;
    if (assistants !== 1 && assistants !== groupSize) return refused('badTerms');
    const sold = sell(
      this.#host,
      schemeId,
      account,
      wanted.map(({ exponent }) => exponent),
    );
    if (typeof sold === 'string') return refused(sold);
    const coins = wanted.map(({ holder }, at) => this.#mint(sold.values[at], holder, assistants));
    const fresh = { deposited: 0, seen: [], askedSeconds: 0n, convicted: [] };
    const records = coins.map(({ coin: made }) => this.#put({ coin: made, ...fresh }));
    return { kind: 'reply', reply: boughtReply.encode({ coins }), persist: [...sold.persist, ...records] };
  }

  #mint(value: Value, holder: Uint8Array, assistants: number): PaidCoin {
    const { clock, entropy, key } = this.#host;
    const guid = entropy.bytes(16);
    const [first] = this.#rings.ring(this.#rings.now)?.assistantsOf(holder, 1) ?? [];
    const made = coin.sign(key, {
      guid,
      value,
      expirySeconds: this.#nowSeconds() + coinSeconds,
      firstAssistant: placeOnRing(first?.key ?? key.publicKey)
        .subarray(0, 3)
        .slice(),
      assistants,
    });
    const timeMs = BigInt(clock.wallMs());
    const nonce = new Uint8Array(16);
    const said = { guid, payer: key.publicKey, payee: holder, sinceMs: 0n, timeMs, nonce };
    const { signature } = authStatement.sign(key, said);
    return { coin: made, auth: { ...said, signatures: [{ place: 0, signature }] } };
  }

  #enlist(account: Uint8Array, body: Uint8Array): Served {
    const offer = assistBody.decode(body);
    if (offer === undefined) return refused('malformed');
    const isTaken = !this.#convicts.has(toHex(account));
    const added = isTaken ? this.#rings.add({ key: account, at: offer.at }) : undefined;
    const lease =
      added === undefined ? [] : [...added, this.#leases.renew(account, this.#host.clock.wallMs())];
    const wanted = this.#wantedOf(account);
    return { kind: 'reply', reply: assistReply.encode({ wanted }), persist: lease };
  }

  #tellEpoch(request: Uint8Array): Served {
    const message = epochRequest.decode(request);
    const signed = message === undefined ? undefined : this.#rings.signed(message.number);
    if (signed === undefined) return refused(message === undefined ? 'malformed' : 'targetOld');
    return { kind: 'reply', reply: epoch.encode(signed), persist: [] };
  }

  #tellList(request: Uint8Array): Served {
    const message = listRequest.decode(request);
    const list = message === undefined ? undefined : this.#rings.list(message.since);
    if (list === undefined) return refused(message === undefined ? 'malformed' : 'targetOld');
    return { kind: 'reply', reply: list, persist: [] };
  }

  #serveDeposit(request: Uint8Array): Served {
    const message = depositRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { account, paid } = message;
    const record = this.#coins.get(toHex(paid.coin.guid));
    if (record === undefined) return refused('unknownChannel');
    const { publicKey } = this.#host.key;
    const ours = equalBytes(paid.auth.payee, publicKey) && equalBytes(paid.auth.nonce, accountNonce(account));
    if (!ours) return refused('badTerms');
    if (!isAuthorised({ ...paid, coin: record.coin }, publicKey, this.#rings)) return refused('badSignature');
    if (this.#isOver(record)) return refused('expired');
    const reply = new Uint8Array(0);
    if (record.seen.some(({ auth: known }) => isSame(known, paid.auth)))
      return { kind: 'reply', reply, persist: [] };
    if (record.deposited === 0) {
      const credited = this.#host.accounts.deposit(schemeId, account, record.coin.value);
      const written = this.#put({ ...record, deposited: 1, seen: withAuth(record.seen, paid.auth) });
      return { kind: 'reply', reply, persist: [written, ...credited] };
    }
    return { kind: 'reply', reply, persist: this.#lookInto(withSeen(record, paid.auth)) };
  }

  #serveClaim(request: Uint8Array): Served {
    const message = claimRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { account, paid, wish: said } = message;
    const record = this.#coins.get(toHex(paid.coin.guid));
    if (record === undefined) return refused('unknownChannel');
    const { publicKey } = this.#host.key;
    const ours = equalBytes(said.payee, publicKey) && equalBytes(said.nonce, accountNonce(account));
    const holders = equalBytes(said.guid, paid.auth.guid) && equalBytes(said.payer, paid.auth.payee);
    if (!ours || !holders) return refused('badTerms');
    const held = { ...paid, coin: record.coin };
    if (!wish.isBy(said.payer, said) || !isAuthorised(held, publicKey, this.#rings))
      return refused('badSignature');
    if (this.#isOver(record)) return refused('expired');
    if (record.deposited === 1) return refused('stale');
    return { kind: 'reply', reply: new Uint8Array(0), persist: this.#claims.add(held, account) };
  }

  /** Nobody can hand them in any more. */
  #settleClaims(): readonly StoreWrite[] {
    return this.#claims.due(this.#nowSeconds()).flatMap(claim => {
      const record = this.#coins.get(toHex(claim.guid));
      const dropped = this.#claims.drop(claim);
      if (record === undefined || record.deposited === 1) return [dropped];
      const credited = this.#host.accounts.deposit(schemeId, claim.account, record.coin.value);
      return [dropped, this.#put({ ...record, deposited: 1 }), ...credited];
    });
  }

  #isOver({ coin: { expirySeconds } }: BrokerCoin): boolean {
    return expirySeconds + claimSeconds <= this.#nowSeconds();
  }

  /** The grounds of an authorisation lead to the one before it, until two of them contradict each other. */
  #serveShow(request: Uint8Array): Served {
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
    const persist = this.#lookInto(shown, this.#falselyReleased(shown, releases));
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
  #lookInto(record: BrokerCoin, found: readonly Conviction[] = []): readonly StoreWrite[] {
    const proofs = record.seen.flatMap(({ auth: one }, at) =>
      record.seen.slice(at + 1).flatMap(({ auth: other }) => this.#signedTwice(record, one, other)),
    );
    const before = this.#coins.get(toHex(record.coin.guid));
    // Whoever signed what is new to us has all the time to answer.
    const isNews = before === undefined || record.seen.length > before.seen.length;
    const askedSeconds = isNews ? BigInt(this.#nowSeconds()) : record.askedSeconds;
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
      writes.push(...this.#rings.remove(assistant));
    }
    const askedSeconds = convicted.length > record.convicted.length ? 0n : record.askedSeconds;
    return [...writes, this.#put({ ...record, convicted, askedSeconds })];
  }

  /** Authorisations of that assistant whose grounds are asked for. */
  #wantedOf(assistant: Uint8Array): readonly AuthStatement[] {
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

  #put(record: BrokerCoin): StoreWrite {
    return this.#coins.put(toHex(record.coin.guid), record);
  }

  #nowSeconds(): number {
    return secondsOf(this.#host.clock);
  }
}

interface Conviction {
  readonly assistant: Uint8Array;
  readonly proof: ReturnType<typeof unshownProof>;
}

function isSame(one: Omit<AuthStatement, 'signature'>, other: Omit<AuthStatement, 'signature'>): boolean {
  return holdingOf(one) === holdingOf(other) && isSamePayment(one, other) && one.timeMs === other.timeMs;
}

function statementOf({ signatures, ...said }: Auth, at: number): AuthStatement {
  return { ...said, signature: signatures[at].signature };
}

function withAuth(seen: BrokerCoin['seen'], given: Auth): BrokerCoin['seen'] {
  return seen.length >= casesMax || seen.some(({ auth: known }) => isSame(known, given))
    ? seen
    : [...seen, { auth: given, shown: 0 }];
}

function withSeen(record: BrokerCoin, given: Auth): BrokerCoin {
  return { ...record, seen: withAuth(record.seen, given) };
}

/** The broker knows all rings, and asks nobody. */
function atOnce(run: (done: (served: Served) => void) => void): Served {
  let outcome: Served | undefined;
  run(served => {
    outcome = served;
  });
  return outcome ?? refused('partyUnavailable');
}
