import { toHex } from '../../base/bytes.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { oneTimePublicKey } from '../../payment/coins/one-time-keys.ts';
import { Stranded } from '../../payment/coins/stranded.ts';
import type { PayeeIdentity, Value } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { CPayDealings } from './dealings.ts';
import {
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  type Target,
  target as targetKind,
} from './messages.ts';
import type { CPayCoin, CPayPurse, WishedCoin } from './purse.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Every coin, bought or earned, is authorised to the payee by the assistants of whom holds it. */
export class CPayTrade implements CoinTrade<Target, CPayCoin, MadeOut> {
  readonly #setup: CoinSetup;
  readonly #purse: CPayPurse;
  readonly #dealings: CPayDealings;
  /** Wishes that too few assistants answered, or none before a restart. They may have been granted, so they are for nobody else. */
  readonly #stranded: Stranded<WishedCoin>;

  constructor(setup: CoinSetup, purse: CPayPurse) {
    this.#setup = setup;
    this.#stranded = new Stranded(setup.host.clock);
    this.#purse = purse;
    this.#dealings = new CPayDealings(setup, purse, 'payer');
    setup.host.clock.after(0, () => this.#dealings.claimExpiring());
    for (const wished of purse.unfinished())
      if (!purse.isDeposit(wished)) this.#stranded.put(toHex(wished.relayId), wished);
  }

  readTarget(payee: PayeeIdentity, bytes: Uint8Array): Target | undefined {
    return targetKind.read(payee, this.#setup.broker.key, bytes);
  }

  payeeOf(target: Target): string {
    return toHex(target.relayId);
  }

  *coins(target: Target, value: Value): Iterable<CPayCoin> {
    for (const wished of this.#stranded.of(this.payeeOf(target)))
      if (wished.paid.coin.value === value) yield { kind: 'stranded', value, wished };
    yield* this.#purse.worth(value);
  }

  makeOut(coin: CPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'stranded') {
      this.#stranded.take(this.payeeOf(target), coin.wished);
      this.#authorise(coin.wished, target, done);
      return;
    }
    const { payeeKey, anonymous, nonce } = target;
    const { guid } = coin.held.paid.coin;
    const payee = anonymous === 1 ? oneTimePublicKey(payeeKey, nonce, guid) : payeeKey;
    if (payee === undefined) {
      done(undefined);
      return;
    }
    const { wished, write } = this.#purse.wishAway(coin.held, payee, nonce, target.relayId);
    this.#dealings.store([write], () => this.#authorise(wished, target, done));
  }

  together(run: () => void): void {
    this.#dealings.together(run);
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#dealings.buy(exponents, done);
  }

  payment(_target: Target, coins: readonly MadeOut[]): Uint8Array {
    const paid = coins.map(each => each.paid);
    return paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, coins: paid });
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }

  #authorise(wished: WishedCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    this.#dealings.authorise(wished, paid => {
      if (paid === undefined) {
        this.#stranded.put(this.payeeOf(target), wished);
        done(undefined);
      } else {
        const { value, expirySeconds } = paid.coin;
        done({
          value,
          expirySeconds,
          paid,
          persist: () => [this.#purse.gone(wished)],
          turnedDown: () => this.#dealings.store([this.#purse.turnedDown(wished)], () => {}),
        });
      }
    });
  }
}
