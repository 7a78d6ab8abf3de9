import { toHex } from '../../base/bytes.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { Stranded } from '../../payment/coins/stranded.ts';
import type { PayeeIdentity, Value } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { holderOf, pathOf } from './coin-path.ts';
import { PPayDealings } from './dealings.ts';
import {
  layersMax,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  type Target,
  target as targetKind,
} from './messages.ts';
import { type PPayCoin, type PPayPurse, worthOf } from './purse.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Own coins are assigned; held ones are reassigned by their owner or for it by the broker, or else get a layer. */
export class PPayTrade implements CoinTrade<Target, PPayCoin, MadeOut> {
  readonly #setup: CoinSetup;
  readonly #purse: PPayPurse;
  readonly #dealings: PPayDealings;
  /** Signed over once, they can be for nobody else. */
  readonly #stranded: Stranded<PaidCoin>;

  constructor(setup: CoinSetup, purse: PPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#stranded = new Stranded(setup.host.clock);
    this.#dealings = new PPayDealings(setup, purse, 'payer');
    for (const handed of purse.promised()) this.#stranded.put(toHex(holderOf(handed.path)), handed);
  }

  readTarget(payee: PayeeIdentity, bytes: Uint8Array): Target | undefined {
    return targetKind.read(payee, this.#setup.broker.key, bytes);
  }

  payeeOf(target: Target): string {
    return toHex(target.payeeKey);
  }

  *coins(target: Target, value: Value): Iterable<PPayCoin> {
    for (const paid of this.#stranded.of(this.payeeOf(target)))
      if (worthOf(paid) === value) yield { kind: 'stranded', value, paid };
    yield* this.#purse.worth(value);
  }

  makeOut(coin: PPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'own') {
      const { expirySeconds } = coin.coin;
      const { paid, write } = this.#purse.assign(coin.coin, target.payeeKey);
      const undo = () => this.#purse.unassign(coin.coin);
      done({ value: coin.value, expirySeconds, paid, persist: () => [write], undo });
      return;
    }
    if (coin.kind === 'stranded') {
      this.#stranded.take(this.payeeOf(target), coin.paid);
      this.#handOn(coin.paid, target, done);
      return;
    }
    const { paid, write } = this.#purse.hand(coin.paid, target.payeeKey);
    this.#dealings.store([write, this.#purse.promise(paid)], () => this.#handOn(paid, target, done));
  }

  together(run: () => void): void {
    this.#dealings.together(run);
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#dealings.buy(exponents, done);
  }

  payment({ nonce }: Target, coins: readonly MadeOut[]): Uint8Array {
    const paid = coins.map(each => each.paid);
    return paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, nonce, coins: paid });
  }

  giveBack(expiringBy: number): void {
    this.#dealings.giveBack(expiringBy);
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }

  #handOn(handed: PaidCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    const { expirySeconds, value } = handed.path.assigned.coin;
    const persist = () => [this.#purse.sent(handed)];
    const ready = (path: PaidCoin['path']) =>
      done({ value, expirySeconds, paid: { ...handed, path }, persist });
    const layered = handed.path.layers.length <= layersMax;
    // As layers, nobody is asked.
    if (this.#setup.variant === 'layered' && layered) {
      ready(handed.path);
      return;
    }
    this.#dealings.reassign(handed, outcome => {
      if (outcome === 'contradicted') this.#dealings.store(persist(), () => {});
      else if (outcome === undefined && !layered) this.#stranded.put(this.payeeOf(target), handed);
      if (outcome === 'contradicted' || (outcome === undefined && !layered)) done(undefined);
      else ready(outcome === undefined ? handed.path : pathOf(outcome));
    });
  }
}
