import { equalBytes, toHex } from '../../base/bytes.ts';
import type { BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { sell, serveAccount } from '../../payment/coins/coin-counter.ts';
import { answerSeconds, coinSeconds, secondsOf } from '../../payment/coins/coin-times.ts';
import { SoldCoins } from '../../payment/coins/sold-coins.ts';
import { refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { AssistantDesk } from './assistant.ts';
import { Bonds } from './bonds.ts';
import { BrokerClaims, claimSeconds } from './broker-claims.ts';
import { BrokerRings } from './broker-rings.ts';
import { type BrokerCoin, coinRecord, isSame, withSeen } from './coin-record.ts';
import { accountNonce } from './dealings.ts';
import { Inquest } from './inquest.ts';
import { Leases } from './leases.ts';
import {
  accountOp,
  assistBody,
  assistReply,
  authStatement,
  boughtReply,
  buyBody,
  buyersOwn,
  claimRequest,
  coin,
  depositRequest,
  epoch,
  epochRequest,
  groupSize,
  history,
  historyRequest,
  listRequest,
  type PaidCoin,
  requestOp,
  schemeId,
  wish,
} from './messages.ts';
import { isAuthorised, originOf } from './ring.ts';

/** Sells coins and takes them back, says who assists whom, and pays each out once. */
export class CPayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  readonly #rings: BrokerRings;
  readonly #leases: Leases;
  readonly #bonds: Bonds;
  readonly #claims: BrokerClaims;
  #lastEpoch = -1;
  /** By guid. */
  readonly #coins: SoldCoins<BrokerCoin>;
  readonly #inquest: Inquest;
  /** While nobody offers to assist, the broker does. */
  readonly #desk: AssistantDesk;

  constructor(host: BrokerHost) {
    const { clock, key, store } = host;
    this.#host = host;
    this.#rings = new BrokerRings(host);
    this.#leases = new Leases(store);
    this.#bonds = new Bonds(host, this.#rings, this.#leases);
    this.#claims = new BrokerClaims(store);
    this.#coins = new SoldCoins(store, 'cpay/coin/', coinRecord);
    const broker = { endpoint: { host: '', port: 0 }, key: key.publicKey };
    this.#desk = new AssistantDesk({ store, clock, key, broker, rings: this.#rings });
    this.#inquest = new Inquest(host, this.#rings, this.#coins, holding => this.#desk.granted(holding));
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
      case requestOp.history:
        return this.#tellHistory(request);
      case requestOp.deposit:
        return this.#serveDeposit(request);
      case requestOp.claim:
        return this.#serveClaim(request);
      case requestOp.show:
        return this.#inquest.show(request);
      case requestOp.account:
        return serveAccount(this.#host, request, {
          [accountOp.buy]: (account, body) => this.#sell(account, body),
          [accountOp.assist]: (account, body) => this.#enlist(account, body),
        });
      default:
        return refused('malformed');
    }
  }

  /**
   * Charges assistants that have shown nothing for too long, and forgets coins of which nothing more can come; with each epoch, ends
   * leases and settles claims.
   */
  onTick(): readonly StoreWrite[] {
    const forgotten = this.#coins.forget(this.#nowSeconds() - claimSeconds - answerSeconds, record =>
      this.#end(record),
    );
    const charged = [...this.#inquest.chargeOverdue(), ...forgotten];
    if (this.#rings.now === this.#lastEpoch) return charged;
    this.#lastEpoch = this.#rings.now;
    const ended = this.#leases
      .end(this.#host.clock.wallMs())
      .flatMap(({ assistant, write }) => [write, ...this.#rings.remove([assistant])]);
    return [
      ...charged,
      ...ended,
      ...this.#bonds.look(key => this.#inquest.isBarred(key)),
      ...this.#settleClaims(),
    ];
  }

  /** What nobody handed in or claimed is again whose it was at first. Whom it has convicted, the record of a coin says alone. */
  #end({ buyer, coin: made, convicted, deposited }: BrokerCoin): readonly StoreWrite[] | undefined {
    if (convicted.length > 0 || (deposited !== 1 && buyer.length === 0)) return undefined;
    const back = deposited === 1 ? [] : this.#host.accounts.deposit(schemeId, buyer, made.value);
    return [...back, ...this.#inquest.forget(made)];
  }

  #sell(account: Uint8Array, body: Uint8Array): Served {
    const order = buyBody.decode(body);
    if (order === undefined) return refused('malformed');
    const { assistants, coins: wanted } = order;
    if (assistants !== 1 && assistants !== groupSize && assistants !== buyersOwn) return refused('badTerms');
    // Whoever pays by its word alone must be somebody who can be charged.
    if (assistants === buyersOwn && wanted.some(({ holder }) => !equalBytes(holder, account)))
      return refused('badTerms');
    const sold = sell(
      this.#host,
      schemeId,
      account,
      wanted.map(({ exponent }) => exponent),
    );
    if (typeof sold === 'string') return refused(sold);
    const coins = wanted.map(({ holder }, at) => this.#mint(sold.values[at], holder, assistants));
    const fresh = { deposited: 0, seen: [], askedSeconds: 0n, convicted: [], buyer: account };
    const records = coins.map(({ coin: made }) => this.#put({ coin: made, ...fresh }));
    return { kind: 'reply', reply: boughtReply.encode({ coins }), persist: [...sold.persist, ...records] };
  }

  #mint(value: Value, holder: Uint8Array, assistants: number): PaidCoin {
    const { clock, entropy, key } = this.#host;
    const guid = entropy.bytes(16);
    const [first] = this.#rings.ring(this.#rings.now)?.assistantsOf({ guid, assistants }, holder) ?? [];
    const made = coin.sign(key, {
      guid,
      value,
      expirySeconds: this.#nowSeconds() + coinSeconds,
      firstAssistant: first?.place.slice(0, 3) ?? new Uint8Array(3),
      assistants,
    });
    const timeMs = BigInt(clock.wallMs());
    const said = originOf({ guid, payer: holder, sinceMs: timeMs }, key.publicKey);
    const { signature } = authStatement.sign(key, said);
    return { coin: made, auth: { ...said, signatures: [{ place: 0, signature }] } };
  }

  #enlist(account: Uint8Array, body: Uint8Array): Served {
    const offer = assistBody.decode(body);
    if (offer === undefined) return refused('malformed');
    const persist = this.#inquest.isBarred(account) ? [] : this.#bonds.offer({ key: account, at: offer.at });
    const wanted = this.#inquest.wantedOf(account);
    return { kind: 'reply', reply: assistReply.encode({ wanted }), persist };
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

  #tellHistory(request: Uint8Array): Served {
    const message = historyRequest.decode(request);
    const lists = message === undefined ? undefined : this.#rings.cut(message, message.from, message.to);
    if (message === undefined || lists === undefined)
      return refused(message === undefined ? 'malformed' : 'targetOld');
    const { guid, assistants, from, to } = message;
    const signed = history.sign(this.#host.key, { guid, assistants, from, to, lists });
    return { kind: 'reply', reply: history.encode(signed), persist: [] };
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
    const isGood = isAuthorised({ ...paid, coin: record.coin }, publicKey, this.#rings, {
      coin: record.coin,
    });
    if (!isGood) return refused('badSignature');
    if (this.#isOver(record)) return refused('expired');
    const reply = new Uint8Array(0);
    if (record.seen.some(({ auth: known }) => isSame(known, paid.auth)))
      return { kind: 'reply', reply, persist: [] };
    if (record.deposited === 0) {
      const credited = this.#host.accounts.deposit(schemeId, account, record.coin.value);
      const written = this.#put({ ...withSeen(record, paid.auth), deposited: 1 });
      return { kind: 'reply', reply, persist: [written, ...credited] };
    }
    return { kind: 'reply', reply, persist: this.#inquest.handedInAgain(record, paid.auth, account) };
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
    if (!wish.isBy(said.payer, said) || !isAuthorised(held, publicKey, this.#rings, { coin: record.coin }))
      return refused('badSignature');
    if (this.#isOver(record)) return refused('expired');
    const told = this.#inquest.told(record, held.auth);
    if (told === undefined) return refused('stale');
    return {
      kind: 'reply',
      reply: new Uint8Array(0),
      persist: [...told, ...this.#claims.add(held, account)],
    };
  }

  /** Nobody can hand them in any more. */
  #settleClaims(): readonly StoreWrite[] {
    return this.#claims.due(this.#nowSeconds()).flatMap(([holding, claim]) => {
      const record = this.#coins.get(toHex(claim.guid));
      const dropped = this.#claims.drop(holding);
      if (record === undefined) return [dropped];
      if (record.deposited === 1) return [dropped, ...this.#inquest.leftOut(record, holding, claim.account)];
      const credited = this.#host.accounts.deposit(schemeId, claim.account, record.coin.value);
      return [dropped, this.#put({ ...record, deposited: 1 }), ...credited];
    });
  }

  #isOver({ coin: { expirySeconds } }: BrokerCoin): boolean {
    return expirySeconds + claimSeconds <= this.#nowSeconds();
  }

  #put(record: BrokerCoin): StoreWrite {
    return this.#coins.put(toHex(record.coin.guid), record);
  }

  #nowSeconds(): number {
    return secondsOf(this.#host.clock);
  }
}

/** The broker knows all rings, and asks nobody. */
function atOnce(run: (done: (served: Served) => void) => void): Served {
  let outcome: Served | undefined;
  run(served => {
    outcome = served;
  });
  return outcome ?? refused('partyUnavailable');
}
